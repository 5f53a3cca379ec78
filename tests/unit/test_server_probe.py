"""Asking a server whether it is there, over real sockets."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.certificates import Authority

from voip_engine.server_probe import Probed, probe
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.message import Request, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.tls import TlsContexts, TlsFiles
from voip_engine.sip.network.transport import TransportError


def answer(request: bytes) -> bytes:
    """404, for servers know nobody that asks without a name; that is an answer, too."""
    lines = request.decode().split("\r\n")
    kept = [line for line in lines if re.match("Via|From|To|Call-ID|CSeq", line)]
    return "\r\n".join(["SIP/2.0 404 Not Found", *kept, "Content-Length: 0", "", ""]).encode()


class Server(asyncio.DatagramProtocol):
    """Answers from the `patience`-th datagram on those requests that begin with `words`; keeps all."""

    def __init__(self, patience: int, words: bytes = b"") -> None:
        self._patience, self._words = patience, words
        self.heard: list[bytes] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append(data)
        self._patience -= 1
        if self._patience <= 0 and data.startswith(self._words):
            self.transport.sendto(answer(data), addr)


@asynccontextmanager
async def over_udp(server: Server) -> AsyncIterator[NextHop]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    yield NextHop("UDP", *transport.get_extra_info("sockname"))
    transport.close()


@asynccontextmanager
async def over_tls(context: ssl.SSLContext) -> AsyncIterator[NextHop]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(await reader.readuntil(b"\r\n\r\n")))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield NextHop("TLS", *server.sockets[0].getsockname())


async def test_whoever_answers_is_there_even_if_the_first_datagram_is_lost() -> None:
    async with over_udp(Server(2)) as hop:
        assert await probe(hop, TlsContexts()) == Probed(hop, answered=True)


async def test_silence_and_refusal_are_told_apart() -> None:
    async with over_udp(Server(100)) as hop:
        assert await probe(hop, TlsContexts()) == Probed(hop, answered=False)
    for transport in ("UDP", "TCP"):
        with pytest.raises(TransportError, match=f"nobody listens at {hop.host}:{hop.port} over {transport}"):
            await probe(NextHop(transport, hop.host, hop.port), TlsContexts())


async def test_a_certificate_counts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = authority.issue("pbx")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    async with over_tls(context) as hop:
        assert (await probe(hop, TlsContexts(TlsFiles(ca_file=str(authority.ca_file))))).hop.port == hop.port
        with pytest.raises(TransportError, match="authority that is not trusted here"):
            await probe(hop, TlsContexts())


async def test_who_never_answers_options_is_found_by_asking_for_the_bindings_of_an_account() -> None:
    alice = SipUri.parse("sip:alice@pbx.test")
    server = Server(1, b"REGISTER")
    async with over_udp(server) as hop:
        assert await probe(hop, TlsContexts(), alice) == Probed(hop, answered=True)
    queries = [parse_message(data) for data in server.heard if data.startswith(b"REGISTER")]
    for query in queries:
        assert isinstance(query, Request)
        assert (str(query.uri), query.headers.get("To")) == ("sip:pbx.test", "<sip:alice@pbx.test>")
        assert (
            query.headers.get("Contact") is query.headers.get("Authorization") is query.headers.get("Expires") is None
        )
    assert queries
