"""One call's signalling: from the first INVITE to the last BYE, whichever side sends which (RFC 3261 §13, §15).

```
ours:   CALLING ─ 2xx ─► UP          theirs:   CALLED ─ answer ─► UP          any ─► ENDED
        Placing          Reoffers              Ringing           Reoffers
                 Updates                                Updates
```
ENDED means that the engine has been told; what is still done then is `ending`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.sip.admission.rate_limit import TokenBucket
from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionProgressed
from voip_engine.sip.endpoint import session_body
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.ending import Ending
from voip_engine.sip.sessions.participants import Participants
from voip_engine.sip.sessions.placing import Placing
from voip_engine.sip.sessions.reoffers import Reoffers
from voip_engine.sip.sessions.ringing import Ringing
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_features import SessionFeatures
from voip_engine.sip.sessions.session_index import SessionIndex
from voip_engine.sip.sessions.session_state import Phase, SessionState
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.sessions.updates import Updates
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

REQUESTS_PER_S = 20.0
REQUESTS_AT_ONCE = 60
"""What is taken within one call: keys by INFO come several a second, and nothing comes more often."""


class SessionStateError(RuntimeError):
    """A command that a session in this state cannot carry out."""


class Session:
    """One session. Make it with `place` or `take`."""

    def __init__(self, context: SessionContext, index: SessionIndex, phase: Phase, source: str) -> None:
        self._context = context
        self._endpoint = context.endpoint
        self._index = index
        self._state = SessionState(phase)
        self._participants = Participants(source)
        self._bucket = TokenBucket(REQUESTS_PER_S, REQUESTS_AT_ONCE)
        self._requests = DialogRequests(context, lambda now: self._ending.settle())
        self._timer = SessionTimer(
            context.endpoint.timers,
            context.endpoint.random,
            context.endpoint.session_timer_s,
            on_refresh=self._refresh,
            on_expired=lambda now: self._ending.on_expired(now),
        )
        self._updates = Updates(
            context,
            self._requests,
            self._timer,
            on_dead=lambda status, reason, now: self._ending.on_dead(status, reason, now),
            on_unsupported=self._refresh_by_reinvite,
            on_agreed=self._note_update,
        )
        self.features = SessionFeatures(
            context, self._requests, lambda: self._state.dialog if self.phase is Phase.UP else None
        )
        """What the dialog carries besides the call."""
        self._ending = Ending(
            context,
            self._state,
            requests=self._requests,
            timer=self._timer,
            updates=self._updates,
            features=self.features,
            forget=lambda: index.remove(self),
        )

    @property
    def id(self) -> str:
        """The session's name towards the engine."""
        return self._context.session

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._state.phase

    @property
    def half_open(self) -> bool:
        """Whether a call of theirs waits for our answer, or our answer for their ACK."""
        return self.phase is Phase.CALLED or self._state.answer_unacknowledged

    @property
    def parties(self) -> tuple[str, ...]:
        """The hosts that have a part in the session: those that were heard in it, its Contact, its routes."""
        early = self._state.early
        return self._participants.hosts(self._state.dialog or (early.dialog if early is not None else None))

    @classmethod
    def place(
        cls,
        context: SessionContext,
        index: SessionIndex,
        request: Request,
        next_hop: NextHop,
        now: float,
        alternative: bytes | None,
    ) -> Session:
        """Place a call with this INVITE, or with the alternative to its offer."""
        session = cls(context, index, Phase.CALLING, next_hop.host)
        session._state.placing = Placing(
            context,
            session._requests,
            session._timer,
            session,
            request=request,
            alternative=alternative,
            next_hop=next_hop,
            now=now,
        )
        return session

    @classmethod
    def take(cls, context: SessionContext, index: SessionIndex, transaction: ServerTransaction, now: float) -> Session:
        """Take the call that an INVITE offers: 100 at once (RFC 3261 §8.2.6.1), the rest when the engine says so."""
        session = cls(context, index, Phase.CALLED, transaction.flow.remote_host)
        ringing = session._state.ringing = Ringing(context, transaction, session._timer, session._ending, now)
        transaction.on_cancel = session._ending.on_cancel
        session._adopt(ringing.dialog)
        return session

    # ---- commands ----

    def ring(self, body: bytes | None, now: float) -> None:
        """Send 180, or 183 with a body. Raises SessionStateError."""
        ringing = self._unanswered("ring")
        if ringing is not None:
            ringing.ring(body, now)

    def answer(self, body: bytes, now: float) -> None:
        """Send 200. Raises SessionStateError."""
        ringing = self._unanswered("be answered")
        if ringing is not None:
            self._state.phase = Phase.UP
            ringing.answer(body, now)

    def reject(self, status: int, reason: str | None, now: float, warning_text: str = "") -> None:
        """Refuse the call. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        ringing = self._unanswered("be rejected")
        if ringing is not None:
            self._ending.reject(ringing, status, reason, warning_text, now)

    def hang_up(self, now: float) -> None:
        """End the session, by CANCEL, refusal or BYE; ended already is no error."""
        self._ending.hang_up(now)

    def redirect(
        self, target: SipUri, hops: tuple[NextHop, ...], local: LocalAddress, contact: LocalAddress, now: float
    ) -> None:
        """Place the call anew, at one of the addresses that `SessionRedirected` named. Raises SessionStateError."""
        if self.phase is Phase.ENDED:
            return
        placing = self._state.placing
        if placing is None or not placing.undecided:
            raise SessionStateError("This call cannot go on elsewhere: nobody has sent it on.")
        for hop in hops:
            self._participants.hear(hop.host)
        placing.redirect(target, hops, local, contact, now)

    def reoffer(self, offer: bytes, now: float) -> None:
        """Send an offer in a re-INVITE as soon as nothing stands in its way.

        Before the answer it goes in an UPDATE, if one can be sent (RFC 3311 §5.1). Raises SessionStateError.
        """
        early = self._state.early
        if self.phase is Phase.CALLING and early is not None and early.settled and "UPDATE" in early.dialog.methods:
            if self._updates.offering or self._updates.asked:
                raise SessionStateError("This call cannot be changed now: another change is under way.")
            self._updates.offer(early.dialog, offer, now)
        elif (reoffers := self._established()) is not None:
            reoffers.offer(offer, now)

    def move(self, offer: bytes, local: LocalAddress, contact: Callable[[str, bool], str], now: float) -> None:
        """Send from `local` from now on, be reached at `contact(user, secure)`, and tell so with this offer.

        Raises SessionStateError.
        """
        reoffers = self._established()
        if reoffers is not None:
            uri = NameAddress.parse(self._context.contact).uri
            self._context.local = local
            self._context.contact = contact(uri.user or "", uri.scheme == "sips")
            self._context.described = offer  # even if they refuse it: nothing that comes after may name the old address
            reoffers.offer(offer, now)

    def accept_reoffer(self, body: bytes, now: float) -> None:
        """Answer their re-INVITE or UPDATE. Raises SessionStateError."""
        if self._updates.asked:
            self._updates.accept(body, now)
            self._send_waiting(now)
        elif (reoffers := self._established()) is not None:
            reoffers.accept(body, now)

    def reject_reoffer(self, status: int, now: float, warning_text: str = "") -> None:
        """Refuse their re-INVITE or UPDATE. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        if self._updates.asked:
            self._updates.reject(status, now, warning_text)
            self._send_waiting(now)
        elif (reoffers := self._established()) is not None:
            reoffers.reject(status, now, warning_text)

    # ---- their requests within the dialog ----

    def admits(self, request: Request, flow: Flow) -> bool:
        """Whether a request within a dialog of ours may come from there."""
        return self._participants.include(flow.remote_host, self._state.dialog_of(request))

    def has_room(self, request: Request, now: float) -> bool:
        """Whether one more request within the dialog is taken now; the one that ends it always is."""
        return self._bucket.take(now) or (request.method == "BYE" and self.phase is not Phase.ENDED)

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request within the dialog whose CSeq is in order."""
        self.features.learn(transaction.request.headers, transaction.flow, now)
        reoffers = self._state.reoffers
        match transaction.request.method:
            case "REFER" | "NOTIFY" | "INFO":
                self.features.receive(transaction, now)
            case "BYE":
                self._ending.on_bye(transaction, now)
            case "UPDATE":
                self._on_update(transaction, now)
            case "PRACK":
                self._on_prack(transaction, now)
            case "INVITE" if self.phase is Phase.ENDED:
                self._endpoint.respond(transaction, 481, now)
            case "INVITE" if self._state.refusable is not None:
                # RFC 3261 §14.2: the first one has no final response yet.
                self._endpoint.respond(transaction, 500, now, headers=(("Retry-After", "5"),))
            case "INVITE" if self.phase is Phase.UP and reoffers is not None:
                reoffers.receive(transaction, now)
            case "INVITE":
                self._endpoint.respond(transaction, 491, now)
            case _:
                self._endpoint.respond(transaction, 200, now)

    def take_cseq(self, request: Request) -> bool:
        """Note the request's number; False when it came out of order."""
        dialog = self._state.dialog_of(request)
        return dialog is None or dialog.take_cseq(request.cseq.number)

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK for a 2xx of ours."""
        ringing, reoffers = self._state.ringing, self._state.reoffers
        if ringing is not None and ringing.cseq == ack.cseq.number:
            if not ringing.take_ack():
                return
            if self.phase is Phase.UP:
                self._endpoint.emit(SessionConfirmed(self.id, session_body(ack)))
                self._send_waiting(now)
        elif reoffers is not None:
            reoffers.on_ack(ack, now)
        self._ending.on_acknowledged(now)

    def _on_prack(self, transaction: ServerTransaction, now: float) -> None:
        ringing = self._state.ringing
        try:
            known = ringing is not None and ringing.acknowledge(transaction.request, now)
        except MalformedHeader:
            self._endpoint.respond(transaction, 400, now)
            return
        if known:
            self._on_update(transaction, now)
        else:
            self._endpoint.respond(transaction, 481, now)

    def _on_update(self, transaction: ServerTransaction, now: float) -> None:
        dialog = self._state.dialog_of(transaction.request)
        if self.phase is Phase.ENDED or dialog is None:
            self._endpoint.respond(transaction, 481, now)
            return
        reoffers, ringing = self._state.reoffers, self._state.ringing
        ours = (reoffers is not None and reoffers.offering) or (ringing is not None and ringing.awaiting_answer)
        theirs = (reoffers is not None and reoffers.asked) or (ringing is not None and not ringing.described)
        if self.phase is Phase.CALLING:
            early = self._state.early_of(dialog.remote.tag)
            ours = early is None or early.answer is None
        self._updates.receive(transaction, dialog, now, ours=ours, theirs=theirs)

    # ---- how our INVITE goes ----

    def on_branch(self, dialog: Dialog) -> None:
        """File an early dialog, for requests may come within it."""
        self._index.add_dialog(dialog.id, self)

    def on_restart(self) -> None:
        """Forget the early dialogs of an INVITE that is over."""
        self._index.drop_dialogs(self)

    def on_progress(self, response: Response, flow: Flow, now: float) -> None:
        """Tell of a 1xx."""
        self._participants.hear(flow.remote_host)
        early = self._state.early_of(response.to.tag)
        body = session_body(response) if early is None or early.agreed is None else None
        self._endpoint.emit(SessionProgressed(self.id, response.status, response.reason, body))
        self.features.learn(response.headers, flow, now)

    def on_placed(self, response: Response, dialog: Dialog, answer: bytes | None, flow: Flow, now: float) -> None:
        """Go up with the first 2xx."""
        self._state.phase = Phase.UP
        self._participants.hear(flow.remote_host)
        self._index.drop_dialogs(self)
        self._adopt(dialog)
        dialog.note_abilities(response)
        self._timer.take_success(response, now)
        if self._state.placing is not None:
            self._context.described = self._state.placing.described_to(dialog)
        self._endpoint.emit(SessionAnswered(self.id, answer, flow, dialog.remote.tag or ""))
        self.features.learn(response.headers, flow, now)

    def on_surplus(self, dialog: Dialog, now: float) -> None:
        """Hang up on further branches, and on answers that come after hanging up."""
        self._ending.on_surplus(dialog, now)

    def on_not_placed(self, status: int, reason: str, now: float) -> None:
        """End with the reason why the call did not come about."""
        here = self._state.placing is not None and self._state.placing.failed_here
        self._ending.on_not_placed(status, reason, here=here, now=now)

    # ---- odds ----

    def _adopt(self, dialog: Dialog) -> None:
        self._state.dialog = dialog
        self._index.add_dialog(dialog.id, self)
        self._state.reoffers = Reoffers(
            self._context,
            dialog,
            self._timer,
            on_dead=self._ending.on_dead,
            on_unacknowledged=self._ending.on_unacknowledged,
            on_over=self._ending.settle,
            is_blocked=lambda: self._state.answer_unacknowledged or self._updates.offering or self._updates.asked,
        )

    def _send_waiting(self, now: float) -> None:
        if self._state.reoffers is not None:
            self._state.reoffers.send_waiting(now)

    def _refresh(self, now: float) -> None:
        dialog = self._state.dialog
        if dialog is not None and "UPDATE" in dialog.methods:
            self._updates.refresh(dialog, now)
        else:
            self._refresh_by_reinvite(now)

    def _refresh_by_reinvite(self, now: float) -> None:
        if self._state.reoffers is not None:
            self._state.reoffers.refresh(now)

    def _note_update(self, dialog: Dialog, described: bytes) -> None:
        if self._state.placing is not None:
            self._state.placing.early.note_update(dialog, described)

    def _unanswered(self, what: str) -> Ringing | None:
        if self.phase is Phase.ENDED:
            return None
        ringing = self._state.ringing
        if self.phase is not Phase.CALLED or ringing is None:
            raise SessionStateError(f"This call cannot {what}: it is not one that waits for an answer.")
        return ringing

    def _established(self) -> Reoffers | None:
        if self.phase is Phase.ENDED:
            return None
        reoffers = self._state.reoffers
        if self.phase is not Phase.UP or reoffers is None:
            raise SessionStateError("This call cannot be changed: it is not up yet.")
        return reoffers


def _check_refusal(status: int) -> None:
    if not 300 <= status <= 699:
        raise ValueError(f"Status {status} refuses nothing; use one from 300 to 699.")
