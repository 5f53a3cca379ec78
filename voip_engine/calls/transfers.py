"""Sends the other side of a call on to somebody else: blind, or into the place of another call (RFC 3515, RFC 5589).

```
transfer ─ hold ─ REFER ─ 202 ─ NOTIFYs ─┬ 2xx ─► DONE: both calls of ours end
                                         └ refusal, silence ─► FAILED: the call is taken back from hold
```
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal
from weakref import ref

from voip_engine.calls.call_services import CallServices
from voip_engine.errors import EngineError
from voip_engine.events import CallTransferring
from voip_engine.hosts import bracketed, host_port
from voip_engine.sip import effects
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.sessions.session import SessionStateError
from voip_engine.snapshots import CallDirection, CallState, Holder, TransferSnapshot, TransferState

if TYPE_CHECKING:
    from voip_engine.calls.call import Call

HOLD_S = 2.0
"""How long the other side may take to go on hold before it is sent on all the same."""
OVER = (TransferState.DONE, TransferState.FAILED)

OnCourse = Callable[[int], None]
"""Takes the statuses of a call that is placed: provisional ones, then one final one."""


class CallTransfers:
    """The transfers of one call, ours and theirs. The call holds this, not the other way round."""

    def __init__(self, call: Call, services: CallServices) -> None:
        self._call_ref = ref(call)
        self._services = services
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._asking = False
        self._holding = False
        self._agreed = False
        self._other: Call | None = None
        self._on_course: OnCourse | None = None
        self.snapshot: TransferSnapshot | None = None
        """The last transfer of ours, None before the first."""

    @property
    def _call(self) -> Call:
        call = self._call_ref()
        assert call is not None
        return call

    async def transfer(self, target: str) -> None:
        """Send the other side on to `target`, and wait for the end of it. Raises EngineError; the call goes on then.

        Cancelling leaves a transfer that is under way to the other side.
        """
        uri = self._services.find(target, self._call.account)
        await self._refer(str(uri), uri, None)

    async def transfer_to(self, other: Call) -> None:
        """Join the other sides of two calls, and wait for the end of it. Raises EngineError; both go on then."""
        if other is self._call:
            raise EngineError("A call cannot be transferred to itself.")
        if other.ended:
            raise EngineError("The other call is over: there is nobody left on it to be joined with.")
        if other.state is not CallState.CONNECTED:
            raise EngineError(
                "The other call is not up yet: wait until it is answered, or transfer without asking first."
            )
        known = other.snapshot()
        peer = SipUri.parse(known.peer_uri)
        # Behind a server the address that we dialled leads there, or the one that a trusted server vouches for. A caller's
        # From may say anything: then it is what the phone itself says (RFC 5589 §7.1).
        if known.direction is CallDirection.OUTBOUND:
            target = peer if other.account is not None else None
        else:
            target = SipUri.parse(known.asserted_uri) if known.asserted_uri else None
        await self._refer(str(target or peer), target, other)

    def watch(self, on_course: OnCourse) -> None:
        """Tell from now on how this call comes about."""
        self._on_course = on_course
        if self._call.ended:
            self._tell_course(self._call.snapshot().end_status or 487)

    def apply(self, effect: effects.Effect) -> None:
        """Follow what the SIP core says of the call."""
        match effect:
            case effects.ReferralProgressed():
                self._progressed(effect)
            case effects.SessionReferred():
                self._services.referred(self._call, effect)
            case effects.SessionAnswered() | effects.SessionReofferFailed():
                self._settled.set()
                self._tell_course(200)
            case effects.SessionConfirmed():
                self._settled.set()
            case effects.SessionProgressed(status=status):
                self._tell_course(status)
            case effects.SessionEnded(by=by, status=status):
                self._settled.set()
                self._tell_course(status if status is not None and status >= 300 else 487)
                self._ended(by, status)

    async def _refer(self, shown: str, target: SipUri | None, other: Call | None) -> None:
        self._require(target, other)
        if self._call.state is not CallState.CONNECTED:
            raise EngineError("Only a call that is up can be transferred.")
        if self._is_under_way:
            raise EngineError("The call is being transferred already.")
        self._over.clear()
        self._agreed, self._asking, self._other = False, True, other
        self._change(TransferSnapshot(target=shown, state=TransferState.ASKED))
        try:
            await self._hold()
            self._send(target, other)
        except (EngineError, SessionStateError) as error:
            self._fail(None, str(error))
            raise EngineError(str(error)) from error
        except BaseException:
            self._fail(None, "The transfer was taken back.")
            raise
        finally:
            self._asking = False
        outcome = await self._outcome()
        if outcome.state is TransferState.FAILED:
            raise EngineError(outcome.detail)

    def _require(self, target: SipUri | None, other: Call | None) -> None:
        """Raise EngineError unless the other side may be sent there now. Whoever waits afterwards asks again."""
        called = [target]
        if other is not None:
            # Whoever called us may have written both addresses himself, and it is the other side that will call one.
            reached_at = self._services.signalling.core.features.reached_at(other.session)
            called = [SipUri.parse(other.snapshot().peer_uri), target or reached_at]
        self._services.placed.require_transfer(tuple(uri for uri in called if uri is not None))

    @property
    def _is_under_way(self) -> bool:
        return self.snapshot is not None and self.snapshot.state not in OVER

    @property
    def _left(self) -> str:
        assert self.snapshot is not None
        return f"Transferred to {_spoken(self.snapshot.target)}."

    @property
    def _joined(self) -> str:
        known = self._call.snapshot()
        return f"Connected to {known.peer_name or _spoken(known.peer_uri)}."

    async def _outcome(self) -> TransferSnapshot:
        await self._over.wait()
        assert self.snapshot is not None
        return self.snapshot

    async def _hold(self) -> None:
        """Put the other side on hold first, as RFC 5589 §6 has it: nobody is to talk into a transfer."""
        if self._call.snapshot().held_by in (Holder.US, Holder.BOTH):
            return
        self._settled.clear()
        try:
            await self._call.hold(True)
        except EngineError:
            return  # it is being renegotiated: the transfer need not wait for that
        self._holding = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                await self._settled.wait()

    def _send(self, target: SipUri | None, other: Call | None) -> None:
        signalling, session = self._services.signalling, self._call.session
        features, now = signalling.core.features, signalling.now
        if self._call.ended or (other is not None and other.ended):
            raise SessionStateError("The call ended before it could be transferred.")
        self._require(target, other)
        if other is not None:
            wanted = features.refer_to_session(session, other.session, now, target=target)
        else:
            assert target is not None
            wanted = features.refer(session, target, now)
        self._services.placed.sent_on()
        signalling.perform(wanted)

    def _progressed(self, effect: effects.ReferralProgressed) -> None:
        if self.snapshot is None or self.snapshot.state in OVER:
            return
        self._agreed = True
        target, status = self.snapshot.target, effect.status
        self._call.goes_over(self._left)
        if not effect.final:
            state = TransferState.RINGING if 180 <= status < 200 else TransferState.TRYING
            if state is not self.snapshot.state:
                self._change(TransferSnapshot(target=target, state=state, status=status))
        elif status < 300:
            self._done(status)
            self._call.end(self._left)
            if self._other is not None:
                self._other.goes_over(self._joined)  # it may have hung up a moment before we are told
                self._other.end(self._joined)
        else:
            self._fail(status, effect.reason)

    def _ended(self, by: Literal["local", "remote"], status: int | None) -> None:
        if self.snapshot is None or self.snapshot.state in OVER or self._asking:
            return
        if self._agreed and status != 408:  # many a server hangs up as soon as it has taken the transfer over
            self._done(None)
        else:
            hung_up_there = by == "remote" and status is None
            self._fail(None, "The other side hung up instead." if hung_up_there else self._call.snapshot().end_reason)

    def _done(self, status: int | None) -> None:
        assert self.snapshot is not None
        self._change(TransferSnapshot(target=self.snapshot.target, state=TransferState.DONE, status=status))
        self._over.set()

    def _fail(self, status: int | None, reason: str) -> None:
        assert self.snapshot is not None
        target = self.snapshot.target
        self._change(TransferSnapshot(target=target, state=TransferState.FAILED, status=status, detail=reason))
        self._call.goes_over("")
        if self._holding and not self._call.ended:
            self._services.spawn(self._resume(), f"resume call {self._call.call_id}")
        self._over.set()

    async def _resume(self) -> None:
        """Take the other side back as soon as the hold, or whatever else is being renegotiated, is settled."""
        while not self._call.ended:
            await self._settled.wait()
            if not self._holding or self._is_under_way:  # the next transfer takes it back
                return
            self._settled.clear()
            # Another change may be under way, or the call have ended: either will be told.
            with contextlib.suppress(EngineError):
                await self._call.hold(False)
                self._holding = False
                return

    def _tell_course(self, status: int) -> None:
        on_course = self._on_course
        if status >= 200:
            self._on_course = None
        if on_course is not None:
            on_course(status)

    def _change(self, snapshot: TransferSnapshot) -> None:
        self.snapshot = snapshot
        self._services.publish(CallTransferring(time.time(), self._call.call_id, snapshot))


def _spoken(address: str) -> str:
    """An address as people say it: without scheme, parameters and headers."""
    uri = SipUri.parse(address)
    place = host_port(uri.host, uri.port) if uri.port is not None else bracketed(uri.host)
    return "@".join(part for part in (uri.user or "", place) if part) or address
