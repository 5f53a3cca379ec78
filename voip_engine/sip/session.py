"""One call's signalling: from the first INVITE to the last BYE, whichever side sends which (RFC 3261 §13, §15).

```
ours:   CALLING ─ 2xx ─► UP          theirs:   CALLED ─ answer ─► UP          any ─► ENDED
```
ENDED means that the engine has been told. What RFC 3261 still wants done then (CANCEL, BYE, the ACK that must come
before a BYE may go out) is done without another word.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from voip_engine.sip.dialog import Dialog, strip_for_request
from voip_engine.sip.dialog_requests import DialogRequests
from voip_engine.sip.effects import (
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionProgressed,
    SessionRedirected,
)
from voip_engine.sip.endpoint import SESSION_DESCRIPTION, contact_header, session_body
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.invite_client import InviteClient
from voip_engine.sip.invite_server import InviteServer
from voip_engine.sip.message import Request, Response
from voip_engine.sip.plain_words import (
    CANCELLED_THERE,
    HUNG_UP_HERE,
    HUNG_UP_THERE,
    NO_ACKNOWLEDGEMENT,
    VANISHED,
    plain_reason,
    rejected_here,
)
from voip_engine.sip.redirects import DECISION_S, REDIRECTIONS, Redirects
from voip_engine.sip.reoffers import Reoffers
from voip_engine.sip.session_context import SessionContext
from voip_engine.sip.session_features import SessionFeatures
from voip_engine.sip.session_index import SessionIndex
from voip_engine.sip.transaction_layer import ServerTransaction
from voip_engine.sip.uri import NameAddress, SipUri

MAX_FORKS = 32
"""How many branches of a forked INVITE are remembered."""


class Phase(Enum):
    """Where a session stands, as the engine knows it."""

    CALLING = "calling"
    CALLED = "called"
    UP = "up"
    ENDED = "ended"


class SessionStateError(RuntimeError):
    """A command that a session in this state cannot carry out."""


class Session:
    """One session. Make it with `place` or `take`."""

    def __init__(self, context: SessionContext, index: SessionIndex, phase: Phase) -> None:
        self._context = context
        self._endpoint = context.endpoint
        self._index = index
        self._ours: InviteClient | None = None
        self._theirs: InviteServer | None = None
        self._dialog: Dialog | None = None
        self._reoffers: Reoffers | None = None
        self._forks: set[str] = set()
        self._requests = DialogRequests(context, lambda now: self._settle())
        self.features = SessionFeatures(
            context, self._requests, lambda: self._dialog if self.phase is Phase.UP else None
        )
        """What the dialog carries besides the call."""
        self._bye_due = False
        self._redirects: Redirects | None = None
        self._undecided = 0
        self._refusal = (0, "")
        self.phase = phase

    @property
    def id(self) -> str:
        """The session's name towards the engine."""
        return self._context.session

    @classmethod
    def place(
        cls, context: SessionContext, index: SessionIndex, request: Request, next_hop: NextHop, now: float
    ) -> Session:
        """Place a call with this INVITE."""
        session = cls(context, index, Phase.CALLING)
        session._redirects = Redirects(request.uri)
        session._send_invite(request, next_hop, now)
        return session

    @classmethod
    def take(cls, context: SessionContext, index: SessionIndex, transaction: ServerTransaction, now: float) -> Session:
        """Take the call that an INVITE offers: 100 at once (RFC 3261 §8.2.6.1), the rest when the engine says so."""
        session = cls(context, index, Phase.CALLED)
        request = transaction.request
        session._theirs = InviteServer(context.endpoint, transaction, session._on_unacknowledged)
        transaction.on_cancel = session._on_cancel
        session._theirs.progress(context.endpoint.response(request, 100), now)
        tag = context.endpoint.token()
        session._adopt(Dialog.from_request(request, tag, transaction.flow.transport, context.sequence))
        return session

    # ---- commands ----

    def ring(self, body: bytes | None, now: float) -> None:
        """Send 180, or 183 with a body. Raises SessionStateError."""
        server = self._unanswered("ring")
        if server is not None:
            server.progress(self._response(server, 180 if body is None else 183, body), now)

    def answer(self, body: bytes, now: float) -> None:
        """Send 200. Raises SessionStateError."""
        server = self._unanswered("be answered")
        if server is not None:
            self.phase = Phase.UP
            server.accept(self._response(server, 200, body), now)

    def reject(self, status: int, reason: str | None, now: float) -> None:
        """Refuse the call. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        server = self._unanswered("be rejected")
        if server is not None:
            server.refuse(self._response(server, status, None, reason), now)
            self._end("local", status, rejected_here(status), now)

    def hang_up(self, now: float) -> None:
        """End the session, by CANCEL, refusal or BYE; ended already is no error."""
        phase = self.phase
        if phase is Phase.ENDED:
            return
        if self._undecided:
            self._stay(now)
            return
        if phase is Phase.CALLING and self._ours is not None:
            self._ours.cancel(now)
        elif phase is Phase.CALLED and self._theirs is not None:
            self._theirs.refuse(self._response(self._theirs, 480, None), now)
        else:
            self._close_reoffers(now, by_peer=False)
            self._bye_when_allowed(now)
        self._end("local", None, HUNG_UP_HERE, now)

    def redirect(self, target: SipUri, next_hop: NextHop, local: LocalAddress, now: float) -> None:
        """Place the call anew, at one of the addresses that `SessionRedirected` named (RFC 3261 §8.1.3.4).

        Raises SessionStateError.
        """
        if self.phase is Phase.ENDED:
            return
        if not self._undecided or self._ours is None or self._redirects is None:
            raise SessionStateError("This call cannot go on elsewhere: nobody has sent it on.")
        self._decided()
        self._redirects.choose(target)
        context = self._context
        user = NameAddress.parse(context.contact).uri.user
        context.local, context.contact = local, contact_header(user or "", local)
        headers = self._ours.request.headers.copy()
        # Credentials were for who asked for them; a route leads where it led before.
        stale = ("Authorization", "Proxy-Authorization") + (() if next_hop == self._ours.next_hop else ("Route",))
        for name in stale:
            headers.remove(name)
        headers.set("Contact", context.contact)
        headers.set("CSeq", f"{context.sequence.next()} INVITE")
        self._index.drop_dialogs(self)
        self._forks.clear()
        self._send_invite(Request("INVITE", strip_for_request(target), headers, self._ours.request.body), next_hop, now)

    def reoffer(self, offer: bytes, now: float) -> None:
        """Send an offer in a re-INVITE, as soon as nothing stands in its way. Raises SessionStateError."""
        reoffers = self._established()
        if reoffers is not None:
            reoffers.offer(offer, now)

    def accept_reoffer(self, body: bytes, now: float) -> None:
        """Answer their re-INVITE. Raises SessionStateError."""
        reoffers = self._established()
        if reoffers is not None:
            reoffers.accept(body, now)

    def reject_reoffer(self, status: int, now: float) -> None:
        """Refuse their re-INVITE. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        reoffers = self._established()
        if reoffers is not None:
            reoffers.reject(status, now)

    # ---- their requests within the dialog ----

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request within the dialog whose CSeq is in order."""
        self.features.learn(transaction.request.headers, transaction.flow)
        match transaction.request.method:
            case "REFER" | "NOTIFY" | "INFO":
                self.features.receive(transaction, now)
            case "BYE":
                self._on_bye(transaction, now)
            case "INVITE" if self.phase is Phase.UP and self._reoffers is not None:
                self._reoffers.receive(transaction, now)
            case "INVITE" if self.phase is Phase.CALLED:
                # RFC 3261 §14.2: the first one has no final response yet.
                self._endpoint.respond(transaction, 500, now, headers=(("Retry-After", "5"),))
            case "INVITE":
                self._endpoint.respond(transaction, 481 if self.phase is Phase.ENDED else 491, now)
            case _:
                self._endpoint.respond(transaction, 200, now)

    def take_cseq(self, request: Request) -> bool:
        """Note the request's number; False when it came out of order."""
        # Early dialogs of a call of ours have no state of their own: the first request in one decides.
        return self._dialog is None or self._dialog.take_cseq(request.cseq.number)

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK for a 2xx of ours."""
        if self._theirs is not None and self._theirs.request.cseq.number == ack.cseq.number:
            if not self._theirs.awaiting_ack:
                return
            self._theirs.stop()
            if self.phase is Phase.UP:
                self._endpoint.emit(SessionConfirmed(self.id, session_body(ack)))
                if self._reoffers is not None:
                    self._reoffers.send_waiting(now)
        elif self._reoffers is not None:
            self._reoffers.on_ack(ack, now)
        if self._bye_due:
            self._bye_when_allowed(now)
        self._settle()

    def _on_bye(self, transaction: ServerTransaction, now: float) -> None:
        self._endpoint.respond(transaction, 200, now)
        phase = self.phase
        if phase is Phase.CALLING and len(self._forks) > 1:
            return  # one branch of a fork gives up; the others may still answer
        self._bye_due = False
        if phase is Phase.CALLED and self._theirs is not None:
            self._theirs.refuse(self._response(self._theirs, 487, None), now)
        elif phase is Phase.CALLING and self._ours is not None:
            self._ours.cancel(now)
        if self._theirs is not None:
            self._theirs.stop()
        self._close_reoffers(now, by_peer=True)
        reason = CANCELLED_THERE if phase is Phase.CALLED else HUNG_UP_THERE
        self._end("remote", None, reason, now)

    def _on_cancel(self, now: float) -> None:
        if self._theirs is not None and self.phase is Phase.CALLED:
            self._theirs.refuse(self._response(self._theirs, 487, None), now)
            self._end("remote", 487, CANCELLED_THERE, now)

    # ---- how our INVITE goes ----

    def on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        """Tell of a 1xx, and remember the early dialog, for a BYE may end it."""
        tag = response.to.tag
        if tag and len(self._forks) < MAX_FORKS and tag not in self._forks:
            self._forks.add(tag)
            self._index.add_dialog((response.call_id, response.from_.tag or "", tag), self)
        if self.phase is Phase.CALLING:
            body = session_body(response)
            self._endpoint.emit(SessionProgressed(self.id, response.status, response.reason, body))
            self.features.learn(response.headers, flow)

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """Nothing but credentials mends an INVITE."""
        return None

    def on_redirect(self, response: Response, now: float) -> bool:
        """Ask the engine where to go on, if the 3xx names an address that was not tried yet."""
        if self._redirects is None or response.status not in REDIRECTIONS:
            return False
        self._redirects.take(response)
        return self._ask_where(response.status, plain_reason(response.status, response.reason), now)

    def dialog_of(self, response: Response, flow: Flow) -> Dialog:
        """Make the dialog of a 2xx; every branch of a fork has its own (RFC 3261 §13.2.2.4)."""
        assert self._ours is not None
        hop = self._ours.next_hop
        return Dialog.from_response(self._ours.request, response, hop.transport, self._context.sequence)

    def on_success(self, response: Response, dialog: Dialog, flow: Flow, now: float) -> None:
        """Go up with the first 2xx. Further ones, and those that come after hanging up, are hung up at once."""
        if self.phase is Phase.CALLING:
            self.phase = Phase.UP
            self._index.drop_dialogs(self)
            self._adopt(dialog)
            self._endpoint.emit(SessionAnswered(self.id, session_body(response), flow))
            self.features.learn(response.headers, flow)
        else:
            self._bye(dialog, now)
            self._settle()

    def on_failure(self, status: int, reason: str, now: float) -> None:
        """Try what is left of the addresses that the call was sent to, else end with the reason why it did not come about."""
        if status >= 600 or not self._ask_where(status, reason, now):
            self._end("remote", status, reason, now)

    def _ask_where(self, status: int, reason: str, now: float) -> bool:
        if self.phase is not Phase.CALLING or self._redirects is None or not self._redirects.targets:
            return False
        self._refusal = (status, reason)
        self._undecided = self._endpoint.timers.start(now + DECISION_S, self._stay)
        self._endpoint.emit(SessionRedirected(self.id, status, self._redirects.targets))
        return True

    def _stay(self, now: float) -> None:
        self._decided()
        self._end("remote", *self._refusal, now)

    def _decided(self) -> None:
        self._endpoint.timers.stop(self._undecided)
        self._undecided = 0

    # ---- the end ----

    def _on_unacknowledged(self, now: float) -> None:
        # RFC 3261 §13.3.1.4: without an ACK the session is ended by BYE.
        self._close_reoffers(now, by_peer=False)
        self._bye_when_allowed(now)
        self._end("local", None, NO_ACKNOWLEDGEMENT, now)

    def _on_dead(self, status: int, reason: str, now: float) -> None:
        self._close_reoffers(now, by_peer=False)
        if status != 481:
            self._bye_when_allowed(now)
        self._end("remote", status, VANISHED, now)

    def _bye_when_allowed(self, now: float) -> None:
        # RFC 3261 §15: the called side sends no BYE before the ACK came or was given up.
        waiting = self._theirs is not None and self._theirs.awaiting_ack
        self._bye_due = waiting or (self._reoffers is not None and self._reoffers.awaiting_ack)
        if not self._bye_due and self._dialog is not None:
            self._bye(self._dialog, now)

    def _bye(self, dialog: Dialog, now: float) -> None:
        self._requests.send(dialog, dialog.build("BYE"), now)

    def _close_reoffers(self, now: float, *, by_peer: bool) -> None:
        if self._reoffers is not None:
            self._reoffers.close(now, by_peer=by_peer)

    def _end(self, by: Literal["local", "remote"], status: int | None, reason: str, now: float) -> None:
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self.features.close(now)
            self._endpoint.emit(SessionEnded(self.id, by, status, reason))
        self._settle()

    def _settle(self) -> None:
        """Be forgotten once nothing more can come that needs this session."""
        ours = self._ours is not None and not self._ours.answered
        theirs = self._theirs is not None and self._theirs.pending
        reoffers = self._reoffers is not None and not self._reoffers.idle
        if self.phase is Phase.ENDED and not (ours or theirs or reoffers) and self._requests.idle:
            self._index.remove(self)

    # ---- odds ----

    def _send_invite(self, request: Request, next_hop: NextHop, now: float) -> None:
        context = self._context
        self._ours = InviteClient(
            context.endpoint,
            self,
            request,
            next_hop=next_hop,
            local=context.local,
            sequence=context.sequence,
            credentials=context.credentials(),
        )
        self._ours.start(now)

    def _adopt(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self._index.add_dialog(dialog.id, self)
        self._reoffers = Reoffers(
            self._context,
            dialog,
            on_dead=self._on_dead,
            on_unacknowledged=self._on_unacknowledged,
            is_blocked=lambda: self._theirs is not None and self._theirs.awaiting_ack,
        )

    def _response(self, server: InviteServer, status: int, body: bytes | None, reason: str | None = None) -> Response:
        tag = self._dialog.local.tag if self._dialog is not None else None
        response = self._endpoint.response(server.request, status, reason, to_tag=tag)
        if status < 300:
            response.headers.add("Contact", self._context.contact)
        if body is not None:
            response.headers.add("Content-Type", SESSION_DESCRIPTION)
            response.body = body
        return response

    def _unanswered(self, what: str) -> InviteServer | None:
        if self.phase is Phase.ENDED:
            return None
        if self.phase is not Phase.CALLED or self._theirs is None:
            raise SessionStateError(f"This call cannot {what}: it is not one that waits for an answer.")
        return self._theirs

    def _established(self) -> Reoffers | None:
        if self.phase is Phase.ENDED:
            return None
        if self.phase is not Phase.UP or self._reoffers is None:
            raise SessionStateError("This call cannot be changed: it is not up yet.")
        return self._reoffers


def _check_refusal(status: int) -> None:
    if not 300 <= status <= 699:
        raise ValueError(f"Status {status} refuses nothing; use one from 300 to 699.")
