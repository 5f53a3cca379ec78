"""A leg whose address is this machine's no more goes on from another one."""

from __future__ import annotations

import contextlib
import itertools
import socket

import pytest
from support.media_peer import G722, PCMU, Loop, Peer, tone

from voip_engine.media.protocol import CloseLeg, ConfigureLeg, LegMoved, MoveLeg, OpenLeg, Play, RtpStart
from voip_engine.sdp.plan import HostPort

ELSEWHERE = HostPort("127.0.0.2", 0)


@pytest.fixture
def peer(loop):
    with contextlib.closing(Peer(loop, 1)) as made:
        yield made


def moved(loop: Loop, leg_id: int = 1) -> HostPort:
    loop.do(MoveLeg(leg_id, ELSEWHERE))
    told = loop.of(LegMoved)[-1]
    assert told.local is not None, told.reason
    return told.local


def converse(loop: Loop, peer: Peer, numbers: range) -> None:
    payloads = tone(len(numbers))
    for number, payload in zip(numbers, payloads, strict=True):
        peer.send(payload, number)
        loop.tick()


@pytest.mark.parametrize("send", [PCMU, G722], ids=["in the express lanes", "apart"])
def test_both_directions_go_on_from_another_address_without_a_break(loop, send):
    with contextlib.closing(Peer(loop, 1, send=send)) as peer:
        loop.do(Play(1, 1, bytes(2 * 16_000 * 10)))
        converse(loop, peer, range(100))
        before = peer.received()
        at = moved(loop)
        assert at.host == "127.0.0.2"
        assert at.port % 2 == 0
        peer.local = (at.host, at.port)
        converse(loop, peer, range(100, 200))
        after = peer.received()
        figures = loop.figures(1)
        assert figures.received_packets == 200
        assert figures.lost_packets == 0
        assert figures.remote_rtp == peer.address
    assert {packet.ssrc for packet in after} == {before[-1].ssrc}
    # What was composed in the tick before went down with its socket: one packet of 20 ms.
    assert (after[0].sequence - before[-1].sequence) % 65536 <= 2
    steps = {(late.sequence - early.sequence) % 65536 for early, late in itertools.pairwise(after)}
    assert steps == {1}


def test_the_old_ports_are_free(loop, peer):
    moved(loop)
    with socket.socket(type=socket.SOCK_DGRAM) as rtp, socket.socket(type=socket.SOCK_DGRAM) as rtcp:
        rtp.bind(peer.local)
        rtcp.bind((peer.local[0], peer.local[1] + 1))


def test_rtcp_comes_from_the_new_address(loop, peer):
    at = moved(loop)
    loop.media.close_all()
    _, source = peer.rtcp.recvfrom(2048)
    assert source == (at.host, at.port + 1)


def test_a_leg_without_a_plan_moves_too(loop):
    loop.do(OpenLeg(2, HostPort("127.0.0.1", 0), RtpStart(1, 2, 3)))
    at = moved(loop, 2)
    with contextlib.closing(Peer(loop, 3)) as peer:
        loop.do(CloseLeg(3))
        loop.do(ConfigureLeg(2, peer.plan))
        loop.do(Play(2, 1, bytes(2 * 16_000)))
        loop.tick(3)
        _, source = peer.socket.recvfrom(2048)
    assert source == (at.host, at.port)


def test_an_address_that_is_not_ours_leaves_the_leg_where_it_was(loop, peer):
    loop.do(MoveLeg(1, HostPort("192.0.2.1", 0)))
    told = loop.of(LegMoved)[-1]
    assert told.local is None
    assert "192.0.2.1" in told.reason
    converse(loop, peer, range(50))
    assert loop.figures(1).received_packets == 50


def test_a_leg_that_is_gone_is_not_moved(loop):
    loop.do(MoveLeg(9, ELSEWHERE))
    assert loop.of(LegMoved)[-1].local is None
