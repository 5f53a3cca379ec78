"""What was found out about names and routes, and who waits for whom: short memories of the transport."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic, TypeVar

from voip_engine.sip.flow import NextHop, Transport
from voip_engine.sip.sockets import is_literal, look_up, source_address

CACHE_S = 30.0
CACHE_ENTRIES = 1024
PENDING_S = 32.0  # timers B and F: after that a failure helps no transaction
PENDING_ENTRIES = 4096

Remote = tuple[str, int]
T = TypeVar("T")


class _Cache(Generic[T]):
    """A bounded number of answers, each trusted for a while."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        expires_at, value = self._entries.get(key, (0.0, None))
        return value if asyncio.get_running_loop().time() < expires_at else None

    def put(self, key: str, value: T) -> None:
        self._entries[key] = asyncio.get_running_loop().time() + CACHE_S, value
        self._entries.move_to_end(key)
        if len(self._entries) > CACHE_ENTRIES:
            self._entries.popitem(last=False)


class Routes:
    """Addresses of next hops, and ours towards them, remembered for 30 s."""

    def __init__(self) -> None:
        self._addresses = _Cache[list[str]]()
        self._sources = _Cache[str]()

    def known(self, hop: NextHop) -> list[str]:
        """Literal addresses of a next hop as far as known without looking it up."""
        return [hop.host] if is_literal(hop.host) else self._addresses.get(f"{hop.transport} {hop.host}") or []

    async def find(self, hop: NextHop) -> list[str]:
        """Literal addresses of a next hop, best first. Raises TransportError."""
        known = self.known(hop)
        if known:
            return known
        addresses = await look_up(hop.host, hop.transport)
        self._addresses.put(f"{hop.transport} {hop.host}", addresses)
        return addresses

    def source(self, remote_host: str) -> str:
        """Our address on the way to a literal address. Raises TransportError."""
        known = self._sources.get(remote_host)
        if known is None:
            known = source_address(remote_host)
            self._sources.put(remote_host, known)
        return known


class PendingTransactions:
    """Which transactions wait for an answer from whom; the oldest are forgotten."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[float, Transport, Remote]] = OrderedDict()

    def add(self, transaction: str, transport: Transport, remote: Remote) -> None:
        """Note that a transaction sent something."""
        self._sent[transaction] = asyncio.get_running_loop().time(), transport, remote
        self._sent.move_to_end(transaction)
        while len(self._sent) > PENDING_ENTRIES:
            self._sent.popitem(last=False)

    def discard(self, transaction: str) -> None:
        """Forget a transaction."""
        self._sent.pop(transaction, None)

    def take(self, transport: Transport, remote: Remote) -> list[str]:
        """Forget those that wait for a remote address; give those young enough to care."""
        oldest = asyncio.get_running_loop().time() - PENDING_S
        waiting = [name for name, (_, over, to) in self._sent.items() if over == transport and to == remote]
        return [name for name in waiting if self._sent.pop(name)[0] >= oldest]
