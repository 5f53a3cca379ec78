"""Who may ask for an account's password: its own servers, and within a call for those realms only that they asked for before.

An answer to a challenge lets whoever gets it try passwords at leisure, and both who calls us and whom we call can challenge
what we send within the call. So the request must have gone to a server of the account, or the challenge must come from one;
within a dialog its realm must be known, too: one that was met by a request outside any, or that names the account's domain
or registrar. What a server passes on of others' challenges looks like its own (RFC 3261 §22.3): that a realm is forged there
nobody can tell.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from voip_engine.hosts import is_literal, plain
from voip_engine.sip.flow import NextHop

MEMORY_S = 3_600.0
"""How long an address is taken for a server's after it was last found or heard."""
MAX_SERVERS = 64
MAX_REALMS = 16


class Askers:
    """The servers of one account, and the realms they asked for. `names` are hosts as the settings name them.

    Hosts below a name are the account's, too; addresses are as long as `found` tells them. Times are in seconds.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(_plain(name) for name in names)
        self._found: OrderedDict[str, float] = OrderedDict()
        self._realms: set[str] = set()

    def found(self, hosts: Iterable[str], now: float) -> None:
        """Take hosts for the account's servers; beyond 64 the one that was found longest ago is forgotten."""
        for host in hosts:
            self._found[_plain(host)] = now
            self._found.move_to_end(_plain(host))
        while len(self._found) > MAX_SERVERS:
            self._found.popitem(last=False)

    def met(self, realm: str) -> None:
        """Know a realm from now on; the first 16 count."""
        if len(self._realms) < MAX_REALMS:
            self._realms.add(realm)

    def is_server(self, host: str, now: float) -> bool:
        """Whether a literal address or a name is one of the account's servers."""
        plain = _plain(host)
        found_at = self._found.get(plain)
        if found_at is not None and now - found_at <= MEMORY_S:
            return True
        return any(plain == name or plain.endswith(f".{name}") for name in self._names)

    def leads_to_server(self, hop: NextHop, now: float) -> bool:
        """Whether a request that goes there goes to one of the account's servers."""
        return self.is_server(hop.host, now) or (hop.domain != "" and self.is_server(hop.domain, now))

    def knows(self, realm: str) -> bool:
        """Whether a server of the account asked for a realm before, or a realm is its name."""
        return realm in self._realms or _plain(realm) in self._names


def _plain(host: str) -> str:
    """One spelling of a host: IPv4 as such, also where it stands in IPv6; names in lower case."""
    return plain(host) if is_literal(host) else host.lower().rstrip(".")
