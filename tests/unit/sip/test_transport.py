from __future__ import annotations

import asyncio
import socket
import sys

import pytest
from support.sip_endpoint import ANSWER, OPTIONS, connected, endpoint, listening, stop_reading

from voip_engine.sip.effects import KeepAlive, SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.network.transport import SipTransport, TcpLimits, TransportError


def free_port(kind: socket.SocketKind) -> int:
    """A port on which nobody listens, a moment ago at least."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
async def test_datagrams_go_there_and_back(host: str) -> None:
    reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    async with endpoint() as here, endpoint() as there:
        local = await here.transport.listen("UDP", reach, 0)
        remote = await there.transport.listen("UDP", host, 0)
        here.transport.send(SendRequest(OPTIONS, NextHop("UDP", reach, remote.port), "t1"))
        data, flow = await there.data.get()
        assert data == OPTIONS
        assert flow == Flow("UDP", reach, remote.port, local.host, local.port)
        there.transport.send(SendOnFlow(ANSWER, flow))
        data, flow = await here.data.get()
        assert data == ANSWER
        assert flow == Flow("UDP", local.host, local.port, reach, remote.port)


async def test_names_are_looked_up() -> None:
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        hop = NextHop("UDP", "localhost", remote.port)
        await here.transport.listen("UDP", "127.0.0.1", 0)
        for number in range(2):
            here.transport.send(SendRequest(OPTIONS, hop, f"t{number}"))
            assert (await there.data.get())[0] == OPTIONS


async def test_connections_are_made_and_used_again_both_ways() -> None:
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("TCP", "127.0.0.1", 0)
        hop = NextHop("TCP", "localhost", remote.port)
        for number in range(3):
            here.transport.send(SendRequest(OPTIONS, hop, f"t{number}"))
        flows = [(await there.data.get())[1] for _ in range(3)]
        assert len(set(flows)) == 1
        assert (flows[0].local_host, flows[0].local_port) == ("127.0.0.1", remote.port)
        assert flows[0].connection
        there.transport.send(SendOnFlow(ANSWER, flows[0]))
        assert (await here.data.get())[0] == ANSWER
        # A request to where that connection comes from needs no other one.
        there.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", flows[0].remote_port), "back"))
        data, flow = await here.data.get()
        assert data == OPTIONS
        assert (flow.local_port, flow.remote_port) == (flows[0].remote_port, remote.port)


async def test_long_messages_go_over_connections() -> None:
    message = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 300000\r\n\r\n" + bytes(range(250)) * 1200
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("TCP", "127.0.0.1", 0)
        here.transport.send(SendRequest(message, NextHop("TCP", "127.0.0.1", remote.port), "t"))
        assert (await there.data.get())[0] == message


async def test_ipv6_connections() -> None:
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("TCP", "::1", 0)
        here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "::1", remote.port), "t"))
        data, flow = await there.data.get()
        assert (data, flow.remote_host) == (OPTIONS, "::1")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_port_in_use_is_said_in_plain_words(transport: str) -> None:
    async with endpoint() as here, endpoint() as there:
        taken = await here.transport.listen("UDP" if transport == "UDP" else "TCP", "127.0.0.1", 0)
        with pytest.raises(TransportError) as caught:
            await there.transport.listen(taken.transport, "127.0.0.1", taken.port)
        words = str(caught.value)
        assert f"Port {taken.port}/{transport.lower()} on 127.0.0.1 is already in use." in words
        assert "choose another port" in words


async def test_foreign_addresses_and_unknown_names_are_said_in_plain_words() -> None:
    async with endpoint() as here:
        with pytest.raises(TransportError, match=r"203\.0\.113\.9 is not an address of this machine"):
            await here.transport.listen("UDP", "203.0.113.9", 0)
        with pytest.raises(TransportError, match=r"No such host: nobody\.invalid"):
            await here.transport.local_address_for(NextHop("UDP", "nobody.invalid", 0))
        with pytest.raises(TransportError, match="No such host"):
            await here.transport.local_address_for(NextHop("UDP", "x" * 64 + ".example", 0))
        here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "nobody.invalid", 0), "t1"))
        transaction, reason = await here.failures.get()
        assert transaction == "t1"
        assert "nobody.invalid" in reason


async def test_the_local_address_is_one_that_the_peer_reaches() -> None:
    async with endpoint() as here:
        udp = await here.transport.listen("UDP", "0.0.0.0", 0)
        tcp = await here.transport.listen("TCP", "127.0.0.1", 0)
        peer = NextHop("UDP", "127.0.0.1", 5060)
        assert await here.transport.local_address_for(peer) == LocalAddress("UDP", "127.0.0.1", udp.port)
        assert await here.transport.local_address_for(NextHop("TCP", "127.0.0.1", 5060)) == tcp


async def test_a_socket_is_opened_where_none_fits() -> None:
    async with endpoint() as here, endpoint() as there:
        await here.transport.listen("UDP", "::1", 0)
        local = await here.transport.local_address_for(NextHop("UDP", "127.0.0.1", 5060))
        assert local.host == "127.0.0.1"
        assert await here.transport.local_address_for(NextHop("UDP", "127.0.0.1", 5061)) == local
        there_at = await there.transport.listen("UDP", "127.0.0.1", 0)
        there.transport.send(SendRequest(OPTIONS, NextHop("UDP", local.host, local.port), "t"))
        assert (await here.data.get())[1].remote_port == there_at.port
        # The same for TCP: others must be able to connect to what our Contact says.
        local = await here.transport.local_address_for(NextHop("TCP", "127.0.0.1", 5060))
        there.transport.send(SendRequest(OPTIONS, NextHop("TCP", local.host, local.port), "t"))
        assert (await here.data.get())[1].transport == "TCP"


async def test_a_request_opens_a_socket_by_itself() -> None:
    async with endpoint() as here, endpoint() as there:
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        here.transport.send(SendRequest(OPTIONS, NextHop("UDP", "127.0.0.1", remote.port), "t"))
        assert (await there.data.get())[0] == OPTIONS


async def test_a_refused_connection_fails_what_waits_for_it() -> None:
    async with endpoint() as here:
        port = free_port(socket.SOCK_STREAM)
        for number in range(2):
            here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", port), f"t{number}"))
        failures = [await here.failures.get() for _ in range(2)]
        assert failures == [(f"t{number}", f"nobody listens at 127.0.0.1:{port} over TCP") for number in range(2)]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_unreachable_port_fails_its_own_transactions_only(host: str) -> None:
    async with endpoint() as here, endpoint() as there:
        await here.transport.listen("UDP", host, 0)
        remote = await there.transport.listen("UDP", host, 0)
        port = free_port(socket.SOCK_DGRAM)
        here.transport.send(SendRequest(OPTIONS, NextHop("UDP", host, port), "dead"))
        here.transport.send(SendRequest(OPTIONS, NextHop("UDP", host, remote.port), "alive"))
        assert (await there.data.get())[0] == OPTIONS
        if sys.platform == "linux":  # other systems don't tell a socket that is not connected about ICMP errors
            transaction, reason = await here.failures.get()
            assert transaction == "dead"
            assert f":{port} over UDP" in reason
        assert here.failures.empty()


async def test_a_message_too_long_for_udp_fails() -> None:
    async with endpoint() as here:
        await here.transport.listen("UDP", "127.0.0.1", 0)
        here.transport.send(SendRequest(b"x" * 70_000, NextHop("UDP", "127.0.0.1", 5060), "t"))
        assert await here.failures.get() == ("t", "the message is too long for UDP")


async def test_long_datagrams_go_through() -> None:
    async with endpoint() as here, endpoint() as there:
        await here.transport.listen("UDP", "127.0.0.1", 0)
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        here.transport.send(SendRequest(b"x" * 60_000, NextHop("UDP", "127.0.0.1", remote.port), "t"))
        assert len((await there.data.get())[0]) == 60_000


async def test_datagrams_that_follow_each_other_are_kept_apart() -> None:
    sent = [bytes((letter,)) * size for letter, size in ((65, 60_000), (66, 10), (67, 1_000))]
    async with endpoint() as here, endpoint() as there:
        await here.transport.listen("UDP", "127.0.0.1", 0)
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        for data in sent:
            here.transport.send(SendRequest(data, NextHop("UDP", "127.0.0.1", remote.port), "t"))
        assert [(await there.data.get())[0] for _ in sent] == sent


class WithoutReaders(asyncio.SelectorEventLoop):
    """An event loop that cannot watch a socket for its user, as on Windows."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError

    def remove_reader(self, *_: object) -> bool:
        raise NotImplementedError


