"""What becomes of what comes in: parsed, let through, and taken where it belongs.

```
receive ─ parse ─┬ response ─► client transaction ─► InviteClient, BYE, Registration
                 └ request ─┬ known ─► server transaction (absorbed, or the last response again)
                            ├ ACK, CANCEL ─► what they belong to
                            └ new ─ checks ─┬ dialog ─► Session
                                            ├ INVITE ─► new Session ─► SessionInvited
                                            └ OPTIONS ─► 200
```
"""

from __future__ import annotations

from voip_engine.sip.effects import MessageRejected, SendOnFlow, SessionInvited
from voip_engine.sip.endpoint import ACCEPT, Endpoint, session_body
from voip_engine.sip.flow import Flow, LocalAddress
from voip_engine.sip.gate import Gate
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.messages.message import MalformedMessage, Request, Response, parse_message
from voip_engine.sip.messages.referral_headers import read_referred_by
from voip_engine.sip.registrations.account_book import AccountBook
from voip_engine.sip.registrations.mailbox import Mailboxes
from voip_engine.sip.request_checks import find_refusal, is_for_us_to_parse
from voip_engine.sip.sessions.dialog import Sequence
from voip_engine.sip.sessions.replacing import find_replaced
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_index import SessionIndex, dialog_id
from voip_engine.sip.transactions.return_path import note_source, reply_path
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

OVERLOAD_RETRY_S = 10


