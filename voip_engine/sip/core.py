"""The SIP user agent without sockets, loop or clock: messages, commands and the time come in, effects go out.

Commands are here; what becomes of messages is `intake`'s. Calls go on in `sessions`, accounts in `registrations`.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from voip_engine.sip.admission.doorkeeper import Doorkeeper
from voip_engine.sip.effects import Effect
from voip_engine.sip.endpoint import ACCEPT, ALLOW, SESSION_DESCRIPTION, SUPPORTED, Endpoint
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Path
from voip_engine.sip.gate import Gate
from voip_engine.sip.intake import Intake
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.messages.message import Headers, Request
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.registrations.account_book import AccountBook
from voip_engine.sip.registrations.mailbox import Mailboxes, MailboxPath
from voip_engine.sip.registrations.registration import AccountConfig
from voip_engine.sip.sessions.call_features import CallFeatures
from voip_engine.sip.sessions.dialog import Sequence
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_index import SessionIndex


class CapacityError(RuntimeError):
    """There is no room for another session."""


class SipCore:
    """One user agent. All times are seconds on the caller's clock, which must not run backwards.

    At most `capacity` sessions and `capacity` transactions of either side are kept. Beyond that, new calls and other
    requests are answered with 503 (see `TransactionLayer` for what makes room), and `invite` raises CapacityError.
    Commands on a session that has ended do nothing: its `SessionEnded` was told before. `door` says which requests are
    taken at all; without it all are. `session_timer_s` is how often calls are to be confirmed (RFC 4028), 0 for never.
    """

    def __init__(
        self,
        random: Random,
        *,
        user_agent: str,
        capacity: int = 10_000,
        door: Doorkeeper | None = None,
        session_timer_s: int = 0,
    ) -> None:
        self._endpoint = Endpoint(random, user_agent=user_agent, capacity=capacity)
        self._endpoint.session_timer_s = session_timer_s
        if door is not None:
            self._endpoint.trusts = door.vouches
        self._capacity = capacity
        self._sessions = SessionIndex()
        self._gate = Gate(self._endpoint, self._sessions, door)
        self._accounts = AccountBook(self._endpoint)
        self._mailboxes = Mailboxes(self._endpoint)
        self._intake = Intake(
            self._endpoint, self._sessions, self._gate, self._accounts, self._mailboxes, capacity=capacity
        )
        self.features = CallFeatures(self._endpoint, self._sessions)
        """Transfers, and keys by INFO."""

    @property
    def idle(self) -> bool:
        """Whether no transaction and no session is left. Registrations may still be waiting for their refresh."""
        return not len(self._endpoint.transactions) and not len(self._sessions)

    @property
    def timers(self) -> int:
        """How many timers run."""
        return len(self._endpoint.timers)

    # ---- from the transport ----

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Effect]:
        """Take one datagram, or one message that framing cut out of a stream."""
        self._intake.receive(data, flow, now)
        return self._endpoint.take_effects()

    def framing_failed(self, error: FramingError, flow: Flow, now: float) -> list[Effect]:
        """Answer a stream that cannot be cut into messages, if what came allows an answer."""
        self._intake.framing_failed(error, flow, now)
        return self._endpoint.take_effects()

    def knows(self, flow: Flow, now: float) -> bool:
        """Whether requests of this source are looked at in any case: a server of an account, or in a network that may call."""
        return self._gate.knows(flow, now)

    def transport_failed(self, transaction: str, reason: str, now: float) -> list[Effect]:
        """Take word that a `SendRequest` could not be sent (RFC 3261 §8.1.3.1); `reason` is shown to people."""
        self._endpoint.transactions.transport_failed(transaction, reason, now)
        return self._endpoint.take_effects()

    def flow_lost(self, flow: Flow, now: float, reason: str = "") -> list[Effect]:
        """Take word that a stream connection is gone; `reason` is shown to people."""
        reason = reason or f"The connection to {flow.remote_host} was lost."
        self._endpoint.transactions.flow_lost(flow, reason, now)
        for registration in self._accounts.registrations():
            registration.flow_lost(flow, now)
        return self._endpoint.take_effects()

    def network_changed(self) -> None:
        """Take word that this machine slept or has another address: what was found out about the way to servers is void."""
        self._endpoint.without_tcp.clear()

    def on_timer(self, now: float) -> list[Effect]:
        """Run what is due."""
        self._endpoint.timers.run(now)
        return self._endpoint.take_effects()

    def next_deadline(self) -> float | None:
        """When `on_timer` wants to be called next."""
        return self._endpoint.timers.next_deadline()

    def add_local_address(self, local: LocalAddress) -> None:
        """Make a listening address known, for Via and Contact on connections that we open ourselves."""
        self._endpoint.note_address(local)

    # ---- accounts ----

    def add_account(self, account: AccountConfig) -> None:
        """Make an account known; `register` binds it. Raises ValueError when it is known already."""
        self._accounts.add(account)

    def register(self, account: str, local: LocalAddress, now: float, paths: tuple[Path, ...] = ()) -> list[Effect]:
        """Bind an account to a local address and keep it bound. Raises KeyError for an unknown account.

        `paths` are the registrar's servers in the order to try them; without any it is reached by its name.
        """
        registration = self._accounts.registration(account)
        for address in (local, *(path.local for path in paths)):
            self._endpoint.note_sending_address(address)
        registration.register(paths or (Path(registration.config.registrar, local),), now)
        return self._endpoint.take_effects()

    def servers_found(self, account: str, hosts: Iterable[str], now: float) -> None:
        """Take literal addresses for an account's servers for an hour. Raises KeyError for an unknown account.

        Only they are told its password's digest, besides where it is registered and where `invite` goes.
        """
        self._accounts.servers_found(account, hosts, now)

    def accounts_at(self, host: str, now: float) -> tuple[str, ...]:
        """Return the accounts that a literal address is a server of."""
        return self._accounts.of_server(host, now)

    def unregister(self, account: str, now: float) -> list[Effect]:
        """Take an account's binding back. Raises KeyError for an unknown account."""
        self._mailboxes.stop(account, now)
        self._accounts.registration(account).unregister(now)
        return self._endpoint.take_effects()

    def watch_mailbox(self, account: str, now: float) -> list[Effect]:
        """Hear what a registered account's mailbox holds, until `unregister` (RFC 3842); told as `MessagesWaiting`."""
        registration = self._accounts.registration(account)
        config, path = registration.config, registration.path
        contact = self._accounts.contact(account, config.contact_user, path.local, config.aor.scheme == "sips")
        routes = self._accounts.routes(account)
        where = MailboxPath(path.hop, path.local, contact, routes)
        self._mailboxes.watch(config, registration.askers, where, now)
        return self._endpoint.take_effects()

    # ---- sessions ----

    def invite(
        self,
        *,
        target: SipUri,
        next_hop: NextHop,
        local: LocalAddress,
        account: str | None,
        caller: NameAddress,
        offer: bytes,
        now: float,
        further: tuple[NextHop, ...] = (),
        contact: LocalAddress | None = None,
        extra: tuple[tuple[str, str], ...] = (),
        alternative: bytes | None = None,
    ) -> tuple[str, list[Effect]]:
        """Call `target`; returns the session's name. `extra` headers stand besides the usual ones.

        With an account `next_hop` and `further` are servers of its: they are told its password's digest if they ask.
        `alternative` is what to offer instead when the `offer` is refused as such; told as `AlternativeOffered`.
        `contact` is where we are reached if not at `local`, unless the account's registrar knows better.
        `further` next hops are tried in order when one says 503, nothing, or is not reached (RFC 3263 §4.3). Those of another
        address family are left out, for Contact and the offer name addresses of the first one's; and after TLS all others,
        for what is meant to be encrypted, keys among it, must not be had in clear by keeping the first one from answering.

        Raises KeyError for an unknown account and CapacityError when there is no room.
        """
        endpoint = self._endpoint
        config = self._accounts.config(account)
        if len(self._sessions) >= self._capacity or endpoint.transactions.full:
            raise CapacityError(f"{self._capacity} calls are up already, which is the limit.")
        endpoint.note_sending_address(local)
        self._accounts.servers_found(account, [hop.host for hop in (next_hop, *further)], now)
        call_id = endpoint.token()
        context = SessionContext(
            endpoint=endpoint,
            session=self._sessions.name_for(call_id),
            local=local,
            contact=self._accounts.contact(
                account,
                config.contact_user if config else caller.uri.user or "",
                local,
                target.scheme == "sips",
                contact or local,
            ),
            credentials=self._accounts.credentials(account),
            sequence=Sequence(),
            owns_call_id=True,
            further=_like(next_hop, further),
        )
        headers = Headers([("Max-Forwards", "70")])
        for route in self._accounts.routes(account):
            headers.add("Route", route)
        headers.add("From", caller.with_tag(endpoint.token()).serialize())
        headers.add("To", NameAddress("", target.without_headers()).serialize())
        headers.add("Call-ID", call_id)
        headers.add("CSeq", f"{context.sequence.next()} INVITE")
        headers.add("Contact", context.contact)
        headers.add("Allow", ALLOW)
        headers.add("Supported", SUPPORTED)
        headers.add("Accept", ACCEPT)
        headers.add("Content-Type", SESSION_DESCRIPTION)
        for name, value in extra:
            headers.add(name, value)
        request = Request("INVITE", target.without_headers(), headers, offer)
        session = Session.place(context, self._sessions, request, next_hop, now, alternative)
        self._sessions.add(session)
        return session.id, endpoint.take_effects()

    def ring(self, session: str, now: float, body: bytes | None = None) -> list[Effect]:
        """Send 180, or 183 with a session description. Raises SessionStateError unless the call waits for us."""
        if (known := self._sessions.get(session)) is not None:
            known.ring(body, now)
        return self._endpoint.take_effects()

    def answer(self, session: str, body: bytes, now: float) -> list[Effect]:
        """Send 200 until its ACK comes, which is told as `SessionConfirmed`. Raises SessionStateError."""
        if (known := self._sessions.get(session)) is not None:
            known.answer(body, now)
        return self._endpoint.take_effects()

    def reject(
        self, session: str, status: int, now: float, reason: str | None = None, *, warning_text: str = ""
    ) -> list[Effect]:
        """Refuse a call; `reason` is the phrase sent, `warning_text` says more to people (RFC 3261 §20.43).

        Raises SessionStateError; ValueError for a status below 300.
        """
        if (known := self._sessions.get(session)) is not None:
            known.reject(status, reason, now, warning_text)
        return self._endpoint.take_effects()

    def hang_up(self, session: str, now: float) -> list[Effect]:
        """End a session by whatever its state demands. `SessionEnded` comes at once, the rest goes on unseen."""
        if (known := self._sessions.get(session)) is not None:
            known.hang_up(now)
        return self._endpoint.take_effects()

    def redirect(
        self,
        session: str,
        *,
        target: SipUri,
        next_hop: NextHop,
        local: LocalAddress,
        now: float,
        contact: LocalAddress | None = None,
        further: tuple[NextHop, ...] = (),
    ) -> list[Effect]:
        """Go on at one of the targets of `SessionRedirected`; `hang_up` instead ends with the reason it gave.

        `contact` and `further` as for `invite`. Should that target fail too, those that are left are told again. Raises
        SessionStateError.
        """
        if (known := self._sessions.get(session)) is not None:
            self._endpoint.note_sending_address(local)
            known.redirect(target, (next_hop, *_like(next_hop, further)), local, contact or local, now)
        return self._endpoint.take_effects()

    def reoffer(self, session: str, offer: bytes, now: float) -> list[Effect]:
        """Send an offer in a re-INVITE, as soon as no other is under way.

        Told as `SessionAnswered` or `SessionReofferFailed`. Raises SessionStateError.
        """
        if (known := self._sessions.get(session)) is not None:
            known.reoffer(offer, now)
        return self._endpoint.take_effects()

    def move(
        self,
        session: str,
        offer: bytes,
        *,
        account: str | None,
        local: LocalAddress,
        now: float,
        contact: LocalAddress | None = None,
    ) -> list[Effect]:
        """Go on at another address of ours: a re-INVITE with this offer tells the other side (RFC 3261 §12.2.1.1, §14.1).

        `account` and `contact` as for `invite`, the outcome as for `reoffer`. Raises SessionStateError unless the call is up.
        """
        if (known := self._sessions.get(session)) is not None:
            self._endpoint.note_sending_address(local)
            known.move(
                offer,
                local,
                lambda user, secure: self._accounts.contact(account, user, local, secure, contact or local),
                now,
            )
        return self._endpoint.take_effects()

    def accept_reoffer(self, session: str, body: bytes, now: float) -> list[Effect]:
        """Answer their re-INVITE with 200. One that was cancelled meanwhile is no error. Raises SessionStateError."""
        if (known := self._sessions.get(session)) is not None:
            known.accept_reoffer(body, now)
        return self._endpoint.take_effects()

    def reject_reoffer(self, session: str, status: int, now: float, *, warning_text: str = "") -> list[Effect]:
        """Refuse their re-INVITE or UPDATE; the session goes on as it was. `warning_text` as for `reject`.

        Raises SessionStateError; ValueError for a status below 300.
        """
        if (known := self._sessions.get(session)) is not None:
            known.reject_reoffer(status, now, warning_text)
        return self._endpoint.take_effects()


def _like(first: NextHop, further: tuple[NextHop, ...]) -> tuple[NextHop, ...]:
    """Those hops that may take the first one's place."""
    return tuple(
        hop
        for hop in further
        if (":" in hop.host) == (":" in first.host) and (hop.transport == "TLS" or first.transport != "TLS")
    )
