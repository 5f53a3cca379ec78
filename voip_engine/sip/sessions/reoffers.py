"""Re-INVITEs of an established session, in both directions, and what happens when they meet (RFC 3261 §14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionReoffered, SessionReofferFailed
from voip_engine.sip.endpoint import ALLOW, SESSION_DESCRIPTION, SUPPORTED, session_body
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.warning import warn
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.invite_client import InviteClient
from voip_engine.sip.sessions.invite_server import InviteServer
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

MAX_GLARES = 8
"""How often a re-INVITE is tried again after 491."""


class Reoffers:
    """The re-INVITEs of one session.

    An offer of ours that cannot go out yet waits; a later one takes its place, and is told of in the place of one that is
    refused meanwhile. `on_dead(status, reason, now)` is called when a re-INVITE shows that the other side has no such dialog
    (RFC 3261 §12.2.1.2), `on_unacknowledged(now)` when our 2xx is never acknowledged, `on_over()` when a re-INVITE of ours
    that outlived the session is over.
    `is_blocked()` says that another exchange is under way: the first INVITE waits for its ACK, or an UPDATE for its answer.
    """

    def __init__(
        self,
        context: SessionContext,
        dialog: Dialog,
        timer: SessionTimer,
        *,
        on_dead: Callable[[int, str, float], None],
        on_unacknowledged: Callable[[float], None],
        on_over: Callable[[], None],
        is_blocked: Callable[[], bool],
    ) -> None:
        self._context = context
        self._dialog = dialog
        self._timer = timer
        self._on_dead = on_dead
        self._on_unacknowledged = on_unacknowledged
        self._on_over = on_over
        self._is_blocked = is_blocked
        self._waiting: bytes | None = None
        self._waiting_refreshes = False
        self._sent: bytes = b""
        self._sent_refreshes = False
        self._glares = 0
        self._retry = 0
        self._holding_off = False
        self._closed = False
        self._ours: InviteClient | None = None
        self._theirs: InviteServer | None = None

    @property
    def awaiting_ack(self) -> bool:
        """Whether a 2xx of ours to a re-INVITE has not been acknowledged."""
        return self._theirs is not None and self._theirs.awaiting_ack

    @property
    def idle(self) -> bool:
        """Whether no re-INVITE is under way."""
        return not self._ours_pending and not self._theirs_pending

    @property
    def offering(self) -> bool:
        """Whether an offer of ours is unanswered: in a re-INVITE, or in the 2xx to one that made none."""
        late = self._theirs is not None and session_body(self._theirs.request) is None
        return self._ours_pending or (late and self.awaiting_ack)

    @property
    def asked(self) -> bool:
        """Whether an offer of theirs is unanswered."""
        return self._theirs is not None and not self._theirs.answered

    @property
    def _ours_pending(self) -> bool:
        return self._ours is not None and not self._ours.answered

    @property
    def _theirs_pending(self) -> bool:
        return self._theirs is not None and self._theirs.pending

    # ---- ours ----

    def offer(self, body: bytes, now: float) -> None:
        """Send an offer as soon as no other exchange is under way."""
        self._waiting, self._waiting_refreshes = body, False
        if not self._holding_off:
            self._glares = 0
        self.send_waiting(now)

    def refresh(self, now: float) -> None:
        """Send what both sides agreed on once more, so that the session goes on (RFC 4028 §7.4).

        An offer that is out, or waits, refreshes too; where that one is refused the timer asks again.
        """
        if self._waiting is None and not self._ours_pending and self._context.described:
            self._waiting, self._waiting_refreshes = self._context.described, True
            self.send_waiting(now)

    def send_waiting(self, now: float) -> None:
        """Send the offer that waits, if there is one and nothing stands in its way (RFC 3261 §14.1)."""
        blocked = not self.idle or self._is_blocked()
        if self._waiting is None or blocked or self._holding_off or self._closed:
            return
        context = self._context
        request = self._dialog.build("INVITE")
        request.headers.add("Contact", context.contact)
        request.headers.add("Allow", ALLOW)
        request.headers.add("Supported", SUPPORTED)
        self._timer.ask(request)
        request.headers.add("Content-Type", SESSION_DESCRIPTION)
        request.body = self._sent = self._waiting
        self._waiting, self._sent_refreshes = None, self._waiting_refreshes
        self._ours = InviteClient(
            context.endpoint,
            self,
            request,
            next_hop=self._dialog.next_hop,
            local=context.local,
            sequence=context.sequence,
            credentials=context.credentials(),
        )
        self._ours.start(now)

    def on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        """Wait on: a re-INVITE's progress concerns nobody."""

    def dialog_of(self, response: Response, flow: Flow) -> Dialog:
        """Follow the Contact of the 2xx; the dialog stays what it is."""
        self._dialog.refresh_target(response)
        self._dialog.heard_from(response, flow)
        return self._dialog

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """A longer session interval mends a 422."""
        return self._timer.amended(request, response, cseq)

    def on_redirect(self, response: Response, now: float) -> bool:
        """A dialog is not sent elsewhere: that is a refusal."""
        return False

    def on_success(self, response: Response, dialog: Dialog, flow: Flow, now: float) -> None:
        """Our offer was accepted."""
        if self._closed:
            self._on_over()
            return
        self._timer.take_success(response, now)
        if self._ours is not None and self._ours.failed_here:
            self.refresh(now)  # its failure has been told: both sides go back to what was agreed on before
            return
        if self._waiting is None:  # else what waits takes its place, and may be that we have moved
            self._context.described = self._sent
        if self._waiting is None or not self._sent_refreshes:  # else it would be taken for one to the offer that waits
            self._context.endpoint.emit(SessionAnswered(self._context.session, session_body(response), flow))
        self.send_waiting(now)

    def on_failure(self, status: int, reason: str, now: float) -> None:
        """Our offer was not accepted: try again, give it up, or give the session up."""
        if self._closed:
            self._on_over()
            return
        if status in (408, 481):
            self._on_dead(status, reason, now)
        elif status == 491 and self._glares < MAX_GLARES:
            self._glares += 1
            if self._waiting is None:
                self._waiting, self._waiting_refreshes = self._sent, self._sent_refreshes
            self._holding_off = True
            self._retry = self._context.endpoint.timers.start(now + self._glare_delay_s(), self._try_again)
        else:
            self._timer.refused(now)
            if self._waiting is None and not self._sent_refreshes:
                by: Literal["local", "remote"] = "remote"
                if self._ours is not None and self._ours.failed_here:
                    by = "local"
                self._context.endpoint.emit(SessionReofferFailed(self._context.session, status, reason, by))
            self.send_waiting(now)

    def _try_again(self, now: float) -> None:
        self._holding_off = False
        self.send_waiting(now)

    def _glare_delay_s(self) -> float:
        # RFC 3261 §14.1: the owner of the Call-ID waits longer, in units of 10 ms, so that the two don't meet again.
        random = self._context.endpoint.random
        return random.randint(210, 400) / 100 if self._context.owns_call_id else random.randint(0, 200) / 100

    # ---- theirs ----

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a re-INVITE (RFC 3261 §14.2)."""
        endpoint = self._context.endpoint
        if self._theirs is not None and not self._theirs.answered:
            seconds = str(endpoint.random.randint(0, 10))
            endpoint.respond(transaction, 500, now, headers=(("Retry-After", seconds),))
            return
        if self._ours_pending or self.awaiting_ack or self._is_blocked():
            endpoint.respond(transaction, 491, now)
            return
        self._dialog.refresh_target(transaction.request)
        self._dialog.heard_from(transaction.request, transaction.flow)
        self._theirs = InviteServer(endpoint, transaction, self._on_unacknowledged)
        transaction.on_cancel = self._on_cancel
        self._theirs.progress(endpoint.response(transaction.request, 100), now)
        endpoint.emit(SessionReoffered(self._context.session, session_body(transaction.request)))

    def accept(self, body: bytes, now: float) -> None:
        """Answer the re-INVITE with 200. One that was cancelled meanwhile is no error."""
        if self._theirs is not None and not self._theirs.answered:
            response = self._context.endpoint.response(self._theirs.request, 200)
            response.headers.add("Contact", self._context.contact)
            response.headers.add("Content-Type", SESSION_DESCRIPTION)
            response.body = self._context.described = body
            self._timer.answer(self._theirs.request, response, now)
            self._theirs.accept(response, now)

    def reject(self, status: int, now: float, warning_text: str = "") -> None:
        """Refuse the re-INVITE; the session goes on as it was. One that was cancelled meanwhile is no error."""
        if self._theirs is not None and not self._theirs.answered:
            response = self._context.endpoint.response(self._theirs.request, status)
            warn(response.headers, self._context.local.host, warning_text)
            self._theirs.refuse(response, now)
            self.send_waiting(now)

    def on_ack(self, ack: Request, now: float) -> bool:
        """Take an ACK; False when it is not for a re-INVITE."""
        if self._theirs is None or self._theirs.request.cseq.number != ack.cseq.number:
            return False
        if self._theirs.awaiting_ack:
            self._theirs.stop()
            if not self._closed:
                self._context.endpoint.emit(SessionConfirmed(self._context.session, session_body(ack)))
            self.send_waiting(now)
        return True

    def close(self, now: float, *, by_peer: bool) -> None:
        """End with the session. After the peer's BYE no ACK is waited for."""
        self._waiting = None
        self._context.endpoint.timers.stop(self._retry)
        self.reject(487, now)
        if by_peer and self._theirs is not None:
            self._theirs.stop()
        self._closed = True

    def _on_cancel(self, now: float) -> None:
        self.reject(487, now)
