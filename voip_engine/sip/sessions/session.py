"""One call's signalling: from the first INVITE to the last BYE, whichever side sends which (RFC 3261 §13, §15).

```
ours:   CALLING ─ 2xx ─► UP          theirs:   CALLED ─ answer ─► UP          any ─► ENDED
        Placing          Reoffers              Ringing           Reoffers
                 Updates                                Updates
```
ENDED means that the engine has been told. What RFC 3261 still wants done then (CANCEL, BYE, the ACK that must come
before a BYE may go out) is done without another word.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from voip_engine.sip.admission.rate_limit import TokenBucket
from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionEnded, SessionProgressed
from voip_engine.sip.endpoint import session_body
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.plain_words import (
    CANCELLED_THERE,
    HUNG_UP_HERE,
    HUNG_UP_THERE,
    NO_ACKNOWLEDGEMENT,
    SESSION_EXPIRED,
    VANISHED,
    rejected_here,
)
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.placing import Placing
from voip_engine.sip.sessions.reachability import has_part
from voip_engine.sip.sessions.reoffers import Reoffers
from voip_engine.sip.sessions.ringing import Ringing
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_features import SessionFeatures
from voip_engine.sip.sessions.session_index import SessionIndex
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.sessions.updates import Updates
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

MAX_SOURCES = 32
"""How many hosts that have spoken in a call are remembered."""
REQUESTS_PER_S = 20.0
REQUESTS_AT_ONCE = 60
"""What is taken within one call: keys by INFO come several a second, and nothing comes more often."""


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
        self._placing: Placing | None = None
        self._ringing: Ringing | None = None
        self._dialog: Dialog | None = None
        self._reoffers: Reoffers | None = None
        self._heard: set[str] = set()
        self._bucket = TokenBucket(REQUESTS_PER_S, REQUESTS_AT_ONCE)
        self._requests = DialogRequests(context, lambda now: self._settle())
        self._timer = SessionTimer(
            context.endpoint.timers,
            context.endpoint.random,
            context.endpoint.session_timer_s,
            on_refresh=self._refresh,
            on_expired=self._on_expired,
        )
        self._updates = Updates(
            context,
            self._requests,
            self._timer,
            on_dead=self._on_dead,
            on_unsupported=lambda now: self._reoffers.refresh(now) if self._reoffers is not None else None,
            on_agreed=lambda dialog: self._placing.early.note_update(dialog) if self._placing is not None else None,
        )
        self.features = SessionFeatures(
            context, self._requests, lambda: self._dialog if self.phase is Phase.UP else None
        )
        """What the dialog carries besides the call."""
        self._bye_due = False
        self.phase = phase

    @property
    def id(self) -> str:
        """The session's name towards the engine."""
        return self._context.session

    @property
    def half_open(self) -> bool:
        """Whether a call of theirs waits for our answer, or our answer for their ACK."""
        return self.phase is Phase.CALLED or (self._ringing is not None and self._ringing.awaiting_ack)

    @property
    def parties(self) -> tuple[str, ...]:
        """The hosts that have a part in the session: those that were heard in it, its Contact, its routes."""
        early = self._placing.early.latest if self._placing is not None else None
        return tuple(self._heard.union(_named(self._dialog or (early.dialog if early is not None else None))))

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
        session = cls(context, index, Phase.CALLING)
        session._heard.add(next_hop.host)
        session._placing = Placing(
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
        session = cls(context, index, Phase.CALLED)
        session._heard.add(transaction.flow.remote_host)
        session._ringing = Ringing(context, transaction, session._timer, session, now)
        transaction.on_cancel = session._on_cancel
        session._adopt(session._ringing.dialog)
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
            self.phase = Phase.UP
            ringing.answer(body, now)

    def reject(self, status: int, reason: str | None, now: float, warning_text: str = "") -> None:
        """Refuse the call. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        ringing = self._unanswered("be rejected")
        if ringing is not None:
            ringing.refuse(status, now, reason, warning_text)
            self._end("local", status, rejected_here(status), now)

    def hang_up(self, now: float) -> None:
        """End the session, by CANCEL, refusal or BYE; ended already is no error."""
        if self.phase is Phase.ENDED:
            return
        if self.phase is Phase.CALLING and self._placing is not None:
            refusal = self._placing.give_up(now)
            if refusal is not None:
                self._end("remote", *refusal, now)
                return
        elif self._ringing is not None and self._ringing.refusable:
            self._ringing.refuse(480, now)
        else:
            self._close_exchanges(now, by_peer=False)
            self._bye_when_allowed(now)
        self._end("local", None, HUNG_UP_HERE, now)

    def redirect(
        self, target: SipUri, hops: tuple[NextHop, ...], local: LocalAddress, contact: LocalAddress, now: float
    ) -> None:
        """Place the call anew, at one of the addresses that `SessionRedirected` named. Raises SessionStateError."""
        if self.phase is Phase.ENDED:
            return
        if self._placing is None or not self._placing.undecided:
            raise SessionStateError("This call cannot go on elsewhere: nobody has sent it on.")
        for hop in hops:
            self._hear(hop.host)
        self._placing.redirect(target, hops, local, contact, now)

    def reoffer(self, offer: bytes, now: float) -> None:
        """Send an offer in a re-INVITE as soon as nothing stands in its way.

        Before the answer it goes in an UPDATE, if one can be sent (RFC 3311 §5.1). Raises SessionStateError.
        """
        early = self._placing.early.latest if self._placing is not None else None
        if self.phase is Phase.CALLING and early is not None and early.settled and "UPDATE" in early.dialog.methods:
            if self._updates.offering or self._updates.asked:
                raise SessionStateError("This call cannot be changed now: another change is under way.")
            self._updates.offer(early.dialog, offer, now)
        elif (reoffers := self._established()) is not None:
            reoffers.offer(offer, now)

    def accept_reoffer(self, body: bytes, now: float) -> None:
        """Answer their re-INVITE or UPDATE. Raises SessionStateError."""
        if self._updates.asked:
            self._updates.accept(body, now)
            self._send_waiting(now)
        elif (reoffers := self._established()) is not None:
            reoffers.accept(body, now)

    def reject_reoffer(self, status: int, now: float) -> None:
        """Refuse their re-INVITE or UPDATE. Raises SessionStateError, and ValueError for a status that is no refusal."""
        _check_refusal(status)
        if self._updates.asked:
            self._updates.reject(status, now)
            self._send_waiting(now)
        elif (reoffers := self._established()) is not None:
            reoffers.reject(status, now)

    # ---- their requests within the dialog ----

    def admits(self, request: Request, flow: Flow) -> bool:
        """Whether a request within a dialog of ours may come from there (see `reachability`)."""
        return has_part(flow.remote_host, self._heard, _named(self._dialog_of(request)))

    def has_room(self, request: Request, now: float) -> bool:
        """Whether one more request within the dialog is taken now; the one that ends it always is."""
        return self._bucket.take(now) or (request.method == "BYE" and self.phase is not Phase.ENDED)

    def receive(self, transaction: ServerTransaction, now: float) -> None:
        """Take a request within the dialog whose CSeq is in order."""
        self.features.learn(transaction.request.headers, transaction.flow, now)
        match transaction.request.method:
            case "REFER" | "NOTIFY" | "INFO":
                self.features.receive(transaction, now)
            case "BYE":
                self._on_bye(transaction, now)
            case "UPDATE":
                self._on_update(transaction, now)
            case "PRACK":
                self._on_prack(transaction, now)
            case "INVITE" if self.phase is Phase.ENDED:
                self._endpoint.respond(transaction, 481, now)
            case "INVITE" if self._ringing is not None and self._ringing.refusable:
                # RFC 3261 §14.2: the first one has no final response yet.
                self._endpoint.respond(transaction, 500, now, headers=(("Retry-After", "5"),))
            case "INVITE" if self.phase is Phase.UP and self._reoffers is not None:
                self._reoffers.receive(transaction, now)
            case "INVITE":
                self._endpoint.respond(transaction, 491, now)
            case _:
                self._endpoint.respond(transaction, 200, now)

    def take_cseq(self, request: Request) -> bool:
        """Note the request's number; False when it came out of order."""
        dialog = self._dialog_of(request)
        return dialog is None or dialog.take_cseq(request.cseq.number)

    def on_ack(self, ack: Request, now: float) -> None:
        """Take the ACK for a 2xx of ours."""
        if self._ringing is not None and self._ringing.cseq == ack.cseq.number:
            if not self._ringing.take_ack():
                return
            if self.phase is Phase.UP:
                self._endpoint.emit(SessionConfirmed(self.id, session_body(ack)))
                self._send_waiting(now)
        elif self._reoffers is not None:
            self._reoffers.on_ack(ack, now)
        if self._bye_due:
            self._bye_when_allowed(now)
        self._settle()

    def _on_bye(self, transaction: ServerTransaction, now: float) -> None:
        self._endpoint.respond(transaction, 200, now)
        phase = self.phase
        if phase is Phase.CALLING and self._placing is not None:
            if len(self._placing.early) > 1:
                return  # one branch of a fork gives up; the others may still answer
            self._placing.give_up(now)
        self._bye_due = False
        if self._ringing is not None:
            if self._ringing.refusable:
                self._ringing.refuse(487, now)
            self._ringing.stop()
        self._close_exchanges(now, by_peer=True)
        reason = CANCELLED_THERE if phase is Phase.CALLED else HUNG_UP_THERE
        self._end("remote", None, reason, now)

    def _on_cancel(self, now: float) -> None:
        if self._ringing is not None and self._ringing.refusable and self.phase is not Phase.ENDED:
            self._ringing.refuse(487, now)
            self._end("remote", 487, CANCELLED_THERE, now)

    def _on_prack(self, transaction: ServerTransaction, now: float) -> None:
        try:
            known = self._ringing is not None and self._ringing.acknowledge(transaction.request, now)
        except MalformedHeader:
            self._endpoint.respond(transaction, 400, now)
            return
        if known:
            self._on_update(transaction, now)
        else:
            self._endpoint.respond(transaction, 481, now)

    def _on_update(self, transaction: ServerTransaction, now: float) -> None:
        dialog = self._dialog_of(transaction.request)
        if self.phase is Phase.ENDED or dialog is None:
            self._endpoint.respond(transaction, 481, now)
            return
        early = self._placing.early.find(dialog.remote.tag) if self._placing is not None else None
        reoffers, ringing = self._reoffers, self._ringing
        ours = (reoffers is not None and reoffers.offering) or (ringing is not None and ringing.awaiting_answer)
        theirs = (reoffers is not None and reoffers.asked) or (ringing is not None and not ringing.described)
        if self.phase is Phase.CALLING:
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
        self._hear(flow.remote_host)
        self._endpoint.emit(SessionProgressed(self.id, response.status, response.reason, session_body(response)))
        self.features.learn(response.headers, flow, now)

    def on_placed(self, response: Response, dialog: Dialog, answer: bytes | None, flow: Flow, now: float) -> None:
        """Go up with the first 2xx."""
        self.phase = Phase.UP
        self._hear(flow.remote_host)
        self._index.drop_dialogs(self)
        self._adopt(dialog)
        dialog.note_abilities(response)
        self._timer.take_success(response, now)
        if self._placing is not None:
            self._context.described = self._context.described or self._placing.request.body
        self._endpoint.emit(SessionAnswered(self.id, answer, flow))
        self.features.learn(response.headers, flow, now)

    def on_surplus(self, dialog: Dialog, now: float) -> None:
        """Hang up on further branches, and on answers that come after hanging up."""
        self._bye(dialog, now)
        self._settle()

    def on_not_placed(self, status: int, reason: str, now: float) -> None:
        """End with the reason why the call did not come about."""
        here = self._placing is not None and self._placing.undelivered
        self._end("local" if here else "remote", status, reason, now)

    # ---- the end ----

    def on_given_up(self, status: int, reason: str, now: float) -> None:
        """End a call of theirs that was refused without the engine's say."""
        self._end("local", status, reason, now)

    def on_unacknowledged(self, now: float) -> None:
        """End the session by BYE, because no ACK came for our 2xx (RFC 3261 §13.3.1.4)."""
        self._leave(now)
        self._end("local", None, NO_ACKNOWLEDGEMENT, now)

    def _on_expired(self, now: float) -> None:
        self._leave(now)
        self._end("local", None, SESSION_EXPIRED, now)

    def _on_dead(self, status: int, reason: str, now: float) -> None:
        if status == 481:
            self._close_exchanges(now, by_peer=False)
        else:
            self._leave(now)
        self._end("remote", status, VANISHED, now)

    def _leave(self, now: float) -> None:
        self._close_exchanges(now, by_peer=False)
        self._bye_when_allowed(now)

    def _bye_when_allowed(self, now: float) -> None:
        # RFC 3261 §15: the called side sends no BYE before the ACK came or was given up.
        waiting = self._ringing is not None and self._ringing.awaiting_ack
        self._bye_due = waiting or (self._reoffers is not None and self._reoffers.awaiting_ack)
        if not self._bye_due and self._dialog is not None:
            self._bye(self._dialog, now)

    def _bye(self, dialog: Dialog, now: float) -> None:
        self._requests.send(dialog, dialog.build("BYE"), now)

    def _close_exchanges(self, now: float, *, by_peer: bool) -> None:
        if self._reoffers is not None:
            self._reoffers.close(now, by_peer=by_peer)

    def _end(self, by: Literal["local", "remote"], status: int | None, reason: str, now: float) -> None:
        if self.phase is not Phase.ENDED:
            self.phase = Phase.ENDED
            self._timer.close()
            self._updates.close(now)
            self.features.close(now)
            self._endpoint.emit(SessionEnded(self.id, by, status, reason))
        self._settle()

    def _settle(self) -> None:
        """Be forgotten once nothing more can come that needs this session."""
        ours = self._placing is not None and self._placing.pending
        theirs = self._ringing is not None and self._ringing.pending
        reoffers = self._reoffers is not None and not self._reoffers.idle
        if self.phase is Phase.ENDED and not (ours or theirs or reoffers) and self._requests.idle:
            self._index.remove(self)
            self._let_go()

    def _let_go(self) -> None:
        """Part from the parts, which lead back here: so all is given back at once, not when garbage is collected.

        Besides, an answered INVITE of ours is kept for half a minute, and would keep all this with it.
        """
        if self._placing is not None:
            self._placing.close()
        if self._ringing is not None:
            self._ringing.close()
        self._requests.outlive()
        self._placing = self._ringing = self._reoffers = self._dialog = None

    # ---- odds ----

    def _adopt(self, dialog: Dialog) -> None:
        self._dialog = dialog
        self._index.add_dialog(dialog.id, self)
        self._reoffers = Reoffers(
            self._context,
            dialog,
            self._timer,
            on_dead=self._on_dead,
            on_unacknowledged=self.on_unacknowledged,
            on_over=self._settle,
            is_blocked=self._is_blocked,
        )

    def _is_blocked(self) -> bool:
        unacknowledged = self._ringing is not None and self._ringing.awaiting_ack
        return unacknowledged or self._updates.offering or self._updates.asked

    def _send_waiting(self, now: float) -> None:
        if self._reoffers is not None:
            self._reoffers.send_waiting(now)

    def _refresh(self, now: float) -> None:
        dialog = self._dialog
        if dialog is not None and "UPDATE" in dialog.methods:
            self._updates.refresh(dialog, now)
        elif self._reoffers is not None:
            self._reoffers.refresh(now)

    def _dialog_of(self, request: Request) -> Dialog | None:
        if self._dialog is not None:
            return self._dialog
        early = self._placing.early.find(request.from_.tag) if self._placing is not None else None
        return early.dialog if early is not None else None

    def _hear(self, host: str) -> None:
        if len(self._heard) < MAX_SOURCES:
            self._heard.add(host)

    def _unanswered(self, what: str) -> Ringing | None:
        if self.phase is Phase.ENDED:
            return None
        if self.phase is not Phase.CALLED or self._ringing is None:
            raise SessionStateError(f"This call cannot {what}: it is not one that waits for an answer.")
        return self._ringing

    def _established(self) -> Reoffers | None:
        if self.phase is Phase.ENDED:
            return None
        if self.phase is not Phase.UP or self._reoffers is None:
            raise SessionStateError("This call cannot be changed: it is not up yet.")
        return self._reoffers


def _named(dialog: Dialog | None) -> list[str]:
    """The hosts that a dialog's Contact and routes name."""
    if dialog is None:
        return []
    return [uri.host for uri in (dialog.remote_target, *(route.uri for route in dialog.route_set))]


def _check_refusal(status: int) -> None:
    if not 300 <= status <= 699:
        raise ValueError(f"Status {status} refuses nothing; use one from 300 to 699.")
