"""Keeps hearing what an account's voice mailbox holds (RFC 3842): by a subscription of ours (RFC 6665), or unasked.

```
watch ── SUBSCRIBE ── 2xx ── NOTIFY … ── SUBSCRIBE again at 0.5–0.9 of its time …      stop ── SUBSCRIBE, Expires: 0
                   └─ refused for good: nothing more until `stop` and `watch`          └─ silence: again in minutes
```
"""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.sip.authentication.askers import Askers
from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.effects import MessagesWaiting
from voip_engine.sip.endpoint import Endpoint, media_type_of
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.grammar import MalformedHeader, read_seconds
from voip_engine.sip.messages.message import Headers, Request, Response
from voip_engine.sip.messages.message_summary import SIMPLE_MESSAGE_SUMMARY, MessageSummary
from voip_engine.sip.messages.referral_headers import SubscriptionState, read_event
from voip_engine.sip.messages.uri import NameAddress
from voip_engine.sip.registrations.registration import AccountConfig
from voip_engine.sip.sessions.dialog import Dialog, Sequence
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

EVENT = "message-summary"
EXPIRES_S = 3600
LONGEST_EXPIRES_S = 86_400
RETRY_S = 300.0
"""How long to wait after a subscription failed that may work later."""
FINAL_REASONS = frozenset({"rejected", "noresource", "invariant"})
"""Why a subscription ended that would end again (RFC 6665 §4.1.3)."""
PASSING_REFUSALS = frozenset({408, 429, 480, 481, 500, 503, 504})


@dataclass(frozen=True, slots=True)
class MailboxPath:
    """How an account's requests go out: next hop, our address, Contact and routes (RFC 3608)."""

    hop: NextHop
    local: LocalAddress
    contact: str
    routes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Subscription:
    """One subscription, from its first SUBSCRIBE on. `dialog` and `remote_tag` are there once it was answered."""

    call_id: str
    tag: str
    sequence: Sequence
    dialog: Dialog | None = None
    remote_tag: str | None = None
    remote_cseq: int | None = None


