"""A call of ours, from its first INVITE to the answer: over forks, challenges, redirections (RFC 3261 §13.2, §8.1.3.4).

An offer that is refused as such is followed by the alternative to it, if there is one, once (§8.1.3.5, §21.4.26).
"""

from __future__ import annotations

from typing import Final, Protocol

from voip_engine.sip.effects import AlternativeOffered, SessionRedirected
from voip_engine.sip.endpoint import contact_header, session_body
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.plain_words import RANG_TOO_LONG, plain_reason
from voip_engine.sip.sessions.dialog import Dialog, strip_for_request
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.early_dialogs import EarlyDialogs
from voip_engine.sip.sessions.invite_client import InviteClient
from voip_engine.sip.sessions.redirects import DECISION_S, REDIRECTIONS, Redirects
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.sessions.stragglers import Stragglers

RING_LIMIT_S = 300.0
"""How long a call may ring, however often the other side says so."""
_OFFER_REFUSED: Final = (415, 488, 606)


class PlacingUser(Protocol):
    """Who wants to know how a call of ours goes."""

    def on_branch(self, dialog: Dialog) -> None:
        """A branch of the fork has a dialog now, an early one."""

    def on_restart(self) -> None:
        """The call is placed anew: what there was of early dialogs is gone."""

    def on_progress(self, response: Response, flow: Flow, now: float) -> None:
        """A 1xx other than 100 came that says something new."""

    def on_placed(self, response: Response, dialog: Dialog, answer: bytes | None, flow: Flow, now: float) -> None:
        """The first 2xx came; the `answer` of its branch may have come before."""

    def on_surplus(self, dialog: Dialog, now: float) -> None:
        """A 2xx came that nobody wants any more."""

    def on_not_placed(self, status: int, reason: str, now: float) -> None:
        """The call did not come about. Told once more, with whatever, after `give_up`."""


