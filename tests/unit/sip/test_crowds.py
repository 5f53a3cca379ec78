"""How many connections a source gets, and what becomes of those that strangers open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest

from voip_engine.sip.effects import SendOnFlow
from voip_engine.sip.flow import Flow, LocalAddress
from voip_engine.sip.network.transport import SipTransport, TcpLimits

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 0\r\n\r\n"
FRIEND, STRANGER, OTHER, THIRD = "127.0.0.1", "127.0.0.66", "127.0.0.67", "127.0.0.68"


class Crowd:
    """A transport that knows one friend, and those who connect to it from addresses of their own."""

    def __init__(self, limits: TcpLimits) -> None:
        self.flows: asyncio.Queue[Flow] = asyncio.Queue()
        self.asked_about: list[Flow] = []
        self.transport = SipTransport(
            lambda data, flow: self.flows.put_nowait(flow),
            lambda transaction, reason: None,
            lambda error, flow: None,
            lambda flow, reason: None,
            knows=self._knows,
            limits=limits,
        )
        self.stack = AsyncExitStack()
        self.address: LocalAddress

    def _knows(self, flow: Flow) -> bool:
        self.asked_about.append(flow)
        return flow.remote_host == FRIEND

    async def comes(self, host: str) -> tuple[asyncio.StreamReader, Flow] | None:
        """Connect and say something; None when the connection was not taken."""
        reader, writer = await asyncio.open_connection(self.address.host, self.address.port, local_addr=(host, 0))
        self.stack.callback(writer.close)
        writer.write(OPTIONS)
        taken, refused = asyncio.create_task(self.flows.get()), asyncio.create_task(_ended(reader))
        done, _ = await asyncio.wait((taken, refused), return_when=asyncio.FIRST_COMPLETED)
        for task in (taken, refused):
            task.cancel()
        await asyncio.gather(taken, refused, return_exceptions=True)
        return (reader, taken.result()) if taken in done else None


async def _ended(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionResetError):
        assert await reader.read() == b""


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    limits = TcpLimits(connections=9, connections_per_source=4, connections_per_stranger=2, connections_of_strangers=3)
    made = Crowd(limits)
    made.address = await made.transport.listen("TCP", "127.0.0.1", 0)
    async with made.stack:
        yield made
    await made.transport.close()


async def test_a_stranger_gets_few_connections_and_friends_get_theirs_beside_them(crowd: Crowd) -> None:
    assert [await crowd.comes(STRANGER) is not None for _ in range(3)] == [True, True, False]
    assert await crowd.comes(FRIEND) is not None


async def test_of_many_strangers_the_one_that_is_here_longest_makes_room_for_the_next(crowd: Crowd) -> None:
    came = [await crowd.comes(host) for host in (STRANGER, STRANGER, OTHER, THIRD)]
    (first, _), (second, _), *_ = [each for each in came if each is not None]
    assert None not in came
    await _ended(first)
    assert await crowd.comes(STRANGER) is not None
    await _ended(second)


async def test_a_stranger_who_is_to_be_kept_is_none_any_more(crowd: Crowd) -> None:
    kept = await crowd.comes(STRANGER)
    assert kept is not None
    reader, flow = kept
    crowd.transport.keep(flow)
    crowd.transport.cut_off(flow)
    for host in (STRANGER, STRANGER, OTHER, OTHER):
        assert await crowd.comes(host) is not None
    crowd.transport.send(SendOnFlow(OPTIONS, flow))
    assert await reader.readexactly(len(OPTIONS)) == OPTIONS


async def test_a_stranger_s_keep_alives_are_not_read_for_ever(crowd: Crowd) -> None:
    for host, taken in ((STRANGER, False), (FRIEND, True)):
        reader, writer = await asyncio.open_connection(crowd.address.host, crowd.address.port, local_addr=(host, 0))
        writer.write(b"\r\n\r\n" * 20_000)
        if taken:
            assert await reader.readexactly(40_000) == b"\r\n" * 20_000
        else:
            await _ended(reader)
        writer.close()


async def test_a_stranger_s_long_message_is_not_waited_for(crowd: Crowd) -> None:
    message = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: %d\r\n\r\n"
    for host, length, taken in ((STRANGER, 65_000, True), (STRANGER, 66_000, False), (FRIEND, 66_000, True)):
        reader, writer = await asyncio.open_connection(crowd.address.host, crowd.address.port, local_addr=(host, 0))
        writer.write(message % length)
        if taken:
            writer.write(b"x" * length)
            assert (await crowd.flows.get()).remote_host == host
        else:
            await _ended(reader)
        writer.close()


async def test_who_may_call_gets_more_but_not_all(crowd: Crowd) -> None:
    assert [await crowd.comes(FRIEND) is not None for _ in range(5)] == [True] * 4 + [False]
    assert await crowd.comes(STRANGER) is not None


async def test_a_connection_that_is_cut_off_makes_room(crowd: Crowd) -> None:
    came = await crowd.comes(STRANGER)
    assert came is not None
    reader, flow = came
    assert await crowd.comes(STRANGER) is not None
    assert await crowd.comes(STRANGER) is None
    crowd.transport.cut_off(flow)
    await _ended(reader)
    assert await crowd.comes(STRANGER) is not None


async def test_those_who_are_in_are_not_asked_about_for_each_who_comes(crowd: Crowd) -> None:
    for host in (STRANGER, OTHER, FRIEND, FRIEND, FRIEND):
        crowd.asked_about.clear()
        assert await crowd.comes(host) is not None
        assert len(set(crowd.asked_about)) == 1
