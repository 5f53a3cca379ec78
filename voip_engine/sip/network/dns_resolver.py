"""Looks names up: NAPTR and SRV records by dnspython, addresses by the system's ways."""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from voip_engine.sip.flow import Transport
from voip_engine.sip.network.locating import Pointer, Service
from voip_engine.sip.network.sockets import TransportError, look_up

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver as Asker

log = logging.getLogger(__name__)

LOOKUP_S = 3.0
"""What a name server gets to answer. Many names have no such records, and some routers never say so."""


class DnsResolver:
    """Asks the system's name servers, or those given: them for addresses too, where else hosts file and mDNS count as well."""

    def __init__(self, nameservers: tuple[str, ...] = (), port: int = 53) -> None:
        self._nameservers = nameservers
        self._port = port

    async def pointers(self, domain: str) -> list[Pointer]:
        """Return a domain's NAPTR records for terminal lookups of SRV (flag `s`)."""
        return [
            Pointer(
                record.order, record.preference, record.service.decode("ascii", "replace"), _name(record.replacement)
            )
            for record in await self._ask(domain, "NAPTR")
            if record.flags.lower() == b"s"
        ]

    async def services(self, name: str) -> list[Service]:
        """Return the SRV records of a name."""
        return [
            Service(record.priority, record.weight, record.port, _name(record.target))
            for record in await self._ask(name, "SRV")
        ]

    async def addresses(self, host: str, transport: Transport) -> list[str]:
        """Return a host's literal addresses, best first. Raises TransportError when there are none."""
        if not self._nameservers:
            return await look_up(host, transport)
        asked = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        found = [str(record.address) for records in asked for record in records]
        if not found:
            raise TransportError(f"No such host: {host}. Check its spelling, and this machine's network and DNS.")
        return found

    async def _ask(self, name: str, kind: str) -> list[Any]:
        """Return records; nothing where there are none, and where nobody can tell: then the plain address has to do."""
        from dns.exception import DNSException

        try:
            # In a thread, for the first import takes a tenth of a second, and the configuration is a file.
            asker = await asyncio.to_thread(self._make_asker)
            return list(await asker.resolve(name, kind, lifetime=LOOKUP_S, search=False, raise_on_no_answer=False))
        except DNSException as error:
            log.debug("looking up %s of %s: %s", kind, name, type(error).__name__)
            return []

    def _make_asker(self) -> Asker:
        """Return dnspython's resolver for the name servers that this machine has now: another network has others."""
        asker = import_module("dns.asyncresolver").Resolver(configure=not self._nameservers)
        if self._nameservers:
            asker.nameservers = list(self._nameservers)
            asker.port = self._port
        return cast("Asker", asker)


def _name(name: Any) -> str:
    """Return a DNS name without the dot at its end; the root stays a dot."""
    return str(name.to_text(omit_final_dot=True)) if len(name) > 1 else "."