class Placing:
    """One call of ours. `live` until it is answered, refused or given up."""

    def __init__(
        self,
        context: SessionContext,
        requests: DialogRequests,
        timer: SessionTimer,
        user: PlacingUser,
        *,
        request: Request,
        alternative: bytes | None,
        next_hop: NextHop,
        now: float,
    ) -> None:
        self._context = context
        self._requests = requests
        self._timer = timer
        self._user = user
        self._alternative = alternative
        self._redirects = Redirects(request.uri)
        self._undecided = 0
        self._refusal = (0, "")
        self._ringing = context.endpoint.timers.start(now + RING_LIMIT_S, self._rang_too_long)
        self.early = EarlyDialogs(requests, user.on_branch)
        self.live = True
        timer.ask(request)
        self._ours = self._send(request, next_hop, now)

    @property
    def request(self) -> Request:
        """The INVITE as last sent."""
        return self._ours.request

    @property
    def pending(self) -> bool:
        """Whether a final response may still come."""
        return not self._ours.answered

    @property
    def failed_here(self) -> bool:
        """Whether the INVITE could not be sent, or the connection that it went by was lost for good."""
        return self._ours.failed_here

    @property
    def undecided(self) -> bool:
        """Whether the engine has been asked where to go on, and has not said."""
        return bool(self._undecided)

    def give_up(self, now: float) -> tuple[int, str] | None:
        """Want the call no more; gives status and reason if a refusal had ended it already, but for a redirection."""
        self._leave()
        if self._undecided:
            self._decided()
            return self._refusal
        self._ours.cancel(now)
        return None

    def redirect(
        self, target: SipUri, hops: tuple[NextHop, ...], local: LocalAddress, contact: LocalAddress, now: float
    ) -> None:
        """Place the call anew at one of the addresses that were told (RFC 3261 §8.1.3.4), by the first hop that takes it."""
        self._decided()
        self._redirects.choose(target)
        context = self._context
        user = NameAddress.parse(context.contact).uri.user
        next_hop, *further = hops
        context.local, context.further = local, tuple(further)
        context.contact = contact_header(user or "", contact, secure=target.scheme == "sips")
        headers = self._ours.request.headers.copy()
        # Credentials were for who asked for them; a route leads where it led before.
        stale = ("Authorization", "Proxy-Authorization") + (() if next_hop == self._ours.next_hop else ("Route",))
        for name in stale:
            headers.remove(name)
        headers.set("Contact", context.contact)
        headers.set("CSeq", f"{context.sequence.next()} INVITE")
        self._start_anew()
        request = Request("INVITE", strip_for_request(target), headers, self._ours.request.body)
        self._ours = self._send(request, next_hop, now)

    def described_to(self, dialog: Dialog) -> bytes:
        """Return our session description that is in force with the branch of this dialog."""
        early = self.early.find(dialog.remote.tag)
        return (early.agreed if early is not None else None) or self._ours.request.body

    def close(self) -> None:
        """Be over for good, but for answers that may still come."""
        transport, sequence = self._ours.next_hop.transport, self._context.sequence
        self._ours.hand_over(lambda invite: Stragglers(self._requests, invite, transport, sequence))

    # ---- how the INVITE goes ----

    def on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        """Tell of a 1xx, and remember the early dialog."""
        if self.early.take(response, self.dialog_of, flow, now) and self.live:
            self._user.on_progress(response, flow, now)

    def dialog_of(self, response: Response, flow: Flow) -> Dialog:
        """Make the dialog of a response; every branch of a fork has its own (RFC 3261 §12.1.2, §13.2.2.4)."""
        hop = self._ours.next_hop
        dialog = Dialog.from_response(self._ours.request, response, hop.transport, self._context.sequence)
        early = self.early.find(response.to.tag)
        if early is not None:
            dialog.remote_cseq = early.dialog.remote_cseq
            dialog.methods = early.dialog.methods
        dialog.heard_from(response, flow)
        return dialog

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """A longer session interval mends a 422, another offer what they could not accept."""
        if response.status not in _OFFER_REFUSED or self._alternative is None:
            return self._timer.amended(request, response, cseq)
        again = Request("INVITE", request.uri, request.headers.copy(), self._alternative)
        again.headers.set("CSeq", f"{cseq} INVITE")
        self._alternative = None
        self._start_anew()
        self._context.endpoint.emit(AlternativeOffered(self._context.session))
        return again

    def on_redirect(self, response: Response, now: float) -> bool:
        """Ask the engine where to go on, if the 3xx names an address that was not tried yet."""
        if response.status not in REDIRECTIONS:
            return False
        self._redirects.take(response)
        return self._ask_where(response.status, plain_reason(response.status, response.reason), now)

    def on_success(self, response: Response, dialog: Dialog, flow: Flow, now: float) -> None:
        """Be answered by the first 2xx; further ones, and those that come too late, are surplus."""
        if not self.live:
            self._user.on_surplus(dialog, now)
            return
        self._leave()
        early = self.early.find(response.to.tag)
        answer = session_body(response) or (early.answer if early else None) or self.early.sole_answer
        if early is not None and early.agreed is not None:
            answer = None  # it is older than what an UPDATE brought
        self._user.on_placed(response, dialog, answer, flow, now)

    def on_failure(self, status: int, reason: str, now: float) -> None:
        """Try what is left of the addresses that the call was sent to, else it did not come about."""
        if status >= 600 or not self._ask_where(status, reason, now):
            self._leave()
            self._user.on_not_placed(status, reason, now)

    # ---- odds ----

    def _start_anew(self) -> None:
        self.early.clear()
        self._user.on_restart()

    def _ask_where(self, status: int, reason: str, now: float) -> bool:
        if not self.live or not self._redirects.targets:
            return False
        self._refusal = (status, reason)
        self._undecided = self._context.endpoint.timers.start(now + DECISION_S, self._stay)
        redirects = self._redirects
        self._context.endpoint.emit(
            SessionRedirected(self._context.session, status, redirects.dialled, redirects.targets)
        )
        return True

    def _stay(self, now: float) -> None:
        self._decided()
        self._leave()
        self._user.on_not_placed(*self._refusal, now)

    def _decided(self) -> None:
        self._context.endpoint.timers.stop(self._undecided)
        self._undecided = 0

    def _rang_too_long(self, now: float) -> None:
        self.give_up(now)
        self._user.on_not_placed(408, RANG_TOO_LONG, now)

    def _leave(self) -> None:
        self.live = False
        self._context.endpoint.timers.stop(self._ringing)

    def _send(self, request: Request, next_hop: NextHop, now: float) -> InviteClient:
        context = self._context
        further, context.further = context.further, ()
        client = InviteClient(
            context.endpoint,
            self,
            request,
            next_hop=next_hop,
            local=context.local,
            sequence=context.sequence,
            credentials=context.credentials(),
            further=further,
        )
        client.start(now)
        return client
