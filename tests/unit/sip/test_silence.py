"""Servers that say nothing: connections that are not made, those that lead nowhere any more, and those closed too soon."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.certificates import Authority
from support.sip_endpoint import ANSWER, OPTIONS, endpoint, listening

from voip_engine.sip.effects import SendOnFlow, SendRequest, Unanswered
from voip_engine.sip.flow import NextHop, Transport
from voip_engine.sip.network.locating import Pointer, Service
from voip_engine.sip.network.tls import TlsFiles
from voip_engine.sip.network.transport import TcpLimits

PING = b"\r\n\r\n"
SOON = TcpLimits(connect_s=0.1)


class TwoServers:
    """A domain with two servers on loopback, the second only to be asked when the first is not there."""

    def __init__(self, first: int, second: int) -> None:
        self._ports = first, second

    async def pointers(self, domain: str) -> list[Pointer]:
        return []

    async def services(self, name: str) -> list[Service]:
        return [Service(number, 0, port, f"s{number}.pbx.test") for number, port in enumerate(self._ports)]

    async def addresses(self, host: str, transport: Transport) -> list[str]:
        return ["127.0.0.1"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def mute() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def dropping() -> Iterator[int]:
    """A port that does not even take connections, as behind a firewall: its backlog is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        knocking = [socket.socket() for _ in range(4)]
        for each in knocking:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in knocking:
            each.close()


