"""Changes to a session without a re-INVITE: UPDATE in both directions (RFC 3311), and offers that come in a PRACK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from voip_engine.sip.effects import SessionAnswered, SessionReoffered, SessionReofferFailed
from voip_engine.sip.endpoint import ALLOW, SESSION_DESCRIPTION, SUPPORTED, session_body
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.warning import warn
from voip_engine.sip.plain_words import plain_reason, refusal_reason
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.transactions.transaction_layer import ServerTransaction


class Updates:
    """The UPDATEs of one session. `on_dead(status, reason, now)`: the other side has no such dialog any more.

    `on_unsupported(now)`: a refresh has to go another way. `on_agreed(dialog, described)`: an offer was accepted, from
    whichever side; `described` is our session description of the two.
    """

    def __init__(
        self,
        context: SessionContext,
        requests: DialogRequests,
        timer: SessionTimer,
        *,
        on_dead: Callable[[int, str, float], None],
        on_unsupported: Callable[[float], None],
        on_agreed: Callable[[Dialog, bytes], None],
    ) -> None:
        self._context = context
        self._requests = requests
        self._timer = timer
        self._on_dead = on_dead
        self._on_unsupported = on_unsupported
        self._on_agreed = on_agreed
        self._theirs: ServerTransaction | None = None
        self._dialog: Dialog | None = None
        self._closed = False
        self.offering = False
        """Whether an offer of ours is out."""

    @property
    def asked(self) -> bool:
        """Whether an offer of theirs waits for its answer."""
        return self._theirs is not None

    # ---- theirs ----

    def receive(self, transaction: ServerTransaction, dialog: Dialog, now: float, *, ours: bool, theirs: bool) -> None:
        """Take an UPDATE or PRACK. `ours` and `theirs` say whose offer is still unanswered (RFC 3311 §5.2)."""
        endpoint, request = self._context.endpoint, transaction.request
        offer = session_body(request)
        if self.asked or (offer is not None and theirs):
            seconds = str(endpoint.random.randint(0, 10))
            endpoint.respond(transaction, 500, now, headers=(("Retry-After", seconds),))
        elif offer is not None and (ours or self.offering):
            endpoint.respond(transaction, 491, now)
        else:
            self._theirs, self._dialog = transaction, dialog
            if offer is None:
                self.accept(None, now)
            else:
                endpoint.emit(SessionReoffered(self._context.session, offer, dialog.remote.tag or ""))

    def accept(self, body: bytes | None, now: float) -> None:
        """Answer what waits for it."""
        if self._theirs is None or self._dialog is None:
            return
        transaction, self._theirs = self._theirs, None
        response = self._context.endpoint.response(transaction.request, 200)
        if transaction.request.method == "UPDATE":
            self._dialog.refresh_target(transaction.request)
            self._dialog.heard_from(transaction.request, transaction.flow)
            response.headers.add("Contact", self._context.contact)
            response.headers.set("Allow", ALLOW)
            response.headers.set("Supported", SUPPORTED)
            self._timer.answer(transaction.request, response, now)
        if body is not None:
            response.headers.add("Content-Type", SESSION_DESCRIPTION)
            response.body = self._context.described = body
            self._on_agreed(self._dialog, body)
        self._context.endpoint.transactions.respond(transaction, response, now)

    def reject(self, status: int, now: float, warning_text: str = "") -> None:
        """Refuse what waits for an answer; the session goes on as it was."""
        if self._theirs is not None:
            transaction, self._theirs = self._theirs, None
            response = self._context.endpoint.response(transaction.request, status)
            warn(response.headers, self._context.local.host, warning_text)
            self._context.endpoint.transactions.respond(transaction, response, now)

    def close(self, now: float) -> None:
        """End with the session, and let go of it."""
        self._closed = True
        self.reject(487, now)
        self._on_dead = self._on_unsupported = self._on_agreed = _ignore

    # ---- ours ----

    def offer(self, dialog: Dialog, body: bytes, now: float) -> None:
        """Send an offer, told of as `SessionAnswered` or `SessionReofferFailed`."""
        self.offering = True
        request = self._build(dialog)
        request.headers.add("Content-Type", SESSION_DESCRIPTION)
        request.body = body

        def on_final(status: int, response: Response | None, now: float) -> None:
            self.offering = False
            if self._closed:
                return
            if response is not None and status < 300:
                dialog.refresh_target(response)
                self._context.described = body
                self._on_agreed(dialog, body)
                self._context.endpoint.emit(SessionAnswered(self._context.session, session_body(response)))
            else:
                failed = SessionReofferFailed(self._context.session, status, plain_reason(status), "local")
                if response is not None:
                    failed = replace(failed, reason=refusal_reason(request, response), by="remote")
                self._context.endpoint.emit(failed)

        self._requests.send(dialog, request, now, on_final)

    def refresh(self, dialog: Dialog, now: float) -> None:
        """Ask whether the other side is still there, changing nothing (RFC 4028 §7.4)."""
        request = self._build(dialog)
        self._timer.ask(request)
        self._send_refresh(dialog, request, now)

    def _send_refresh(self, dialog: Dialog, request: Request, now: float) -> None:
        def on_final(status: int, response: Response | None, now: float) -> None:
            if self._closed:
                return
            if response is not None and status < 300:
                dialog.refresh_target(response)
                self._timer.take_success(response, now)
            elif status in (408, 481):
                self._on_dead(status, plain_reason(status), now)
            elif status in (405, 501):
                dialog.methods = dialog.methods - {"UPDATE"}
                self._on_unsupported(now)
            else:
                again = None
                if response is not None:
                    again = self._timer.amended(request, response, self._context.sequence.number + 1)
                if again is None:
                    self._timer.refused(now)
                else:
                    self._context.sequence.next()
                    self._send_refresh(dialog, again, now)

        self._requests.send(dialog, request, now, on_final)

    def _build(self, dialog: Dialog) -> Request:
        request = dialog.build("UPDATE")
        request.headers.add("Contact", self._context.contact)
        request.headers.add("Allow", ALLOW)
        request.headers.add("Supported", SUPPORTED)
        return request


def _ignore(*_: object) -> None:
    """The session is over."""
