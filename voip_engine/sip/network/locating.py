"""From a domain to the servers that answer for it, in the order to try them (RFC 3263 §4, RFC 2782).

```
any transport ── NAPTR ─► SRV ─► A, AAAA        port given ──────────► A, AAAA
a transport ───────────► SRV ─► A, AAAA         literal address ─► itself
                        no SRV ─► A, AAAA of the domain, default port
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from random import Random
from typing import Protocol

from voip_engine.hosts import is_literal
from voip_engine.sip.flow import DEFAULT_PORTS, NextHop, Transport
from voip_engine.sip.network.sockets import TransportError

TARGETS = 16
"""No more servers of one domain are looked up and tried, however many its records list."""

_SERVICE_NAMES: Mapping[Transport, str] = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
_POINTER_SERVICES: Mapping[str, Transport] = {"sip+d2u": "UDP", "sip+d2t": "TCP", "sips+d2t": "TLS"}
# Answered by this machine or its neighbours, never by DNS (RFC 6761, RFC 6762).
_NOT_IN_DNS = ("localhost", "invalid", "local")


@dataclass(frozen=True, slots=True)
class Pointer:
    """One NAPTR record: which transport a domain prefers, and where its servers are listed."""

    order: int
    preference: int
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Service:
    """One SRV record."""

    priority: int
    weight: int
    port: int
    host: str


class Resolver(Protocol):
    """Looks things up. Names come without a dot at the end; what does not exist, or nobody answers for, is empty."""

    async def pointers(self, domain: str) -> list[Pointer]:
        """Return a domain's NAPTR records for terminal lookups of SRV (flag `s`)."""

    async def services(self, name: str) -> list[Service]:
        """Return the SRV records of a name."""

    async def addresses(self, host: str, transport: Transport) -> list[str]:
        """Return a host's literal addresses, best first. Raises TransportError when there are none."""


async def locate(hop: NextHop, resolver: Resolver, random: Random) -> tuple[NextHop, ...]:
    """Return the literal next hops to try one after the other. Raises TransportError.

    Their `domain` is the one that was asked for, which TLS certificates have to name (RFC 5922 §4).
    """
    if is_literal(hop.host):
        return (replace(hop, port=hop.port or DEFAULT_PORTS[hop.transport], any_transport=False),)
    servers = [] if hop.port or not _is_in_dns(hop.host) else await _servers(hop, resolver, random)
    if not servers:
        servers = [(hop.transport, hop.host, hop.port or DEFAULT_PORTS[hop.transport])]
    hosts = {host: transport for transport, host, _ in servers}
    looked_up = await asyncio.gather(
        *(resolver.addresses(host, transport) for host, transport in hosts.items()), return_exceptions=True
    )
    addresses: dict[str, list[str]] = {}
    for host, found in zip(hosts, looked_up, strict=True):
        if isinstance(found, TransportError):
            continue
        if isinstance(found, BaseException):
            raise found
        addresses[host] = found
    if not addresses:
        raise next(error for error in looked_up if isinstance(error, TransportError))
    domain = hop.domain or hop.host
    hops = (
        NextHop(transport, address, port, domain)
        for transport, host, port in servers
        for address in addresses.get(host, ())
    )
    return tuple(dict.fromkeys(hops))[:TARGETS]


async def _servers(hop: NextHop, resolver: Resolver, random: Random) -> list[tuple[Transport, str, int]]:
    """Return transport, host and port of a domain's servers by NAPTR and SRV; nothing when it has no such records."""
    domain = hop.host.rstrip(".")
    transports: tuple[Transport, ...] = tuple(_SERVICE_NAMES) if hop.any_transport else (hop.transport,)
    pointers = asyncio.ensure_future(resolver.pointers(domain)) if hop.any_transport else None
    # Asked at the same time, for a name server that does not answer costs seconds each time.
    listed = await asyncio.gather(
        *(resolver.services(f"{_SERVICE_NAMES[transport]}.{domain}") for transport in transports)
    )
    chosen = _chosen(await pointers) if pointers is not None else []
    if chosen:
        found = await asyncio.gather(*(resolver.services(name) for _, name in chosen))
        listed, transports = list(found), tuple(transport for transport, _ in chosen)
    else:
        # Without NAPTR one transport is taken, the first that has servers (RFC 3263 §4.1).
        first = next((number for number, services in enumerate(listed) if services), None)
        if first is None:
            return []
        listed, transports = [listed[first]], (transports[first],)
    servers = [
        (transport, service.host, service.port)
        for transport, services in zip(transports, listed, strict=True)
        for service in in_order(sorted(services, key=_priority)[:TARGETS], random)
    ]
    if servers and all(host in ("", ".") for _, host, _ in servers):
        raise TransportError(f"{domain} says that it takes no SIP calls (SRV). Check the address.")
    return [server for server in servers if server[1] not in ("", ".")][:TARGETS]


def in_order(services: Iterable[Service], random: Random) -> list[Service]:
    """Order SRV records: lower priorities first, chance by weight within one (RFC 2782)."""
    ordered: list[Service] = []
    for _, group in groupby(sorted(services, key=_priority), key=_priority):
        left = sorted(group, key=lambda each: each.weight)
        while left:
            drawn = random.randint(0, sum(each.weight for each in left))
            for each in left:
                drawn -= each.weight
                if drawn <= 0:
                    break
            left.remove(each)
            ordered.append(each)
    return ordered


def _priority(service: Service) -> int:
    return service.priority


def _chosen(pointers: list[Pointer]) -> list[tuple[Transport, str]]:
    """Return transport and SRV name of the pointers to follow: of the lowest order that we can, by preference."""
    known = [each for each in pointers if each.service.lower() in _POINTER_SERVICES]
    lowest = min((each.order for each in known), default=0)
    best = sorted((each for each in known if each.order == lowest), key=lambda each: each.preference)
    return [(_POINTER_SERVICES[each.service.lower()], each.replacement) for each in best[:TARGETS]]


def _is_in_dns(host: str) -> bool:
    labels = host.rstrip(".").lower().split(".")
    return len(labels) > 1 and labels[-1] not in _NOT_IN_DNS