def server_context(authority: Authority, *names: str) -> ssl.SSLContext:
    issued = authority.issue("server", "127.0.0.1", *names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    return context


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
async def test_an_attempt_to_connect_is_given_up(transport: Transport) -> None:
    with dropping() as port:
        async with endpoint(SOON) as here, asyncio.timeout(5):
            here.transport.send(SendRequest(OPTIONS, NextHop(transport, "127.0.0.1", port), "t"))
            assert await here.failures.get() == ("t", f"127.0.0.1:{port} does not answer over {transport}")


async def test_who_does_not_shake_hands_is_given_up() -> None:
    with mute() as port:
        async with endpoint(SOON) as here, asyncio.timeout(5):
            here.transport.send(SendRequest(OPTIONS, NextHop("TLS", "127.0.0.1", port), "t"))
            assert await here.failures.get() == ("t", f"127.0.0.1:{port} does not answer over TLS")


async def test_what_still_waits_for_a_connection_fails_when_an_answer_is_overdue() -> None:
    with dropping() as port:
        async with endpoint() as here, asyncio.timeout(5):
            here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", port), "t"))
            here.transport.unanswered(Unanswered("t", given_up=False))
            assert await here.failures.get() == ("t", f"127.0.0.1:{port} does not answer over TCP")


async def test_a_tls_server_that_is_mute_holds_up_nobody_for_long_and_only_once(authority: Authority) -> None:
    files = TlsFiles(ca_file=str(authority.ca_file))
    asked = NextHop("TLS", "pbx.test", 0)
    with mute() as silent:
        async with (
            listening(server_context(authority, "pbx.test")) as (live, connections),
            endpoint(TcpLimits(patience_s=0.1), tls=files, resolver=TwoServers(silent, live.port)) as here,
            asyncio.timeout(5),
        ):
            assert [path.hop.port for path in await here.transport.paths_to(asked)] == [live.port]
            again = asyncio.ensure_future(here.transport.paths_to(asked))
            for _ in range(3):  # looked up already, it is there without waiting for anything
                await asyncio.sleep(0)
            assert [path.hop.port for path in again.result()] == [live.port, silent]
            here.transport.network_changed()
            assert [path.hop.port for path in await here.transport.paths_to(asked)] == [live.port, silent]
            assert connections.qsize() == 1


async def test_who_is_silent_comes_last_until_heard_again() -> None:
    asked = NextHop("UDP", "pbx.test", 0)
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    silent.setblocking(False)
    port = silent.getsockname()[1]
    with silent:
        async with endpoint(resolver=TwoServers(port, 5999)) as here:
            first, second = (path.hop for path in await here.transport.paths_to(asked))
            assert (first.port, second.port) == (port, 5999)
            here.transport.send(SendRequest(OPTIONS, first, "t"))
            _, us = await asyncio.get_running_loop().sock_recvfrom(silent, 4096)
            here.transport.unanswered(Unanswered("t", given_up=False))
            assert [path.hop for path in await here.transport.paths_to(asked)] == [second, first]
            silent.sendto(ANSWER, us)
            await here.data.get()
            assert [path.hop for path in await here.transport.paths_to(asked)] == [first, second]


async def test_a_connection_on_which_a_request_went_in_vain_is_cut_off() -> None:
    async with endpoint(TcpLimits(pong_s=0)) as here, listening() as (hop, connections), asyncio.timeout(5):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, _ = await connections.get()
        await reader.readexactly(len(OPTIONS))
        here.transport.unanswered(Unanswered("t", given_up=True))
        await here.lost.get()
        assert here.reasons == [f"127.0.0.1:{hop.port} does not answer any more"]
        here.transport.send(SendRequest(OPTIONS, hop, "u"))
        await connections.get()


async def test_a_connection_on_which_something_else_came_back_is_kept() -> None:
    async with endpoint(TcpLimits(pong_s=0)) as here, listening() as (hop, connections), asyncio.timeout(5):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        writer.write(ANSWER)
        await here.data.get()
        here.transport.unanswered(Unanswered("t", given_up=True))
        here.transport.send(SendRequest(OPTIONS, hop, "u"))
        assert await reader.readexactly(2 * len(OPTIONS))
        assert connections.empty()


async def test_after_a_change_of_network_a_connection_that_does_not_answer_is_cut_off() -> None:
    async with endpoint(TcpLimits(probe_s=0)) as here, listening() as (hop, connections), asyncio.timeout(5):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, _ = await connections.get()
        await reader.readexactly(len(OPTIONS))
        here.transport.network_changed()
        assert (await here.lost.get()).remote_port == hop.port


@pytest.mark.parametrize("last", [b"", OPTIONS.replace(b"OPTIONS", b"ACK")], ids=["", "ACK"])
async def test_after_a_change_of_network_a_connection_takes_nothing_new_until_something_comes(last: bytes) -> None:
    async with endpoint(TcpLimits(probe_s=0)) as here, listening() as (hop, connections), asyncio.timeout(5):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        writer.write(ANSWER)  # nothing is owed to us, and keep-alives need no answer
        _, flow = await here.data.get()
        if last:
            here.transport.send(SendRequest(last, hop, "t"))
        here.transport.network_changed()
        asked = OPTIONS + last + PING
        assert await reader.readexactly(len(asked)) == asked
        here.transport.send(SendRequest(OPTIONS, hop, "u"))
        newer, _ = await connections.get()
        assert await newer.readexactly(len(OPTIONS)) == OPTIONS
        here.transport.send(SendOnFlow(ANSWER, flow))  # what belongs there still goes there
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        assert here.lost.empty()


async def test_what_went_by_another_connection_to_the_same_server_does_not_fail_with_the_older_one() -> None:
    async with endpoint(TcpLimits(probe_s=0)) as here, listening() as (hop, connections), asyncio.timeout(5):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        writer.write(ANSWER)
        await here.data.get()
        here.transport.network_changed()
        assert await reader.readexactly(len(OPTIONS) + 4) == OPTIONS + PING
        here.transport.send(SendRequest(OPTIONS, hop, "u"))
        _, newer = await connections.get()
        writer.close()
        await here.lost.get()
        assert (await here.failures.get())[0] == "t"
        newer.write(ANSWER)
        await here.data.get()
        assert here.failures.empty()


async def test_over_tls_a_long_message_is_heard_that_the_other_side_closes_after(authority: Authority) -> None:
    body = b"x" * 60_000
    long = ANSWER.replace(b"Length: 0", b"Length: %d" % len(body)) + body
    files = TlsFiles(ca_file=str(authority.ca_file))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            plain, _ = listener.accept()
            with server_context(authority).wrap_socket(plain, server_side=True) as tls:
                tls.recv(4096)
                tls.sendall(long)

        async with endpoint(tls=files) as here, asyncio.timeout(5):
            for _ in range(5):
                answering = asyncio.create_task(asyncio.to_thread(answer))
                here.transport.send(SendRequest(OPTIONS, NextHop("TLS", *listener.getsockname()), "t"))
                assert (await here.data.get())[0] == long
                await answering
                await here.lost.get()