def test_datagrams_without_watched_sockets() -> None:
    async def there_and_back() -> LocalAddress:
        await test_datagrams_go_there_and_back("127.0.0.1")
        await test_an_unreachable_port_fails_its_own_transactions_only("127.0.0.1")
        async with endpoint() as here:
            return await here.transport.listen("UDP", "127.0.0.1", 0)

    with asyncio.Runner(loop_factory=WithoutReaders) as runner:
        left = runner.run(there_and_back())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind((left.host, left.port))  # it was given back


async def test_keep_alives_on_udp_are_nothing() -> None:
    async with endpoint() as here, endpoint() as there:
        await here.transport.listen("UDP", "127.0.0.1", 0)
        remote = await there.transport.listen("UDP", "127.0.0.1", 0)
        for data in (b"\r\n\r\n", b"\0", b"", OPTIONS):
            here.transport.send(SendRequest(data, NextHop("UDP", "127.0.0.1", remote.port), "t"))
        assert (await there.data.get())[0] == OPTIONS


async def test_pings_are_answered() -> None:
    async with endpoint() as here:
        address = await here.transport.listen("TCP", "127.0.0.1", 0)
        async with connected(address) as (reader, writer):
            writer.write(b"\r\n\r\n" + OPTIONS)
            assert await reader.readexactly(2) == b"\r\n"
            assert (await here.data.get())[0] == OPTIONS


