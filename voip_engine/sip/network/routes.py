"""What was found out about names and routes, and who waits for whom: short memories of the transport."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Container, Hashable
from random import Random
from typing import Generic, TypeVar

from voip_engine.hosts import is_literal
from voip_engine.sip.flow import DEFAULT_PORTS, NextHop, Transport
from voip_engine.sip.network.locating import Resolver, locate
from voip_engine.sip.network.sockets import source_address

CACHE_S = 30.0
CACHE_ENTRIES = 1024
FAILED_S = 60.0
"""How long a server that could not be reached, or did not answer, comes after the others of its name."""
PENDING_S = 33.0  # a little more than timers B and F: after that a failure helps no transaction
PENDING_ENTRIES = 4096

Remote = tuple[str, int]
T = TypeVar("T")


class _Cache(Generic[T]):
    """A bounded number of answers, each trusted for `lasting_s`."""

    def __init__(self, lasting_s: float = CACHE_S) -> None:
        self._lasting_s = lasting_s
        self._entries: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        expires_at, value = self._entries.get(key, (0.0, None))
        return value if asyncio.get_running_loop().time() < expires_at else None

    def put(self, key: Hashable, value: T) -> None:
        self._entries[key] = asyncio.get_running_loop().time() + self._lasting_s, value
        self._entries.move_to_end(key)
        if len(self._entries) > CACHE_ENTRIES:
            self._entries.popitem(last=False)

    def drop(self, key: Hashable) -> None:
        """Forget one answer."""
        self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


class Routes:
    """Addresses of next hops, and ours towards them, remembered for 30 s."""

    def __init__(self, resolver: Resolver, random: Random) -> None:
        self._resolver = resolver
        self._random = random
        self._targets = _Cache[tuple[NextHop, ...]]()
        self._sources = _Cache[str]()
        self._failed = _Cache[float](FAILED_S)

    def known(self, hop: NextHop) -> tuple[NextHop, ...]:
        """Literal next hops as far as known without looking anything up."""
        return (hop,) if is_literal(hop.host) else self._in_order(self._targets.get(hop) or ())

    async def find(self, hop: NextHop) -> tuple[NextHop, ...]:
        """Literal next hops, in the order to try them (see `locate`), those that failed last. Raises TransportError."""
        targets = self._targets.get(hop)
        if targets is None:
            targets = await locate(hop, self._resolver, self._random)
            self._targets.put(hop, targets)
        return self._in_order(targets)

    def put_last(self, transport: Transport, remote: Remote) -> None:
        """Try a server that could not be reached, or is silent, after the others of its name for a while."""
        self._failed.put((transport, *remote), asyncio.get_running_loop().time())

    def answers(self, transport: Transport, remote: Remote) -> None:
        """Take word that a server is there."""
        self._failed.drop((transport, *remote))

    def failed_at(self, hop: NextHop) -> float:
        """When a literal next hop failed last, 0 for not of late."""
        return self._failed.get((hop.transport, hop.host, hop.port or DEFAULT_PORTS[hop.transport])) or 0.0

    def forget(self) -> None:
        """Look everything up anew: the network has changed."""
        self._targets.clear()
        self._sources.clear()
        self._failed.clear()

    def source(self, remote_host: str) -> str:
        """Our address on the way to a literal address. Raises TransportError."""
        known = self._sources.get(remote_host)
        if known is None:
            known = source_address(remote_host)
            self._sources.put(remote_host, known)
        return known

    def _in_order(self, hops: tuple[NextHop, ...]) -> tuple[NextHop, ...]:
        return tuple(sorted(hops, key=self.failed_at))


class PendingTransactions:
    """Which transactions wait for an answer from whom; the oldest are forgotten."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[float, Transport, Remote]] = OrderedDict()

    def add(self, transaction: str, transport: Transport, remote: Remote) -> None:
        """Note that a transaction sent something."""
        now = asyncio.get_running_loop().time()
        self._sent[transaction] = now, transport, remote
        self._sent.move_to_end(transaction)
        while len(self._sent) > PENDING_ENTRIES or next(iter(self._sent.values()))[0] < now - PENDING_S:
            self._sent.popitem(last=False)

    def pop(self, transaction: str) -> tuple[Transport, Remote] | None:
        """Forget a transaction; returns whom it waited for."""
        sent = self._sent.pop(transaction, None)
        return None if sent is None else sent[1:]

    def waits_for(self, transaction: str) -> tuple[Transport, Remote] | None:
        """Return whom a transaction waits for."""
        sent = self._sent.get(transaction)
        return None if sent is None else sent[1:]

    def take(self, transport: Transport, remote: Remote, among: Container[str] | None = None) -> list[str]:
        """Forget those, or those `among` some, that wait for a remote address; give those young enough to care."""
        oldest = asyncio.get_running_loop().time() - PENDING_S
        waiting = [
            name
            for name, (_, over, to) in self._sent.items()
            if over == transport and to == remote and (among is None or name in among)
        ]
        return [name for name in waiting if self._sent.pop(name)[0] >= oldest]