class Intake:
    """Takes messages for one core. Beyond `capacity` sessions, and of a full transaction layer, callers hear 503."""

    def __init__(
        self,
        endpoint: Endpoint,
        sessions: SessionIndex,
        gate: Gate,
        accounts: AccountBook,
        mailboxes: Mailboxes,
        *,
        capacity: int,
    ) -> None:
        self._endpoint = endpoint
        self._sessions = sessions
        self._gate = gate
        self._accounts = accounts
        self._mailboxes = mailboxes
        self._capacity = capacity

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """Take one datagram, or one message that framing cut out of a stream."""
        if not is_for_us_to_parse(data):
            return
        known = self._gate.knows(flow, now)
        if not known and not self._gate.concerns_us(data, flow):
            return
        try:
            message = parse_message(data, stream=flow.transport != "UDP")
        except MalformedMessage as error:
            self._reject(error.request if known else None, error.status, error.reason, flow)
            self._gate.hush(flow, known=known)
            return
        if isinstance(message, Response):
            taken = self._receive_response(message, flow, now)
        else:
            note_source(message, flow)
            taken = self._receive_request(message, flow, now)
        if taken:
            self._gate.let_in(flow, known=known)

    def framing_failed(self, error: FramingError, flow: Flow, now: float) -> None:
        """Answer a stream that cannot be cut into messages, if what came allows an answer."""
        try:
            message: Request | Response | None = parse_message(error.head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        except MalformedMessage as malformed:
            message = malformed.request
        known = self._gate.knows(flow, now)
        request = message if known and isinstance(message, Request) and message.method != "ACK" else None
        self._reject(request, error.status, error.reason, flow)
        self._gate.hush(flow, known=known)

    def _receive_response(self, response: Response, flow: Flow, now: float) -> bool:
        # RFC 3261 §8.1.3.3: more than our own Via means that it was meant for somebody else.
        if len(response.vias) == 1 and self._endpoint.transactions.receive_response(response, flow, now):
            return True
        reason = f"a {response.status} for {response.cseq.method} answers nothing that was asked"
        self._endpoint.emit(MessageRejected(flow, reason))
        return False

    def _receive_request(self, request: Request, flow: Flow, now: float) -> bool:
        """Take a request; False if it was not let in, or is nothing new."""
        transactions = self._endpoint.transactions
        known = transactions.find(request)
        if known is not None and known.belongs(request):
            known.receive(request.method, now)
            if request.method != "ACK":
                return False
        elif known is not None and request.method != "ACK":
            self._endpoint.emit(MessageRejected(flow, "a request has the branch of another call's"))
            return False
        if self._gate.is_foreign(request, flow, now, self._answer_stateless):
            return False
        if request.method == "ACK":
            session = self._sessions.find(dialog_id(request))
            if session is not None:
                session.on_ack(request, now)
            return session is not None
        if self._gate.turns_away(request, flow, now, self._answer_stateless):
            return False
        transaction = transactions.open(request, flow, now)
        if transaction is None:
            self._turn_away(request, flow)
        elif request.method == "CANCEL":
            self._on_cancel(transaction, now)
        else:
            self._on_request(transaction, now)
        return True

    def _on_cancel(self, transaction: ServerTransaction, now: float) -> None:
        """Answer a CANCEL, and take back the INVITE it names if that is not answered yet (RFC 3261 §9.2)."""
        invite = self._endpoint.transactions.find(transaction.request, "INVITE")
        if invite is None or not invite.belongs(transaction.request):
            self._endpoint.respond(transaction, 481, now)
            return
        # With the tag of the INVITE's responses: peers take the latest for the dialog's, even after they were answered.
        self._endpoint.respond(transaction, 200, now, to_tag=invite.to_tag)
        if invite.on_cancel is not None and not invite.answered:
            invite.on_cancel(now)

    def _on_request(self, transaction: ServerTransaction, now: float) -> None:
        endpoint, request = self._endpoint, transaction.request
        refusal = find_refusal(request, merged=endpoint.transactions.is_merged(transaction))
        if refusal is not None:
            status, headers = refusal
            endpoint.respond(transaction, status, now, headers=headers)
        elif request.to.tag is not None:
            session = self._sessions.find(dialog_id(request))
            if session is None:
                self._on_stray(transaction, now)
            elif not session.take_cseq(request):
                endpoint.respond(transaction, 500, now)
            else:
                session.receive(transaction, now)
        elif request.method == "INVITE":
            self._on_invite(transaction, now)
        elif request.method == "OPTIONS":
            endpoint.respond(transaction, 200, now, headers=(("Accept", ACCEPT),))
        else:
            self._on_stray(transaction, now)

    def _on_stray(self, transaction: ServerTransaction, now: float) -> None:
        """Take what belongs to no call: the NOTIFY of a mailbox, and nothing else."""
        request = transaction.request
        account = self._accounts.called_by(request, transaction.flow, now)
        config = self._accounts.config(account)
        if request.method != "NOTIFY" or not self._mailboxes.receive(transaction, config, now):
            self._endpoint.respond(transaction, 481, now)

    def _on_invite(self, transaction: ServerTransaction, now: float) -> None:
        endpoint, request, flow = self._endpoint, transaction.request, transaction.flow
        if len(self._sessions) >= self._capacity:
            endpoint.respond(transaction, 503, now, headers=(("Retry-After", str(OVERLOAD_RETRY_S)),))
            return
        replaced = find_replaced(self._sessions, request.headers)
        if isinstance(replaced, int):
            endpoint.respond(transaction, replaced, now)
            return
        local = LocalAddress(flow.transport, flow.local_host, flow.local_port)
        if flow.transport != "UDP":
            local = endpoint.listening_address(flow.transport, flow.local_host, flow.local_port)
        account = self._accounts.called_by(request, flow, now)
        context = SessionContext(
            endpoint=endpoint,
            session=self._sessions.name_for(request.call_id),
            local=local,
            contact=self._accounts.contact(account, request.uri.user or "", local, request.uri.scheme == "sips"),
            credentials=self._accounts.credentials(account),
            sequence=Sequence(),
            owns_call_id=False,
        )
        session = Session.take(context, self._sessions, transaction, now)
        self._sessions.add(session)
        self._gate.rings(session.id, flow)
        endpoint.emit(
            SessionInvited(
                session.id,
                request,
                request.from_,
                request.to,
                account,
                session_body(request),
                flow,
                asserted=session.features.introduce(request.headers, flow, now),
                replaces=None if replaced is None else replaced.id,
                referred_by=read_referred_by(request.headers),
            )
        )

    def _reject(self, request: Request | None, status: int, reason: str, flow: Flow) -> None:
        """Answer what is malformed, without keeping any state of it (RFC 3261 §8.2.7)."""
        if request is not None:
            note_source(request, flow)
            self._answer_stateless(request, status, flow, ())
        self._endpoint.emit(MessageRejected(flow, reason))

    def _turn_away(self, request: Request, flow: Flow) -> None:
        self._answer_stateless(request, 503, flow, (("Retry-After", str(OVERLOAD_RETRY_S)),))

    def _answer_stateless(
        self, request: Request, status: int, flow: Flow, headers: tuple[tuple[str, str], ...]
    ) -> None:
        response = self._endpoint.response(request, status, to_tag=self._endpoint.token())
        for name, value in headers:
            response.headers.add(name, value)
        self._endpoint.emit(SendOnFlow(response.serialize(), *reply_path(request.vias[0], flow)))
