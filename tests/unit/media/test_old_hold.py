"""Hold by `c=0.0.0.0` (RFC 3264 §8.4), which says nothing about where the peer is."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest
from support.media_peer import PCMU, SILENCE, Loop, Peer

from voip_engine.media.ledger import Ledger
from voip_engine.media.protocol import CloseLeg, ConfigureLeg, OpenLeg, RtpStart
from voip_engine.sdp.plan import HostPort, MediaPlan


def a_socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.setblocking(False)
    return opened


@pytest.fixture
def others() -> Iterator[list[socket.socket]]:
    """Ports of this machine that have no part in the call: what is sent to 0.0.0.0 comes to them."""
    made = [a_socket(), a_socket()]
    yield made
    for opened in made:
        opened.close()


def came(through: socket.socket) -> list[bytes]:
    datagrams = []
    while True:
        try:
            datagrams.append(through.recv(2048))
        except BlockingIOError:
            return datagrams


def held(peer: Peer, others: list[socket.socket]) -> MediaPlan:
    """Its plan while it holds."""
    rtp, rtcp = (HostPort("0.0.0.0", opened.getsockname()[1]) for opened in others)
    return msgspec.structs.replace(peer.plan, remote_rtp=rtp, remote_rtcp=rtcp, direction="inactive")


def keep_open(loop: Loop) -> None:
    """Let 34 seconds pass, in which two keepalives are due."""
    leg = loop.media.legs[1]
    for now in range(int(leg.inbound.last_heard_s), int(leg.inbound.last_heard_s) + 34):
        leg.second(float(now))


def test_a_peer_that_holds_stays_where_it_was_heard(loop, peers, others) -> None:
    peer = peers()
    with a_socket() as behind_nat:
        for number in range(20):
            peer.send(SILENCE, number, through=behind_nat)
            loop.tick()
        talking = peer.plan
        for plan, keepalives in ((held(peer, others), 2), (talking, 0)):
            peer.plan = plan
            peer.configure()
            loop.tick(5)
            came(behind_nat)
            keep_open(loop)
            assert came(behind_nat).count(b"") == keepalives
            assert loop.figures(1).remote_rtp == HostPort(*behind_nat.getsockname())
        assert came(behind_nat), "we talk again"
    loop.do(CloseLeg(1))
    assert came(peer.rtcp), "RTCP went on"
    assert [came(opened) for opened in others] == [[], []]


def test_who_holds_from_the_start_is_nowhere_until_it_says_where(loop, others) -> None:
    peer = Peer(loop, 1, direction="inactive")
    loop.do(CloseLeg(1))
    loop.do(OpenLeg(1, HostPort("127.0.0.1", 0), RtpStart(99, 1, 1)))
    came(peer.rtcp)
    talking, peer.plan = peer.plan, held(peer, others)
    peer.configure()
    keep_open(loop)
    loop.media.legs[1].send_rtcp()
    assert [came(opened) for opened in others] == [[], []]
    peer.plan = msgspec.structs.replace(talking, direction="sendrecv")
    peer.configure()
    loop.tick(5)
    assert came(peer.socket)
    peer.close()


def test_another_process_finds_the_peer_that_holds() -> None:
    ledger, there = Ledger(), HostPort("192.0.2.1", 4000)
    ledger.command(OpenLeg(1, HostPort("127.0.0.1", 4000), RtpStart(9, 1, 0)), now=1.0)
    plan = MediaPlan(there, HostPort("192.0.2.1", 4001), PCMU, (PCMU,))
    ledger.command(ConfigureLeg(1, plan), now=1.0)
    ledger.command(ConfigureLeg(1, msgspec.structs.replace(plan, remote_rtp=HostPort("0.0.0.0", 4000))), now=2.0)
    _, configured = ledger.reopening(now=3.0)
    assert isinstance(configured, ConfigureLeg)
    assert configured.latched == there