async def test_our_connections_are_kept_alive() -> None:
    async with endpoint(TcpLimits(ping_s=0.01)) as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, _ = await connections.get()
        assert await reader.readexactly(len(OPTIONS) + 8) == OPTIONS + b"\r\n\r\n\r\n\r\n"


async def test_a_peer_that_answered_keep_alives_and_stops_is_given_up() -> None:
    limits = TcpLimits(ping_s=0.02, pong_s=0.05)
    async with endpoint(limits) as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        await reader.readexactly(len(OPTIONS))
        for _ in range(2):
            assert await reader.readexactly(4) == b"\r\n\r\n"
            writer.write(b"\r\n")
        # Now it reads, and says nothing.
        assert (await here.lost.get()).remote_port == hop.port
        assert (await here.failures.get())[0] == "t"


async def test_a_peer_that_never_answers_keep_alives_is_kept() -> None:
    async with endpoint(TcpLimits(ping_s=0.02, pong_s=0.01)) as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, _ = await connections.get()
        assert await reader.readexactly(len(OPTIONS) + 16) == OPTIONS + b"\r\n" * 8
        assert here.lost.empty()


async def test_answers_to_our_keep_alives_are_no_keep_alives_of_theirs() -> None:
    async with endpoint() as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        await reader.readexactly(len(OPTIONS))
        writer.write(OPTIONS)
        _, flow = await here.data.get()
        for _ in range(2):
            here.transport.keep_alive(KeepAlive(hop, flow))
            assert await reader.readexactly(4) == b"\r\n\r\n"
            writer.write(b"\r\n")
        writer.write(ANSWER)
        assert (await here.data.get())[0] == ANSWER
        here.transport.send(SendOnFlow(OPTIONS, flow))
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS


async def test_keep_alives_over_udp_leave_from_the_socket_of_the_messages() -> None:
    def receive(data: bytes, address: tuple[str, int]) -> None:
        received.put_nowait((data, address))

    received: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        asyncio.get_running_loop().add_reader(peer, lambda: receive(*peer.recvfrom(4096)))
        async with endpoint() as here:
            local = await here.transport.listen("UDP", "127.0.0.1", 0)
            here.transport.keep_alive(KeepAlive(NextHop("UDP", "127.0.0.1", peer.getsockname()[1]), None))
            assert await received.get() == (b"\r\n\r\n", ("127.0.0.1", local.port))
        asyncio.get_running_loop().remove_reader(peer)


async def test_after_a_change_of_network_connections_are_probed() -> None:
    limits = TcpLimits(probe_s=0.05)
    async with endpoint(limits) as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        await reader.readexactly(len(OPTIONS))
        here.transport.network_changed()
        assert await reader.readexactly(4) == b"\r\n\r\n"
        writer.write(b"\r\n" + OPTIONS)
        await here.data.get()
        here.transport.network_changed()
        assert await reader.readexactly(4) == b"\r\n\r\n"
        assert (await here.lost.get()).remote_port == hop.port


async def test_a_framing_error_ends_the_connection_after_what_came_before_it() -> None:
    async with endpoint(TcpLimits(linger_s=0.02)) as here:
        address = await here.transport.listen("TCP", "127.0.0.1", 0)
        async with connected(address) as (_, writer):
            writer.write(OPTIONS + OPTIONS.replace(b"Length: 0", b"Length: -1") + OPTIONS)
            error, flow = await here.framing_errors.get()
            assert error.status == 400
            assert (await here.data.get())[0] == OPTIONS
            assert await here.lost.get() == flow
            assert here.data.empty()