class Mailbox:
    """The mailbox of one account. What it holds is told as `MessagesWaiting`."""

    def __init__(self, endpoint: Endpoint, config: AccountConfig, askers: Askers) -> None:
        self._endpoint = endpoint
        self._config = config
        self._askers = askers
        self._credentials = self._fresh_credentials()
        self._path: MailboxPath | None = None
        self._watching = False
        self._busy = False
        self._timer = 0
        self._expires_s = EXPIRES_S
        self._subscription = self._new_subscription()

    def watch(self, path: MailboxPath, now: float) -> None:
        """Subscribe, if that is not so already; from a new address of ours anew."""
        if self._watching and path == self._path:
            return
        self._path = path
        self._watching = True
        self._credentials = self._fresh_credentials()
        self._subscription = self._new_subscription()
        self._subscribe(self._expires_s, now)

    def stop(self, now: float) -> None:
        """End the subscription."""
        self._endpoint.timers.stop(self._timer)
        if self._watching and self._subscription.dialog is not None and not self._busy:
            self._subscribe(0, now)
        self._watching = False

    def receive(self, transaction: ServerTransaction, now: float) -> bool:
        """Take a NOTIFY within our subscription; False if it is of another one."""
        request = transaction.request
        if (request.call_id, request.to.tag) != (
            self._subscription.call_id,
            self._subscription.tag,
        ) or not self._watching:
            return False
        remote_tag = request.from_.tag or ""
        if self._subscription.remote_tag not in (None, remote_tag):
            return False
        if self._subscription.remote_cseq is not None and request.cseq.number <= self._subscription.remote_cseq:
            self._endpoint.respond(transaction, 500, now)
            return True
        state = SubscriptionState.of(request.headers)
        if self.take(transaction, now):
            self._subscription.remote_tag, self._subscription.remote_cseq = remote_tag, request.cseq.number
            if state.terminated:
                self._subscription = self._new_subscription()
                self._endpoint.timers.stop(self._timer)
                if state.reason not in FINAL_REASONS:
                    self._schedule(now + self._endpoint.random.uniform(0.2, 1.0) * RETRY_S)
        return True

    def take(self, transaction: ServerTransaction, now: float) -> bool:
        """Take a NOTIFY of somebody who is to be believed; False if it makes no sense. Raises MalformedHeader."""
        request = transaction.request
        package, _ = read_event(request.headers)
        if package != EVENT:
            self._endpoint.respond(transaction, 489, now, headers=(("Allow-Events", EVENT),))
            return False
        if request.body and media_type_of(request.headers) != SIMPLE_MESSAGE_SUMMARY:
            self._endpoint.respond(transaction, 415, now, headers=(("Accept", SIMPLE_MESSAGE_SUMMARY),))
            return False
        summary = MessageSummary.parse(request.body) if request.body else None
        self._endpoint.respond(transaction, 200, now, to_tag=self._subscription.tag)
        if summary is not None:
            self._endpoint.emit(MessagesWaiting(self._config.account, summary.waiting, summary.new, summary.old))
        return True

    def _subscribe(self, expires_s: int, now: float) -> None:
        assert self._path is not None
        self._endpoint.timers.stop(self._timer)
        path, aor = self._path, self._config.aor
        if self._subscription.dialog is None:
            headers = Headers([("Max-Forwards", "70")])
            for route in path.routes:
                headers.add("Route", route)
            headers.add(
                "From", NameAddress(self._config.display_name, aor).with_tag(self._subscription.tag).serialize()
            )
            headers.add("To", NameAddress("", aor).serialize())
            headers.add("Call-ID", self._subscription.call_id)
            headers.add("CSeq", f"{self._subscription.sequence.next()} SUBSCRIBE")
            request = Request("SUBSCRIBE", aor, headers)
        else:
            request = self._subscription.dialog.build("SUBSCRIBE")
        request.headers.add("Contact", path.contact)
        request.headers.add("Event", EVENT)
        request.headers.add("Accept", SIMPLE_MESSAGE_SUMMARY)
        request.headers.add("Expires", str(expires_s))
        self._credentials.sign(request)
        self._send(request, expires_s, now)

    def _send(self, request: Request, expires_s: int, now: float) -> None:
        assert self._path is not None
        hop = self._path.hop if self._subscription.dialog is None else self._subscription.dialog.next_hop

        def on_response(response: Response, flow: Flow, now: float) -> None:
            if response.status >= 200 and request.call_id == self._subscription.call_id:
                self._busy = False
                self._on_final(request, response, hop, flow, expires_s, now)

        def on_failure(status: int, reason: str, now: float) -> None:
            if request.call_id == self._subscription.call_id:
                self._busy = False
                self._on_refusal(status, now)

        self._busy = True
        self._endpoint.address(request, hop, self._path.local)
        self._endpoint.transactions.send(request, hop, now, on_response=on_response, on_failure=on_failure)

    def _on_final(
        self, request: Request, response: Response, hop: NextHop, flow: Flow, expires_s: int, now: float
    ) -> None:
        status = response.status
        number = self._subscription.sequence.number + 1
        if status < 300:
            self._credentials.accepted()
            self._on_success(request, response, expires_s, now)
        elif status in (401, 407) and (
            again := self._credentials.again(request, response, number, hop=hop, flow=flow, now=now)
        ):
            self._subscription.sequence.next()
            self._send(again, expires_s, now)
        elif (
            status == 423
            and (shortest_s := read_seconds(response.headers.get("Min-Expires"))) is not None
            and expires_s < shortest_s <= LONGEST_EXPIRES_S
        ):
            self._expires_s = shortest_s
            if self._watching:
                self._subscribe(shortest_s, now)
        else:
            self._on_refusal(status, now)

    def _on_success(self, request: Request, response: Response, expires_s: int, now: float) -> None:
        assert self._path is not None
        if self._subscription.remote_tag is None:
            self._subscription.remote_tag = response.to.tag or ""
        if self._subscription.dialog is None and response.to.tag == (self._subscription.remote_tag or None):
            self._subscription.dialog = Dialog.from_response(
                request, response, self._path.hop.transport, self._subscription.sequence
            )
        elif self._subscription.dialog is not None:
            self._subscription.dialog.refresh_target(response)
        if self._watching:
            granted_s = min(read_seconds(response.headers.get("Expires")) or expires_s, LONGEST_EXPIRES_S)
            self._schedule(now + granted_s * self._endpoint.random.uniform(0.5, 0.9))
        elif expires_s:
            self._subscribe(0, now)

    def _on_refusal(self, status: int, now: float) -> None:
        if not self._watching:
            return
        self._subscription = self._new_subscription()
        if status in PASSING_REFUSALS:
            # Whether the last answers were right was never said: they must not count as refused at the next attempt.
            self._credentials = self._fresh_credentials()
            self._schedule(now + self._endpoint.random.uniform(0.5, 1.0) * RETRY_S)

    def _schedule(self, deadline: float) -> None:
        self._endpoint.timers.stop(self._timer)
        self._timer = self._endpoint.timers.start(deadline, lambda now: self._subscribe(self._expires_s, now))

    def _new_subscription(self) -> _Subscription:
        return _Subscription(self._endpoint.token(), self._endpoint.token(), Sequence())

    def _fresh_credentials(self) -> Credentials:
        return Credentials(self._config.digest(self._endpoint.random), self._askers)


class Mailboxes:
    """The mailboxes of all accounts."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._mailboxes: dict[str, Mailbox] = {}

    def watch(self, config: AccountConfig, askers: Askers, path: MailboxPath, now: float) -> None:
        """Hear of an account's mailbox from now on; `askers` may ask for its password."""
        mailbox = self._mailboxes.get(config.account)
        if mailbox is None:
            mailbox = self._mailboxes[config.account] = Mailbox(self._endpoint, config, askers)
        mailbox.watch(path, now)

    def stop(self, account: str, now: float) -> None:
        """Hear of it no longer."""
        if (mailbox := self._mailboxes.get(account)) is not None:
            mailbox.stop(now)

    def receive(self, transaction: ServerTransaction, config: AccountConfig | None, now: float) -> bool:
        """Take a NOTIFY that is of no session; False if it is none of a mailbox's.

        One without a subscription, for the account of `config`, counts from trusted sources only.
        """
        request, flow = transaction.request, transaction.flow
        try:
            if any(mailbox.receive(transaction, now) for mailbox in self._mailboxes.values()):
                return True
            if config is None or request.to.tag is not None or not self._endpoint.trusts(flow, now):
                return False
            Mailbox(self._endpoint, config, Askers()).take(transaction, now)
        except MalformedHeader:
            self._endpoint.respond(transaction, 400, now)
        return True
