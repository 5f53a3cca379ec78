"""A little name server on loopback that answers from records in zone file notation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer(asyncio.DatagramProtocol):
    """Answers from `records`, each as `name kind value`; what is not there does not exist. `asked` says what was."""

    def __init__(self, records: list[str]) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.silent = False
        self._sets: dict[tuple[str, str], dns.rrset.RRset] = {}
        for record in records:
            name, kind, value = record.split(None, 2)
            more = dns.rrset.from_text(f"{name}.", 60, "IN", kind, value)
            known = self._sets.setdefault((name, kind), more)
            if known is not more:
                known.update(more)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        if self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found = self._sets.get((name, kind))
        if found is not None:
            answer.answer.append(found)
        elif not any(known == name for known, _ in self._sets):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def name_server(*records: str, port: int = 0) -> AsyncIterator[NameServer]:
    """A name server while the block runs."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(list(records)), local_addr=("127.0.0.1", port)
    )
    try:
        yield server
    finally:
        transport.close()