async def test_the_answer_to_a_framing_error_arrives() -> None:
    transport = SipTransport(
        lambda data, flow: None,
        lambda transaction, reason: None,
        lambda error, flow: transport.send(SendOnFlow(ANSWER, flow)),
        lambda flow, reason: None,
    )
    address = await transport.listen("TCP", "127.0.0.1", 0)
    async with connected(address) as (reader, writer):
        writer.write(OPTIONS.replace(b"Length: 0", b"Length: -1") + b"x" * 100_000)
        assert await reader.read() == ANSWER
    await transport.close()


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with endpoint(TcpLimits(first_message_s=0.02)) as here:
        address = await here.transport.listen("TCP", "127.0.0.1", 0)
        async with connected(address) as (reader, writer):
            writer.write(b"\r\n\r\nOPTIONS sip:")
            assert await reader.read() == b"\r\n"
        assert (await here.lost.get()).local_port == address.port


async def test_an_idle_connection_is_closed() -> None:
    async with endpoint(TcpLimits(first_message_s=0.02, idle_s=0.05)) as here:
        address = await here.transport.listen("TCP", "127.0.0.1", 0)
        async with connected(address) as (reader, writer):
            writer.write(OPTIONS)
            assert (await here.data.get())[0] == OPTIONS
            assert await reader.read() == b""


async def test_connections_of_others_are_limited() -> None:
    async with endpoint(TcpLimits(connections=1)) as here:
        address = await here.transport.listen("TCP", "127.0.0.1", 0)
        async with connected(address) as (_, first):
            first.write(OPTIONS)
            await here.data.get()
            async with connected(address) as (reader, _):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await reader.readexactly(1)
            first.write(OPTIONS)
            assert (await here.data.get())[0] == OPTIONS


async def test_a_peer_that_takes_nothing_is_cut_off_and_blocks_nobody() -> None:
    big = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    async with endpoint() as here, endpoint() as there, listening() as (deaf, connections):
        remote = await there.transport.listen("TCP", "127.0.0.1", 0)
        here.transport.send(SendRequest(OPTIONS, deaf, "first"))
        _, writer = await connections.get()
        stop_reading(writer)
        sent = 0
        while here.failures.empty():
            here.transport.send(SendRequest(big, deaf, "slow"))
            here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", remote.port), "quick"))
            assert (await there.data.get())[0] == OPTIONS
            sent += 1
            assert sent < 50
        failed = {(await here.failures.get())[0]}
        assert await here.lost.get()
        while not here.failures.empty():
            failed.add((await here.failures.get())[0])
        assert failed <= {"first", "slow"}
        assert "slow" in failed


async def test_a_lost_connection_is_told_and_fails_what_waits() -> None:
    async with endpoint() as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        await reader.readexactly(len(OPTIONS))
        writer.close()
        flow = await here.lost.get()
        assert flow.remote_port == hop.port
        transaction, reason = await here.failures.get()
        assert (transaction, reason) == (
            "t",
            f"127.0.0.1:{hop.port} closed the connection without a word; if it takes TLS there, add ;transport=tls",
        )
        assert here.reasons == [reason]
        # The next request opens another.
        here.transport.send(SendRequest(OPTIONS, hop, "u"))
        reader, _ = await connections.get()
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS


async def test_a_response_whose_connection_is_gone_takes_the_fallback() -> None:
    async with endpoint() as here, listening() as (hop, connections):
        gone = Flow("TCP", "127.0.0.1", 5060, "127.0.0.1", 40000, 77)
        here.transport.send(SendOnFlow(ANSWER, gone))
        here.transport.send(SendOnFlow(ANSWER, gone, hop))
        reader, _ = await connections.get()
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        here.transport.send(SendOnFlow(ANSWER, gone, hop))
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        assert connections.empty()


async def test_closing_delivers_what_was_sent_and_ends_every_task() -> None:
    before = asyncio.all_tasks()
    async with endpoint() as there:
        remote = await there.transport.listen("TCP", "127.0.0.1", 0)
        async with endpoint() as here:
            await here.transport.listen("UDP", "127.0.0.1", 0)
            here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", remote.port), "t"))
            assert (await there.data.get())[0] == OPTIONS
            here.transport.send(SendRequest(OPTIONS * 1000, NextHop("TCP", "127.0.0.1", remote.port), "u"))
            here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "slow.invalid", 5060), "never"))
        assert here.failures.empty()
        assert here.lost.empty()
        assert [(await there.data.get())[0] for _ in range(1000)] == [OPTIONS] * 1000
        here.transport.send(SendRequest(OPTIONS, NextHop("TCP", "127.0.0.1", remote.port), "after"))
    assert asyncio.all_tasks() == before


async def test_closing_does_not_wait_for_a_deaf_peer() -> None:
    async with listening() as (hop, connections), endpoint(TcpLimits(linger_s=0.02)) as here:
        here.transport.send(SendRequest(OPTIONS * 100, hop, "t"))
        _, writer = await connections.get()
        stop_reading(writer)
