"""Keeps one account bound to our address at its registrar (RFC 3261 §10), however often the registrar goes away."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from voip_engine.sip.authentication.askers import Askers
from voip_engine.sip.authentication.auth import DigestClient
from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.effects import KeepAlive, RegistrationChanged, Unanswered
from voip_engine.sip.endpoint import ALLOW, Endpoint
from voip_engine.sip.flow import Flow, NextHop, Path
from voip_engine.sip.messages.grammar import read_seconds
from voip_engine.sip.messages.message import Headers, Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.plain_words import registration_reason, sentence
from voip_engine.sip.registrations.binding import Binding
from voip_engine.sip.sessions.dialog import Sequence
from voip_engine.sip.targets import PATIENCE_S
from voip_engine.sip.transactions.transaction_layer import ClientTransaction

UNHEARD_RETRIES_S = (2.0, 4.0, 8.0, 16.0, *(30.0,) * 10)
"""How long to wait at most while nothing is answered: a server that restarts is back within minutes, and what nobody hears
loads nobody. The back-off follows."""
RETRY_S = 30.0
LONGEST_RETRY_S = 1800.0
"""Base and limit of the back-off (RFC 5626 §4.5)."""
WRONG_PASSWORD_RETRY_S = 21_600.0
"""A registrar may lose its users for a while, but guards against whoever tries passwords."""
STEADY_FLOW_S = 120.0
"""A connection that lasted for less was none that a registration can rest on (RFC 5626 §4.5)."""
LONGEST_EXPIRES_S = 7 * 86_400
"""A registrar that demands more (423) is not served."""
KEEP_ALIVE_S = (24.0, 29.0)
"""Between keep-alives over UDP, at random (RFC 5626 §4.4.2): NATs forget in 30 s and more."""
PASSING_REFUSALS = frozenset({408, 429, 480, 491})
LASTING_FAULTS = frozenset({501, 505, 513})
AccountState = Literal["unregistered", "registering", "registered", "failed"]


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One account: who we are (`aor`), where that is kept (`registrar`), and what the contact's user part is."""

    account: str
    aor: SipUri
    contact_user: str
    username: str
    password: str | None = field(repr=False)
    display_name: str
    registrar: NextHop
    expires_s: int
    register: bool
    instance: str = ""
    """This phone's URN for outbound (RFC 5626 §4.1); empty for no outbound."""
    routes: tuple[str, ...] = ()
    """The way that requests outside of dialogs are to go by: an outbound proxy."""
    registers_at: SipUri | None = None
    """Where REGISTER is to get to by that way; None for the domain of `aor`."""

    def digest(self, random: Random) -> DigestClient | None:
        """Return a client for this account's credentials, None when it has no password."""
        return None if self.password is None else DigestClient(self.username, self.password, random)


