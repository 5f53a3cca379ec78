"""The calls there are: numbered, found by name and by session, carried to their end, and listed for a while after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

from voip_engine import events
from voip_engine.calls.call import Call
from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.errors import EngineError
from voip_engine.modes.base import Mode


class Roster:
    """One engine's calls, at most `max_calls` that have not ended; ended ones stay for `keep_ended_s`."""

    def __init__(
        self,
        *,
        max_calls: int,
        keep_ended_s: float,
        publish: Callable[[events.AnyEvent], None],
        spawn: Callable[[Coroutine[Any, Any, None], str], None],
    ) -> None:
        self._max_calls = max_calls
        self._keep_ended_s = keep_ended_s
        self._publish = publish
        self._spawn = spawn
        self._calls: dict[str, Call] = {}
        self._by_session: dict[str, Call] = {}
        self._next_number = 1
        self._closing = False

    @property
    def calls(self) -> Mapping[str, Call]:
        """All calls by their id: the live ones, and for a while those that ended."""
        return MappingProxyType(self._calls)

    @property
    def closing(self) -> bool:
        """Whether no more calls are taken."""
        return self._closing

    @property
    def has_room(self) -> bool:
        """Whether another call may begin."""
        return not self._closing and sum(not call.ended for call in self._calls.values()) < self._max_calls

    def require_room(self) -> None:
        """Raise EngineError unless another call may begin."""
        if self._closing:
            raise EngineError("The engine is closing.")
        if not self.has_room:
            raise EngineError(f"There are {self._max_calls} calls up, and the settings allow no more.")

    def by_session(self, session: str) -> Call | None:
        """Return the call that has this SIP session."""
        return self._by_session.get(session)

    def take_number(self) -> int:
        """Return a number that no call of this engine has had."""
        number = self._next_number
        self._next_number += 1
        return number

    def add(self, services: CallServices, identity: CallIdentity, mode: str | Mode) -> Call:
        """Make a call known and carry it to its end."""
        call = Call(services, identity, mode)
        self._calls[call.call_id] = call
        self._by_session[identity.session] = call
        self._publish(
            events.CallCreated(
                time.time(),
                call.call_id,
                identity.direction,
                identity.peer_uri,
                identity.peer_name,
                identity.account,
                identity.session,
            )
        )
        self._spawn(self._carry(call), f"call {call.call_id}")
        return call

    def end(self, call_id: str, reason: str) -> None:
        """End a call and say why; one that is gone is no error."""
        if (call := self._calls.get(call_id)) is not None:
            call.end(reason)

    async def close(self, within_s: float) -> None:
        """Take no more calls and hang up all; waits for the other sides' goodbyes, but not longer than `within_s`."""
        self._closing = True
        live = [call for call in self._calls.values() if not call.ended]
        for call in live:
            await call.hang_up()
        if live:
            await asyncio.wait([asyncio.ensure_future(call.wait_ended()) for call in live], timeout=within_s)

    async def _carry(self, call: Call) -> None:
        await call.carry()
        self._by_session.pop(call.session, None)
        await asyncio.sleep(self._keep_ended_s)
        self._calls.pop(call.call_id, None)
