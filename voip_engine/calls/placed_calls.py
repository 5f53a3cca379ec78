"""The calls an engine places, held against [dialling] while they are up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voip_engine.dial_limits import DialLimits
from voip_engine.dial_rules import DialRules
from voip_engine.errors import EngineError
from voip_engine.network_settings import DiallingSettings
from voip_engine.sip.messages.uri import SipUri
from voip_engine.snapshots import CallState


class PlacedCalls:
    """Counts placed calls and ends those whose minutes are used up, by `end(call_id, reason)`. Make it within a loop."""

    def __init__(self, settings: DiallingSettings, end: Callable[[str, str], None]) -> None:
        self.rules = DialRules(settings)
        self._limits = DialLimits(settings)
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def require(self, target: SipUri) -> None:
        """Raise EngineError unless `target` may be called, and now. Ask again after any waiting."""
        refusal = self.rules.check(target) or self._limits.refusal(self._loop.time())
        if refusal is not None:
            raise EngineError(refusal)

    def require_redirect(self, dialled: SipUri, target: SipUri) -> None:
        """Raise EngineError unless a call to `dialled` may go on to `target`, and now. Ask again after any waiting."""
        refusal = self.rules.check_redirect(dialled, target) or self._limits.refusal(self._loop.time(), sent_on=True)
        if refusal is not None:
            raise EngineError(refusal)

    def require_transfer(self, targets: tuple[SipUri, ...]) -> None:
        """Raise EngineError unless the other side of a call may be sent to all `targets`, and now. As `require` otherwise."""
        refusals = (self.rules.check(target) for target in targets)
        refusal = next(filter(None, refusals), None) or self._limits.refusal(self._loop.time(), sent_on=True)
        if refusal is not None:
            raise EngineError(refusal)

    def sent_on(self) -> None:
        """Count a call that goes on elsewhere, ours or the other side's by a transfer of ours."""
        self._limits.sent_on(self._loop.time())

    def placed(self, call_id: str) -> None:
        """Count a call whose INVITE goes out."""
        self._limits.placed(call_id, self._loop.time())

    def takes_over(self, call_id: str, place_of: str) -> None:
        """Hold a call that came in for the place of another one to the limits that hold for that one, if any do."""
        self._limits.takes_over(call_id, place_of, self._loop.time())

    def follow(self, call_id: str, state: CallState) -> None:
        """Take how a call stands now; calls that we did not place are passed over."""
        now = self._loop.time()
        if state is CallState.CONNECTED:
            self._limits.answered(call_id, now)
        elif state is CallState.ENDED:
            self._limits.ended(call_id, now)
        self._set_timer()

    def close(self) -> None:
        """End no more calls."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self.close()
        deadline = self._limits.next_deadline(self._loop.time())
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        for call_id, reason in self._limits.overdue(self._loop.time()):
            self._end(call_id, reason)
        self._set_timer()
