"""What other sides do to our calls by transferring them: send us to somebody else, or put another call in ours' place.

```
SessionReferred ─ dial rules ─┬ refused: 603               SessionInvited with Replaces ─ answered in the mode of the
                              └ 202, a call in the same      call whose place it takes, which then ends
                                mode, its course told back
```
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol

from voip_engine.calls.call import Call
from voip_engine.calls.call_services import CallServices
from voip_engine.errors import EngineError
from voip_engine.events import CallReferred, CallReplaced
from voip_engine.modes.base import Mode
from voip_engine.sip.effects import SessionReferred
from voip_engine.speech_settings import AgentSettings

GOODBYE_S = 5.0
"""How long who sent us on may take to hang up before we do."""

logger = logging.getLogger(__name__)


class Dial(Protocol):
    """Places a call (`Engine.dial`) with more headers and a word on who wanted it."""

    async def __call__(
        self,
        target: str,
        *,
        account: str | None,
        mode: str | Mode,
        agent: AgentSettings | None,
        extra: tuple[tuple[str, str], ...],
        referred_by: str,
    ) -> Call:
        """Raises EngineError."""
        ...


class Referrals:
    """Follows the transfers that others make of an engine's calls."""

    def __init__(self, services: CallServices, dial: Dial) -> None:
        self._services = services
        self._signalling = services.signalling
        self._dial = dial

    def referred(self, call: Call, effect: SessionReferred) -> None:
        """Go where the other side of a call sends us, if the settings let it."""
        features, now = self._signalling.core.features, self._signalling.now
        refusal = self._services.placed.rules.check_transfer(effect.target) or self._obstacle(call, effect)
        if refusal is not None:
            self._signalling.perform(features.reject_referral(effect.session, effect.referral, 603, now))
            self._tell(call, effect, refusal)
            return
        self._signalling.perform(features.accept_referral(effect.session, effect.referral, now))
        self._services.spawn(self._follow(call, effect), f"follow the transfer of call {call.call_id}")

    def replace(self, old: Call, new: Call) -> None:
        """Let a call that came in take another one's place (RFC 3891 §3), and be held to the limits of that one."""
        self._services.placed.takes_over(new.call_id, old.call_id)
        self._services.spawn(self._replace(old, new), f"replace call {old.call_id}")

    async def _replace(self, old: Call, new: Call) -> None:
        new.set_agent(old.agent)
        try:
            await new.answer()
        except EngineError as error:
            logger.warning("Call %s could not take the place of call %s: %s", new.call_id, old.call_id, error)
            return
        self._services.publish(CallReplaced(time.time(), old.call_id, new.call_id))
        old.end("Another call took its place.")

    def _obstacle(self, call: Call, effect: SessionReferred) -> str | None:
        """Why an address cannot be dialled at all, in plain words, such as a tel: one, whatever the settings say."""
        try:
            self._services.find(str(effect.target), call.account)
        except EngineError as error:
            return str(error)
        return None

    async def _follow(self, call: Call, effect: SessionReferred) -> None:
        referred_by = effect.referred_by or call.snapshot().peer_uri
        extra = [("Referred-By", f"<{referred_by}>")]
        if effect.replaces is not None:
            extra += [("Replaces", effect.replaces), ("Require", "replaces")]
        try:
            new = await self._dial(
                str(effect.target),
                account=call.account,
                mode=call.mode,
                agent=call.agent,
                extra=tuple(extra),
                referred_by=referred_by,
            )
        except EngineError as error:
            self._report(effect, 503)
            self._tell(call, effect, str(error))
            return
        self._tell(call, effect, "")
        outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def on_course(status: int) -> None:
            if status > 100:
                self._report(effect, status)
            if status >= 200 and not outcome.done():
                outcome.set_result(status)

        new.watch(on_course)
        if await outcome < 300:
            await self._part(call)

    async def _part(self, call: Call) -> None:
        """Wait for the goodbye of who sent us on (RFC 5589 §6.1), and say it if nothing comes."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                await call.wait_ended()
        except TimeoutError:
            call.end("The other side sent us on.")

    def _report(self, effect: SessionReferred, status: int) -> None:
        features = self._signalling.core.features
        self._signalling.perform(features.tell_referral(effect.session, effect.referral, status, self._signalling.now))

    def _tell(self, call: Call, effect: SessionReferred, refusal: str) -> None:
        self._services.publish(CallReferred(time.time(), call.call_id, str(effect.target), refusal))
