"""Which messages the core looks at: a door's word on strangers, and no foreign host's word on a call.

```
bytes ─ concerns_us ─► parsed ─ is_foreign ─► an unknown request ─ turns_away ─► a transaction of its own
```
"""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.sip.admission.doorkeeper import NOTHING_ASKED, STRANGER, Doorkeeper, Refusal
from voip_engine.sip.effects import CloseConnection, KeepConnection, RequestTurnedAway
from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.peek import peek
from voip_engine.sip.sessions.session_index import SessionIndex, dialog_id

Answer = Callable[[Request, int, Flow, tuple[tuple[str, str], ...]], None]
"""Answers a request with a status and headers, without keeping any state."""

FOREIGN = "a request for a call came from a host that has no part in it"
# Not 503, after which the other side would send us nothing at all for that long (RFC 3261 §21.5.4).
FLOODED = Refusal("too many requests came within one call", 500, (("Retry-After", "5"),))


class Gate:
    """Turns away what is not to be looked at, and tells of it. Without a `door` every source is welcome."""

    def __init__(self, endpoint: Endpoint, sessions: SessionIndex, door: Doorkeeper | None) -> None:
        self._endpoint = endpoint
        self._sessions = sessions
        self._door = door

    def knows(self, flow: Flow, now: float) -> bool:
        """Whether requests of this source are looked at in any case: a server of an account, or in a network that may call."""
        return self._door is None or self._door.knows(flow, now)

    def concerns_us(self, data: bytes, flow: Flow) -> bool:
        """Whether a stranger's message may belong to a call or a request that is there, or prove who sends it."""
        seen = peek(data)
        if self._sessions.knows(seen.call_id) or self._endpoint.transactions.knows(seen.call_id):
            return True
        if self._door is not None and self._door.may_prove_itself(seen.method):
            return True
        if seen.method != "ACK":
            self._endpoint.emit(RequestTurnedAway(flow, seen.method, STRANGER if seen.method else NOTHING_ASKED))
        # An ACK follows each challenge, and what is challenged is asked again on the same connection.
        if seen.method != "ACK" or (self._door is not None and not self._door.may_prove_itself("INVITE")):
            self.hush(flow, known=False)
        return False

    def is_foreign(self, request: Request, flow: Flow, now: float, answer: Answer) -> bool:
        """Whether a request names a call of ours, but comes from a host that has no part in it (see `reachability`).

        Whom the door vouches for has a part in every call; of the others those that it knows hear that there is no such call.
        """
        if self._endpoint.trusts(flow, now):
            return False
        if request.method == "CANCEL":
            invite = self._endpoint.transactions.find(request, "INVITE")
            foreign = invite is not None and invite.flow.remote_host != flow.remote_host
        else:
            session = self._sessions.find(dialog_id(request)) if request.to.tag is not None else None
            foreign = session is not None and not session.admits(request, flow)
        if foreign:
            self._endpoint.emit(RequestTurnedAway(flow, request.method, FOREIGN))
            known = self.knows(flow, now)
            if self._door is not None and known and request.method != "ACK":
                answer(request, 481, flow, ())
            self.hush(flow, known=known)
        return foreign

    def turns_away(self, request: Request, flow: Flow, now: float, answer: Answer) -> bool:
        """Judge a request that no transaction knows; one that is not taken is answered if the door wants it."""
        if request.method == "CANCEL":
            session, belongs = None, self._endpoint.transactions.find(request, "INVITE") is not None
        else:
            session = self._sessions.find(dialog_id(request)) if request.to.tag is not None else None
            belongs = session is not None
        refusal: Refusal | None = None
        if session is not None and not session.has_room(request, now):
            refusal = FLOODED
        elif not belongs and self._door is not None:
            refusal = self._door.judge(request, flow, now, self._is_half_open)
        if refusal is None:
            return False
        if refusal.status is not None:
            answer(request, refusal.status, flow, refusal.headers)
        else:
            self.hush(flow, known=False)
        if refusal.counted:
            self._endpoint.emit(RequestTurnedAway(flow, request.method, refusal.reason))
        return True

    def rings(self, session: str, flow: Flow) -> None:
        """Note that a call came in from a source."""
        if self._door is not None:
            self._door.rings(session, flow)

    def hush(self, flow: Flow, *, known: bool) -> None:
        """Cut off the connection of a stranger, who hears nothing."""
        if flow.connection and not known:
            self._endpoint.emit(CloseConnection(flow))

    def let_in(self, flow: Flow, *, known: bool) -> None:
        """Note that a message of a source was taken: a stranger has a part in a call, or knows a password of ours."""
        if flow.connection and not known:
            self._endpoint.emit(KeepConnection(flow))

    def _is_half_open(self, name: str) -> bool:
        session = self._sessions.get(name)
        return session is not None and session.half_open
