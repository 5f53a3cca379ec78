"""A SIP transport under test, and stream peers that do by hand what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.network.locating import Resolver
from voip_engine.sip.network.tls import TlsContexts, TlsFiles
from voip_engine.sip.network.transport import SipTransport, TcpLimits

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Endpoint:
    """A transport under test, and what it said."""

    transport: SipTransport
    data: asyncio.Queue[tuple[bytes, Flow]] = field(default_factory=asyncio.Queue)
    failures: asyncio.Queue[tuple[str, str]] = field(default_factory=asyncio.Queue)
    framing_errors: asyncio.Queue[tuple[FramingError, Flow]] = field(default_factory=asyncio.Queue)
    lost: asyncio.Queue[Flow] = field(default_factory=asyncio.Queue)
    reasons: list[str] = field(default_factory=list)
    """Why each connection was lost."""


@asynccontextmanager
async def endpoint(
    limits: TcpLimits | None = None, tls: TlsFiles | None = None, resolver: Resolver | None = None
) -> AsyncIterator[Endpoint]:
    transport = SipTransport(
        lambda data, flow: made.data.put_nowait((data, flow)),
        lambda transaction, reason: made.failures.put_nowait((transaction, reason)),
        lambda error, flow: made.framing_errors.put_nowait((error, flow)),
        lambda flow, reason: (made.reasons.append(reason), made.lost.put_nowait(flow)),
        limits=limits,
        tls=TlsContexts(tls),
        resolver=resolver,
    )
    made = Endpoint(transport)
    try:
        yield made
    finally:
        await transport.close()


@asynccontextmanager
async def connected(
    address: LocalAddress, context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP or TLS peer that does by hand what the test says."""
    reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
    try:
        yield reader, writer
    finally:
        writer.close()


@asynccontextmanager
async def listening(
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[NextHop, asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]]:
    """A TCP or TLS server that does by hand what the test says with each connection."""
    connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        connections.put_nowait((reader, writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield NextHop("TLS" if context else "TCP", "127.0.0.1", server.sockets[0].getsockname()[1]), connections
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()


def stop_reading(writer: asyncio.StreamWriter) -> None:
    """Take nothing more from a connection, not even into the buffers of this process."""
    transport = writer.transport
    assert isinstance(transport, asyncio.ReadTransport)
    transport.pause_reading()
