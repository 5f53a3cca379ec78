"""Who may call here, by the source of a request: the servers of our accounts, listed networks, users with a password.

```
server of an account ─ INVITE ─► wide bucket ─► ringing calls ─► in
known source ──────────────► bucket ─► ringing calls ─► in
stranger ─┬ INVITE of a user ─► challenged ─► proved ─► bucket ─► ringing calls ─► in
          └ anything else ─► silence
```
Behind a server stand many callers, so that it is held to as many calls as the engine takes, and told of the call alone (480,
486): a 503 would have a carrier send no calls at all for a while (RFC 3261 §21.5.4).

Whatever belongs to a call or a request of ours that is up already is not judged here: the core lets it pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from random import Random

from voip_engine.hosts import address_of, plain
from voip_engine.network_settings import AdmissionSettings
from voip_engine.sip.admission.doorkeeper import STRANGER, Refusal
from voip_engine.sip.admission.rate_limit import TokenBuckets, source_of
from voip_engine.sip.authentication.digest_server import DigestServer, Verdict
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request

NEIGHBOURS = ("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
"""This machine and private networks (RFC 1918, RFC 4193): who may call where there are no accounts."""
SERVER_MEMORY_S = 3_600.0
"""How long an address of a server is trusted after it was last looked up: names with many addresses give one at a time."""
SERVERS = 1_024
REALM = "sip"
"""Says nothing of what answers here."""
GUESSES_PER_S = 0.1
GUESSES_AT_ONCE = 10
"""How often a source may be wrong: guessing passwords is to take ages."""
RETRY_AFTER_S = 5
LOOK_THROUGH = 16
"""After so many calls of a source it is looked which of them are still half open."""
_KNOWN_HOSTS = 4_096

WRONG_PASSWORD = "the password of a listed user is wrong"
TOO_MANY_GUESSES = "too many requests of this source came without the right password"
TOO_OFTEN = "more calls a second than calls_per_second of [admission] allows"
TOO_MANY_OF_A_SERVER = "more calls a second than this phone can have at once"
TOO_MANY_RINGING = "more unanswered or unacknowledged calls than ringing_calls of [admission] allows"


class Admission:
    """Judges requests by `AdmissionSettings`; a `Doorkeeper` of the core. Times are seconds on the core's clock.

    `max_calls` is how many calls the engine takes: as many a server of an account may place a second, and have ringing.
    """

    def __init__(self, settings: AdmissionSettings, *, has_accounts: bool, random: Random, max_calls: int = 0) -> None:
        listed = settings.networks
        if listed is None:
            listed = () if has_accounts else NEIGHBOURS
        self._networks = tuple(ip_network(network) for network in listed)
        self._chosen = settings.networks is not None
        self._this_machine = settings.networks is None and not has_accounts
        self._servers: OrderedDict[str, float] = OrderedDict()
        self._in_network: dict[str, bool] = {}
        users = {user.username: user.password.reveal() for user in settings.users}
        self._users = frozenset(users)
        self._digest = DigestServer(users, REALM, random)
        self._calls = TokenBuckets(settings.calls_per_second, settings.calls_burst)
        self._server_calls = TokenBuckets(
            max(settings.calls_per_second, max_calls), max(settings.calls_burst, max_calls)
        )
        self._challenges = TokenBuckets(settings.calls_per_second, settings.calls_burst)
        self._guesses = TokenBuckets(GUESSES_PER_S, GUESSES_AT_ONCE)
        self._ringing_limit = settings.ringing_calls
        self._server_ringing_limit = max(settings.ringing_calls, max_calls)
        self._ringing: OrderedDict[str, list[str]] = OrderedDict()

    def servers_found(self, hosts: Iterable[str], now: float) -> None:
        """Trust the literal addresses that a server of our accounts was found at."""
        for host in hosts:
            self._servers[plain(host)] = now
            self._servers.move_to_end(plain(host))
        while len(self._servers) > SERVERS:
            self._servers.popitem(last=False)

    def knows(self, flow: Flow, now: float) -> bool:
        """Whether a source is a server of our accounts, or in a network that may call."""
        host = flow.remote_host
        if self._is_server(host, now):
            return True
        if self._this_machine and host == flow.local_host:
            return True
        known = self._in_network.get(host)
        if known is None:
            if len(self._in_network) >= _KNOWN_HOSTS:
                self._in_network.clear()
            known = self._in_network[host] = self._is_listed(host)
        return known

    def vouches(self, flow: Flow, now: float) -> bool:
        """Whether a source may say who somebody is: a server of our accounts, or a network that the settings list."""
        return self._is_server(flow.remote_host, now) or (self._chosen and self.knows(flow, now))

    def may_prove_itself(self, method: str) -> bool:
        """Whether a stranger's request is worth parsing: an INVITE, where there are users with a password."""
        return method == "INVITE" and bool(self._users)

    def judge(self, request: Request, flow: Flow, now: float, half_open: Callable[[str], bool]) -> Refusal | None:
        """Return None for a request that may come in. It belongs to no dialog and no transaction that is there."""
        source = source_of(flow.remote_host)
        ringing_limit = self._ringing_limit
        if self._is_server(flow.remote_host, now):
            if request.method != "INVITE":
                return None
            if not self._server_calls.take(source, now):
                return Refusal(TOO_MANY_OF_A_SERVER, 480)
            ringing_limit = self._server_ringing_limit
        else:
            if not self.knows(flow, now):
                refusal = self._prove(request, flow, now)
                if refusal is not None:
                    return refusal
            if not self._calls.take(source, now):
                return Refusal(TOO_OFTEN, 503, (("Retry-After", str(RETRY_AFTER_S)),))
        if request.method == "INVITE" and self._rings_too_often(source, ringing_limit, half_open):
            return Refusal(TOO_MANY_RINGING, 486)
        return None

    def rings(self, session: str, flow: Flow) -> None:
        """Take note of a call that waits for our answer."""
        source = source_of(flow.remote_host)
        self._ringing.setdefault(source, []).append(session)
        self._ringing.move_to_end(source)
        if len(self._ringing) > SERVERS:
            self._ringing.popitem(last=False)

    def _rings_too_often(self, source: str, limit: int, half_open: Callable[[str], bool]) -> bool:
        ringing = self._ringing.get(source)
        if ringing is None or (len(ringing) < limit and len(ringing) % LOOK_THROUGH):
            return False
        # Now and then, and at the limit, those are taken out that were acknowledged or hung up meanwhile.
        ringing[:] = [session for session in ringing if half_open(session)]
        return len(ringing) >= limit

    def _prove(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        """Judge what a stranger shows. Only who calls himself one of our users hears of it: the rest find nobody here."""
        if not self.may_prove_itself(request.method) or request.from_.uri.user not in self._users:
            return Refusal(STRANGER)
        source = source_of(flow.remote_host)
        if not self._guesses.has(source, now):
            return Refusal(TOO_MANY_GUESSES)
        verdict = self._digest.check(request, source, now)
        if verdict is Verdict.GOOD:
            return None
        if verdict is Verdict.BAD:
            self._guesses.take(source, now)
        elif not self._challenges.take(source, now):
            return Refusal(TOO_OFTEN)
        challenge = self._digest.challenge(source, now, stale=verdict is Verdict.STALE)
        return Refusal(WRONG_PASSWORD, 401, challenge, counted=verdict is Verdict.BAD)

    def _is_server(self, host: str, now: float) -> bool:
        found_at = self._servers.get(plain(host))
        return found_at is not None and now - found_at <= SERVER_MEMORY_S

    def _is_listed(self, host: str) -> bool:
        address = address_of(host)
        return address is not None and any(address in network for network in self._networks)
