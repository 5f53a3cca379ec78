from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import cast

import pytest
from aioice import stun
from support.sip_endpoint import OPTIONS, endpoint

from voip_engine.sip.effects import SendRequest
from voip_engine.sip.flow import NextHop


class StunServer(asyncio.DatagramProtocol):
    """Says that everybody is seen at 203.0.113.5, at the port after the true one."""

    def __init__(self) -> None:
        self.asked = 0
        self.silent = False
        self.garbage = False
        self.host = "203.0.113.5"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        request = stun.parse_message(data)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        if not self.garbage:
            answer.attributes["XOR-MAPPED-ADDRESS"] = (self.host, addr[1] + 1)
        # Somebody else's answer comes first.
        other = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, bytes(12))
        other.attributes["XOR-MAPPED-ADDRESS"] = ("198.51.100.66", 666)
        self._transport.sendto(bytes(other), addr)
        if not self.silent:
            self._transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def stun_server() -> AsyncIterator[StunServer]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        StunServer, local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()


async def test_the_socket_of_the_messages_is_asked_about_once() -> None:
    async with stun_server() as server, endpoint() as here:
        local = await here.transport.listen("UDP", "127.0.0.1", 0)
        for _ in range(2):
            seen = await here.transport.seen_address("127.0.0.1", "localhost", server.port)
            assert seen == ("203.0.113.5", local.port + 1)
        assert server.asked == 1
        here.transport.network_changed()
        await here.transport.seen_address("127.0.0.1", "127.0.0.1", server.port)
        assert server.asked == 2
        assert here.data.empty()


async def test_a_server_that_says_nothing_usable_is_asked_no_more_for_a_while() -> None:
    for fault in ("silent", "garbage"):
        async with stun_server() as server, endpoint() as here:
            setattr(server, fault, True)
            await here.transport.listen("UDP", "127.0.0.1", 0)
            assert await here.transport.seen_address("127.0.0.1", "127.0.0.1", server.port) is None
            asked = server.asked
            assert asked > 0
            assert await here.transport.seen_address("127.0.0.1", "127.0.0.1", server.port) is None
            assert server.asked == asked


async def test_an_address_that_nobody_can_reach_is_not_given_out() -> None:
    async with stun_server() as server, endpoint() as here:
        server.host = "0.0.0.0"
        await here.transport.listen("UDP", "127.0.0.1", 0)
        assert await here.transport.seen_address("127.0.0.1", "127.0.0.1", server.port) is None
        assert server.asked == 1


async def test_a_name_that_is_found_slowly_holds_no_call_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def never(*_: object, **__: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with endpoint() as here:
        await here.transport.listen("UDP", "127.0.0.1", 0)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", never)
        await asyncio.to_thread(import_module, "aioice.stun")
        began_s = loop.time()
        assert await here.transport.seen_address("127.0.0.1", "stun.example", 3478) is None
        assert asked.is_set()
        assert loop.time() - began_s < 3, "look-ups may last five seconds"


async def test_stun_is_never_taken_for_sip() -> None:
    unasked = bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, bytes(12)))
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        for data in (unasked, OPTIONS):
            here.transport.send(SendRequest(data, NextHop("UDP", "127.0.0.1", remote.port), "t"))
        assert (await there.data.get())[0] == OPTIONS
