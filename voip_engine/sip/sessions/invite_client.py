"""An INVITE of ours, first or repeated, from the first send to the last ACK.

```
send ── 1xx ──► on_provisional          cancel ── CANCEL goes out once a 1xx has come (RFC 3261 §9.1)
     ── 401/407 ── again with credentials; 422 and the like ── again as `amended` says
     ── 2xx ──► ACK, on_success         the same 2xx again → the same ACK again (§13.2.2.4)
     ── 503, silence, no way there ── again at the next server
     ── 1xx, connection lost ── half a minute for the other side to come back
     ── 3xx ──► on_redirect            4xx–6xx, silence ──► on_failure
```
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.effects import SendRequest, Unanswered
from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.plain_words import NO_ANSWER, NO_REPLY, plain_reason, refusal_reason
from voip_engine.sip.sessions.dialog import Dialog, Sequence
from voip_engine.sip.targets import PATIENCE_S, Targets
from voip_engine.sip.transactions.transaction import T1_S
from voip_engine.sip.transactions.transaction_layer import derive_request

PROVISIONAL_TIMEOUT_S = 180.0
"""A 1xx comes again at least every minute (RFC 3261 §13.3.1.1); after three minutes without one nobody is there."""
RECONNECT_S = 64 * T1_S
"""How long a side that has shown itself may take to come back by another connection when the one it came by is lost."""


class InviteClientUser(Protocol):
    """Who wants to know how an INVITE goes."""

    def on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        """A 1xx other than 100 came."""

    def dialog_of(self, response: Response, flow: Flow) -> Dialog:
        """Return the dialog to acknowledge a 2xx in."""

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """Return what to send in the place of a refused INVITE, None if nothing helps."""

    def on_redirect(self, response: Response, now: float) -> bool:
        """A 3xx came; False if that is a failure like any other."""

    def on_success(self, response: Response, dialog: Dialog, flow: Flow, now: float) -> None:
        """A 2xx came, the first of its dialog, and the ACK has gone out."""

    def on_failure(self, status: int, reason: str, now: float) -> None:
        """The INVITE failed; `reason` is plain words."""


class InviteClient:
    """One INVITE of ours. `sequence` numbers repetitions with credentials."""

    def __init__(
        self,
        endpoint: Endpoint,
        user: InviteClientUser,
        request: Request,
        *,
        next_hop: NextHop,
        local: LocalAddress,
        sequence: Sequence,
        credentials: Credentials,
        further: tuple[NextHop, ...] = (),
    ) -> None:
        self._endpoint = endpoint
        self._user = user
        self._request = request
        self._targets = Targets(endpoint, (next_hop, *further))
        self._sent_to = next_hop
        self._attempt = 0
        self._taken_back: set[str | None] = set()
        self._local = local
        self._sequence = sequence
        self._credentials = credentials
        self._acks: dict[str, SendRequest] = {}
        self._provisional = False
        self._cancelling = False
        self._disconnected = ""
        self._timer = 0
        self.answered = False
        """Whether a final response came, or never will."""
        self.failed_here = False
        """Whether it failed on this side: there was no way to send it, or the connection was lost for good."""

    @property
    def request(self) -> Request:
        """The INVITE as last sent."""
        return self._request

    @property
    def next_hop(self) -> NextHop:
        """Where the INVITE goes."""
        return self._targets.hop

    def start(self, now: float) -> None:
        """Send the INVITE."""
        self._send(now)

    def cancel(self, now: float) -> None:
        """Take the INVITE back: at once if the other side has shown itself, else as soon as it does (RFC 3261 §9.1)."""
        if self.answered or self._cancelling:
            return
        self._cancelling = True
        if self._provisional:
            self._send_cancel(now)

    def hand_over(self, user: Callable[[Request], InviteClientUser]) -> None:
        """Let `user(invite)` take what may still come of an answered INVITE, of which no more is kept than that takes."""
        self._transaction.slim()
        self._request = self._transaction.request
        self._user = user(self._request)

    def _send(self, now: float) -> None:
        self._provisional = False
        self._disconnected = ""
        self._attempt += 1
        attempt = self._attempt
        hop = self._sent_to = self._targets.address(self._request, self._local, now)

        def on_response(response: Response, flow: Flow, now: float) -> None:
            if attempt == self._attempt:
                self._on_response(response, flow, now)
            else:
                self._on_late(transaction.request, hop, response, flow, now)

        def on_failure(status: int, reason: str, now: float) -> None:
            if attempt == self._attempt:
                self._on_lost(status, reason, now)

        if self._targets.more:
            self._start_timer(now + PATIENCE_S, self._on_silence)
        transaction = self._transaction = self._endpoint.transactions.send(
            self._request, hop, now, on_response=on_response, on_failure=on_failure
        )

    def _move_on(self, now: float, *, reached: bool) -> bool:
        """Try the next server, under a new branch (RFC 3263 §4.3); False when there is none."""
        if self._cancelling or self.answered or not self._targets.move_on(now, reached=reached):
            return False
        self._request = Request("INVITE", self._request.uri, self._request.headers.copy(), self._request.body)
        self._send(now)
        return True

    def _on_silence(self, now: float) -> None:
        # If the request has not even been sent yet, for want of a connection, we are told so next.
        self._endpoint.emit(Unanswered(self._transaction.id, given_up=False))
        self._move_on(now, reached=True)

    def _on_late(self, request: Request, hop: NextHop, response: Response, flow: Flow, now: float) -> None:
        """Take word of a server that was given up: one that answers is a branch of a fork, one that rings is cancelled."""
        if 200 <= response.status < 300:
            self._on_success(response, flow, now)
        elif response.status < 200 and request.vias[0].branch not in self._taken_back:
            self._taken_back.add(request.vias[0].branch)
            self._endpoint.transactions.send(
                self._cancel_of(request), hop, now, on_response=lambda *_: None, on_failure=lambda *_: None
            )

    def _abandon(self, now: float) -> None:
        self._transaction.abandon(now)
        self._fail(487, plain_reason(487), now)

    def _on_response(self, response: Response, flow: Flow, now: float) -> None:
        if response.status < 200:
            self._on_provisional(response, flow, now)
        elif response.status < 300:
            self._on_success(response, flow, now)
        else:
            self._on_refusal(response, flow, now)

    def _on_provisional(self, response: Response, flow: Flow, now: float) -> None:
        first, self._provisional = not self._provisional, True
        if self._cancelling:
            if first:
                self._send_cancel(now)
            return
        self._disconnected = ""
        self._start_timer(now + PROVISIONAL_TIMEOUT_S, self._on_nobody)
        if response.status != 100:
            self._user.on_provisional(response, flow, now)

    def _on_success(self, response: Response, flow: Flow, now: float) -> None:
        tag = response.to.tag or ""
        ack = self._acks.get(tag)
        if ack is not None:
            self._endpoint.emit(ack)
            return
        self._stop_timer()
        self.answered = True
        self._credentials.accepted()
        dialog = self._user.dialog_of(response, flow)
        # The ACK carries the credentials of its INVITE (RFC 3261 §13.2.2.4), but not to somebody else than asked for them.
        request = dialog.build("ACK", cseq=response.cseq.number)
        if self._credentials.may_go_to(dialog.next_hop, now):
            for name in ("Authorization", "Proxy-Authorization"):
                for value in self._request.headers.get_all(name):
                    request.headers.add(name, value)
        self._acks[tag] = self._endpoint.send_ack(request, dialog.next_hop, self._local)
        self._user.on_success(response, dialog, flow, now)

    def _on_refusal(self, response: Response, flow: Flow, now: float) -> None:
        self._stop_timer()
        if response.status in (401, 407) and not self._cancelling:
            number = self._sequence.number + 1
            again = self._credentials.again(self._request, response, number, hop=self._sent_to, flow=flow, now=now)
        elif not self._cancelling:
            again = self._user.amended(self._request, response, self._sequence.number + 1)
            if again is not None:
                self._credentials.sign(again)  # an answer to a challenge serves once
        else:
            again = None
        if again is not None:
            self._request = again
            self._sequence.next()
            self._send(now)
            return
        if response.status < 400 and not self._cancelling and self._user.on_redirect(response, now):
            self.answered = True
            return
        if response.status == 503 and self._move_on(now, reached=True):
            return
        self._fail(response.status, refusal_reason(self._request, response), now)

    def _on_lost(self, status: int, reason: str, now: float) -> None:
        if self.answered:
            return
        if self._provisional:
            # Over UDP no more is lost than a packet, and whoever is gone for good is missed in time.
            streams = self._sent_to.transport != "UDP"
            if streams and not self._cancelling and not self._disconnected:
                self._disconnected = reason
                self._start_timer(now + RECONNECT_S, self._on_disconnected)
            return
        self._stop_timer()
        if not self._move_on(now, reached=status != 503):
            self.failed_here = status == 503
            self._fail(status, reason or NO_REPLY, now)

    def _on_disconnected(self, now: float) -> None:
        self._cancelling = self.failed_here = True
        self._send_cancel(now)
        self._fail(503, self._disconnected, now)

    def _on_nobody(self, now: float) -> None:
        self._cancelling = True
        self._send_cancel(now)
        self._fail(408, NO_ANSWER, now)

    def _fail(self, status: int, reason: str, now: float) -> None:
        if not self.answered:
            self.answered = True
            self._user.on_failure(status, reason, now)

    def _send_cancel(self, now: float) -> None:
        self._endpoint.transactions.send(
            self._cancel_of(self._request),
            self._sent_to,
            now,
            on_response=lambda *_: None,
            on_failure=lambda *_: None,
        )
        # RFC 3261 §9.1: without a final response in this time the INVITE counts as cancelled all the same.
        self._start_timer(now + 64 * T1_S, self._abandon)

    def _cancel_of(self, request: Request) -> Request:
        cancel = derive_request(request, "CANCEL", to=request.headers.get("To") or "")
        cancel.headers.set("User-Agent", self._endpoint.user_agent)
        return cancel

    def _start_timer(self, deadline: float, callback: Callable[[float], None]) -> None:
        self._stop_timer()
        self._timer = self._endpoint.timers.start(deadline, callback)

    def _stop_timer(self) -> None:
        self._endpoint.timers.stop(self._timer)
