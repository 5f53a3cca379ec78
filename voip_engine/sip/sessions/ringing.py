"""A call of theirs, from its INVITE to the ACK of our answer (RFC 3261 §13.3), with PRACKs where they go (RFC 3262 §3)."""

from __future__ import annotations

from typing import Protocol

from voip_engine.sip.endpoint import SESSION_DESCRIPTION, session_body
from voip_engine.sip.messages.extension_headers import RAck
from voip_engine.sip.messages.grammar import read_seconds
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.warning import warn
from voip_engine.sip.plain_words import RANG_TOO_LONG_HERE, RINGING_UNHEARD
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.invite_server import InviteServer
from voip_engine.sip.sessions.placing import RING_LIMIT_S
from voip_engine.sip.sessions.reliable import ReliableProgress, is_required, is_supported
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.transactions.transaction_layer import ServerTransaction


class RingingUser(Protocol):
    """Who wants to know how a call of theirs goes."""

    def on_unacknowledged(self, now: float) -> None:
        """No ACK came for our 2xx within 64·T1."""

    def on_given_up(self, status: int, reason: str, now: float) -> None:
        """The call was refused, because it rang too long or ringing could not be told."""


class Ringing:
    """One call of theirs. 100 goes out at once (RFC 3261 §8.2.6.1), the rest when the engine says so."""

    def __init__(
        self,
        context: SessionContext,
        transaction: ServerTransaction,
        timer: SessionTimer,
        user: RingingUser,
        now: float,
    ) -> None:
        endpoint, request = context.endpoint, transaction.request
        self._context = context
        self._timer = timer
        self._user = user
        self._answer: bytes | None = None
        self._server = InviteServer(endpoint, transaction, user.on_unacknowledged)
        self._reliable = ReliableProgress(endpoint, self._server, self._on_unheard)
        self._late = session_body(request) is None
        self._limit = endpoint.timers.start(now + _limit_s(request), self._rang_too_long)
        self.dialog = Dialog.from_request(request, endpoint.token(), transaction.flow.transport, context.sequence)
        self.dialog.note_abilities(request)
        self.dialog.heard_from(request, transaction.flow)
        self._server.progress(endpoint.response(request, 100), now)

    @property
    def cseq(self) -> int:
        """The number of the INVITE."""
        return self._server.request.cseq.number

    @property
    def refusable(self) -> bool:
        """Whether no final response has gone out."""
        return not self._server.answered

    @property
    def pending(self) -> bool:
        """Whether something is still to come: our final response, or the ACK for our 2xx."""
        return self._server.pending

    @property
    def awaiting_ack(self) -> bool:
        """Whether a 2xx of ours waits for its ACK, or for the PRACK that it waits for itself."""
        return self._server.awaiting_ack or self._answer is not None

    @property
    def awaiting_answer(self) -> bool:
        """Whether an offer of ours, to a late-offering caller, is unanswered."""
        return self._late and self._server.awaiting_ack

    @property
    def described(self) -> bool:
        """Whether their offer has been answered for good: by a 2xx, or reliably before it."""
        return not self.refusable or self._reliable.described

    def ring(self, body: bytes | None, now: float) -> None:
        """Send 180, or 183 with a body: reliably where the caller wants it, and with a body where it can.

        A late-offering caller gets no body: our offer is in the 200 (RFC 3262 §5 would have it in what goes reliably).
        """
        invite = self._server.request
        if self._late:
            body = None
            if is_required(invite):
                return
        response = self.response(180 if body is None else 183, body)
        if is_required(invite) or (body is not None and is_supported(invite)):
            self._reliable.send(response, now)
        else:
            self._server.progress(response, now)

    def answer(self, body: bytes, now: float) -> None:
        """Send 200; not before a session description that went out before is acknowledged (RFC 3262 §3)."""
        self._context.endpoint.timers.stop(self._limit)
        if self._reliable.describing:
            self._answer = body
            return
        self._reliable.stop()
        response = self.response(200, body)
        self._timer.answer(self._server.request, response, now)
        self._context.described = body
        self._server.accept(response, now)

    def refuse(self, status: int, now: float, reason: str | None = None, warning_text: str = "") -> None:
        """Send a final response other than 2xx, with a warning if there is one."""
        self._answer = None
        self._context.endpoint.timers.stop(self._limit)
        self._reliable.stop()
        response = self.response(status, reason=reason)
        warn(response.headers, self._context.local.host, warning_text)
        self._server.refuse(response, now)

    def acknowledge(self, prack: Request, now: float) -> bool:
        """Take a PRACK; False if it is for nothing of ours. Raises MalformedHeader."""
        if not self._reliable.acknowledge(RAck.read(prack.headers), self.response, now):
            return False
        if self._answer is not None:
            body, self._answer = self._answer, None
            self.answer(body, now)
        return True

    def take_ack(self) -> bool:
        """Take the ACK of our 2xx; False if none was waited for."""
        waited = self._server.awaiting_ack
        if waited:
            self._server.stop()
        return waited

    def stop(self) -> None:
        """Wait for no ACK any more: it came, or the dialog is over."""
        self._server.stop()

    def close(self) -> None:
        """Be over for good."""
        self._reliable.close()

    def response(self, status: int, body: bytes | None = None, reason: str | None = None) -> Response:
        """Build a response to the INVITE."""
        response = self._context.endpoint.response(self._server.request, status, reason, to_tag=self.dialog.local.tag)
        if status < 300:
            response.headers.add("Contact", self._context.contact)
        if body is not None:
            response.headers.add("Content-Type", SESSION_DESCRIPTION)
            response.body = body
        return response

    def _on_unheard(self, now: float) -> None:
        if self.refusable:
            self.refuse(504, now)
            self._user.on_given_up(504, RINGING_UNHEARD, now)

    def _rang_too_long(self, now: float) -> None:
        self.refuse(480, now)
        self._user.on_given_up(480, RANG_TOO_LONG_HERE, now)


def _limit_s(invite: Request) -> float:
    """How long a call rings at most: the caller may want less (RFC 3261 §13.3.1)."""
    wanted_s = read_seconds(invite.headers.get("Expires"))
    return RING_LIMIT_S if wanted_s is None else min(RING_LIMIT_S, wanted_s)