class Registration:
    """One account's binding: made, refreshed at 0.5–0.9 of its time, made again with back-off, taken back.

    A server that does not answer is left for the next one at once. At most one REGISTER is under way (RFC 3261 §10.2). Every
    change is told as `RegistrationChanged`.
    """

    def __init__(self, endpoint: Endpoint, config: AccountConfig) -> None:
        self._endpoint = endpoint
        self._config = config
        self.askers = Askers((config.aor.host, config.registrar.host))
        """Who may ask for the account's password."""
        self._credentials = self._fresh_credentials()
        self._call_id = endpoint.token()
        self._sequence = Sequence()
        self._expires_s = config.expires_s
        self._binding = Binding(config.contact_user, secure=config.aor.scheme == "sips", instance=config.instance)
        self._paths: tuple[Path, ...] = ()
        self._untried = 0
        self._transaction: ClientTransaction | None = None
        self._flow: Flow | None = None
        self._flow_since = 0.0
        self._short_flows = 0
        self._refresh_at = 0.0
        self._timer = 0
        self._patience = 0
        self._keep_alive = 0
        self._moved = False
        self._wanted = False
        self._bound = False
        self._refused = False
        self._failures = 0
        self._unheard = 0
        self._state: AccountState = "unregistered"

    @property
    def config(self) -> AccountConfig:
        """The account."""
        return self._config

    @property
    def path(self) -> Path:
        """The server that the account is bound at, and our address towards it. Only once `register` was called."""
        return self._paths[0]

    @property
    def binding(self) -> Binding:
        """What the registrar knows of where we are."""
        return self._binding

    def register(self, paths: tuple[Path, ...], now: float) -> None:
        """Bind the account by the first of these servers that answers, and keep it bound.

        A REGISTER that is under way to somewhere else, or from an address that is ours no more, is given up.
        """
        if self._transaction is not None and paths[0] not in self._paths[:1]:
            self._transaction.abandon(now)
            self._transaction = None
            self._endpoint.timers.stop(self._patience)
        self._paths = paths
        self.askers.found([path.hop.host for path in paths], now)
        self._untried = len(paths) - 1
        self._wanted = True
        self._failures = self._unheard = self._short_flows = 0
        self._credentials = self._fresh_credentials()
        self._attempt(now)

    def unregister(self, now: float) -> None:
        """Take the binding back, after the answer to a REGISTER that is under way."""
        self._wanted = False
        self._endpoint.timers.stop(self._timer)
        self._endpoint.timers.stop(self._keep_alive)
        if self._transaction is None:
            if self._bound:
                self._send(0, now)
            else:
                self._tell("unregistered", None, "", None, None)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """Refresh soon when the connection that the registrar answered on is gone: calls came in by it.

        One server after the other that closes it soon is asked ever more rarely, but never later than it has to be; one that
        has refused us, and then closes it, no sooner for that.
        """
        if flow == self._flow and self._wanted and self._bound and self._transaction is None and not self._refused:
            self._untried = len(self._paths) - 1
            self._short_flows = self._short_flows + 1 if now - self._flow_since < STEADY_FLOW_S else 0
            random = self._endpoint.random
            delay_s = random.uniform(0.5, 2.0)
            if self._short_flows > 1:
                delay_s = _grown(RETRY_S, self._short_flows - 1) * random.uniform(0.5, 1)
            self._schedule(min(now + delay_s, self._refresh_at))

    def _attempt(self, now: float) -> None:
        self._endpoint.timers.stop(self._timer)
        if self._transaction is None and self._wanted:
            if self._state != "registered":
                self._tell("registering", None, "", None, None)
            self._send(self._expires_s, now)

    def _send(self, expires_s: int, now: float) -> None:
        self._binding.move(self._paths[0].local)
        aor = self._config.aor
        headers = Headers([("Max-Forwards", "70")])
        for route in self._config.routes:
            headers.add("Route", route)
        headers.add("From", NameAddress(self._config.display_name, aor).with_tag(self._endpoint.token()).serialize())
        headers.add("To", NameAddress("", aor).serialize())
        headers.add("Call-ID", self._call_id)
        headers.add("CSeq", f"{self._sequence.next()} REGISTER")
        self._binding.write(headers, expires_s)
        headers.add("Allow", ALLOW)
        domain = self._config.registers_at or SipUri(aor.scheme, None, aor.host, aor.port)
        request = Request("REGISTER", domain, headers)
        self._credentials.sign(request)
        self._send_request(request, expires_s, now)

    def _send_request(self, request: Request, expires_s: int, now: float) -> None:
        def on_response(response: Response, flow: Flow, now: float) -> None:
            if response.status >= 200:
                self._unheard = 0
                if flow != self._flow:
                    self._flow, self._flow_since = (flow, now) if flow.transport != "UDP" else (None, now)
                self._transaction = None
                self._endpoint.timers.stop(self._patience)
                # A server with several addresses may answer, and call later on, from another one than it was asked at.
                self.askers.found([path.hop.host, flow.remote_host], now)
                self._on_final(request, response, path.hop, flow, expires_s, now)

        def on_failure(status: int, reason: str, now: float) -> None:
            self._transaction = None
            self._endpoint.timers.stop(self._patience)
            host = self._config.registrar.host
            detail = sentence(reason) if status == 503 and reason else f"The registrar {host} does not answer."
            self._on_failure(None, detail, expires_s, None, now)

        def on_silence(now: float) -> None:
            if self._transaction is not None:
                self._endpoint.emit(Unanswered(self._transaction.id, given_up=False))
                self._transaction.abandon(now)
                on_failure(408, "", now)

        path = self._paths[0]
        self._endpoint.address(request, path.hop, path.local)
        if self._untried:
            self._patience = self._endpoint.timers.start(now + PATIENCE_S, on_silence)
        self._transaction = self._endpoint.transactions.send(
            request, path.hop, now, on_response=on_response, on_failure=on_failure
        )

    def _on_final(
        self, request: Request, response: Response, hop: NextHop, flow: Flow, expires_s: int, now: float
    ) -> None:
        status = response.status
        number = self._sequence.number + 1
        if status < 300:
            self._credentials.accepted()
            self._on_success(response, expires_s, now)
        elif status in (401, 407) and (
            again := self._credentials.again(request, response, number, hop=hop, flow=flow, now=now)
        ):
            self._sequence.next()
            self._send_request(again, expires_s, now)
        elif status == 423 and expires_s and (shortest_s := read_seconds(response.headers.get("Min-Expires"))) is not None \
                and self._expires_s < shortest_s <= LONGEST_EXPIRES_S:  # fmt: skip
            self._expires_s = shortest_s
            self._follow_up(now)
        elif status == 439 and self._binding.give_up_outbound():
            self._follow_up(now)
        else:
            detail = registration_reason(status, response.reason, self._config.registrar.host)
            if status in (401, 407) and self._config.password is None:
                detail = f"The registrar {self._config.registrar.host} wants a password and none is set ({status})."
            self._on_failure(status, detail, expires_s, response, now)

    def _on_success(self, response: Response, expires_s: int, now: float) -> None:
        self._failures = 0
        self._refused = False
        self._bound = expires_s > 0
        self._untried = len(self._paths) - 1
        moved = self._binding.accepted(response, expires_s) and not self._moved
        self._moved = moved
        self._endpoint.timers.stop(self._keep_alive)
        if expires_s == 0:
            self._tell("unregistered", response.status, "", None, None)
            if self._wanted:
                self._attempt(now)
            return
        granted_s = max(1, self._granted_s(response, expires_s))
        self._tell("registered", response.status, "", now + granted_s, None)
        if self._wanted and moved:
            self._attempt(now)  # once with the address that others see; it only moves again at the next refresh
        elif self._wanted:
            self._start_keeping_alive(now)
            # Spread, so that all phones of a site don't come back at the same moment.
            self._refresh_at = now + granted_s * self._endpoint.random.uniform(0.5, 0.9)
            self._schedule(self._refresh_at)
        else:
            self._send(0, now)

    def _on_failure(
        self, status: int | None, detail: str, expires_s: int, response: Response | None, now: float
    ) -> None:
        if not self._wanted:
            # The binding, if there is one, ends by itself.
            self._bound = False
            self._tell("unregistered", status, detail, None, None)
            return
        if expires_s == 0:
            self._follow_up(now)
            return
        if (status is None or status == 503) and self._untried:
            self._untried -= 1
            self._paths = (*self._paths[1:], self._paths[0])
            self._send(expires_s, now)
            return
        self._untried = len(self._paths) - 1
        if response is None:
            self._unheard += 1
        else:
            self._failures += 1
        self._refused = response is not None
        # Whether the last answers were right was never said: they must not count as refused at the next attempt.
        self._credentials = self._fresh_credentials()
        delay_s = self._back_off_s(status) * self._endpoint.random.uniform(0.5, 1)
        if response is not None:
            delay_s = max(delay_s, min(read_seconds(response.headers.get("Retry-After")) or 0, LONGEST_RETRY_S))
        self._tell("failed", status, detail, None, now + delay_s)
        self._schedule(now + delay_s)

    def _back_off_s(self, status: int | None) -> float:
        """How long to wait at most. No refusal is for ever: registrars give wrong ones while they start or are mended."""
        if status in (401, 407):
            return WRONG_PASSWORD_RETRY_S
        if status is not None and _lasts(status):
            return LONGEST_RETRY_S
        if status is not None:
            return _grown(RETRY_S, self._failures)
        if self._unheard <= len(UNHEARD_RETRIES_S):
            return UNHEARD_RETRIES_S[self._unheard - 1]
        return _grown(2 * RETRY_S, self._unheard - len(UNHEARD_RETRIES_S))

    def _follow_up(self, now: float) -> None:
        if self._wanted:
            self._attempt(now)
        else:
            self.unregister(now)

    def _granted_s(self, response: Response, asked_s: int) -> int:
        """Return what the registrar granted: our Contact's own `expires`, else the header, else what we asked for."""
        granted_s = read_seconds(self._binding.granted_s(response))
        if granted_s is not None:
            return granted_s
        granted_s = read_seconds(response.headers.get("Expires"))
        return asked_s if granted_s is None else granted_s

    def _start_keeping_alive(self, now: float) -> None:
        """Keep what is between us and the registrar open. Streams do that by themselves, unless they are told how often."""
        limit_s = self._binding.flow_timer_s
        if self._flow is None:
            shortest_s, longest_s = KEEP_ALIVE_S
        elif limit_s is not None:
            shortest_s, longest_s = 0.8 * limit_s, float(limit_s)  # RFC 5626 §4.4.1
        else:
            return

        def keep_alive(now: float) -> None:
            self._endpoint.emit(KeepAlive(self._paths[0].hop, self._flow))
            start(now)

        def start(now: float) -> None:
            delay_s = self._endpoint.random.uniform(shortest_s, longest_s)
            self._keep_alive = self._endpoint.timers.start(now + delay_s, keep_alive)

        start(now)

    def _fresh_credentials(self) -> Credentials:
        return Credentials(self._config.digest(self._endpoint.random), self.askers)

    def _schedule(self, deadline: float) -> None:
        self._endpoint.timers.stop(self._timer)
        self._timer = self._endpoint.timers.start(deadline, self._attempt)

    def _tell(
        self, state: AccountState, status: int | None, detail: str, expires_at: float | None, retry_at: float | None
    ) -> None:
        self._state = state
        account = self._config.account
        public = self._binding.public_address if state == "registered" else ""
        self._endpoint.emit(RegistrationChanged(account, state, status, detail, expires_at, retry_at, public))


def _grown(base_s: float, failures: int) -> float:
    """How long to wait at most after so many failures in a row."""
    return min(LONGEST_RETRY_S, base_s * 2.0 ** min(failures - 1, 16))


def _lasts(status: int) -> bool:
    """Whether trying again soon cannot help."""
    if status < 500:
        return status not in PASSING_REFUSALS
    return status >= 600 or status in LASTING_FAULTS
