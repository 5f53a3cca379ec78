"""What somebody at another address sends as if it were the other side's changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from support.media_peer import Loop, Peer, tone

from voip_engine.media.protocol import CloseLeg, LegOpened, OpenLeg, PacketRejected, RtpStart
from voip_engine.rtp.packet import RtpPacket
from voip_engine.rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, parse_compound, serialize_compound
from voip_engine.sdp.plan import HostPort

ELSEWHERE = "127.0.0.66"


@pytest.fixture
def peer(loop: Loop) -> Iterator[Peer]:
    made = Peer(loop, 1)
    for number, payload in enumerate(tone(10)):
        made.send(payload, number)
        loop.tick()
    yield made
    made.close()


@pytest.fixture
def spoofer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((ELSEWHERE, 0))
        made.setblocking(False)
        yield made


def test_rtcp_of_another_host_is_not_read_and_draws_no_reports_away(
    loop: Loop, peer: Peer, spoofer: socket.socket
) -> None:
    rtcp_address = (peer.local[0], peer.local[1] + 1)
    forged = ReceiverReport(7, (ReportBlock(99, 255, 999, 0, 8000, 0, 0),))
    for packets in ([forged], [forged, Goodbye((7,))]):
        spoofer.sendto(serialize_compound(packets), rtcp_address)
    loop.tick()
    figures = loop.figures(1)
    assert (figures.remote_loss_fraction, figures.remote_jitter_ms) == (None, None)
    assert figures.rejected_packets == 2
    assert [report.source for report in loop.of(PacketRejected)] == [HostPort(*spoofer.getsockname())]
    loop.do(CloseLeg(1))
    assert parse_compound(peer.rtcp.recv(2048))[-1] == Goodbye((99,))
    with pytest.raises(BlockingIOError):
        spoofer.recv(2048)


def test_rtcp_that_comes_to_the_rtp_port_before_the_answer_is_no_offence(loop: Loop) -> None:
    loop.do(OpenLeg(2, HostPort("127.0.0.1", 0), RtpStart(99, 0, 0)))
    [opened] = loop.of(LegOpened)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as early:
        early.sendto(serialize_compound([ReceiverReport(7, ()), Goodbye((7,))]), (opened.local.host, opened.local.port))
        loop.tick()
    assert loop.figures(2).rejected_packets == 0
    assert not loop.of(PacketRejected)


def test_rtp_with_everything_right_but_its_source_is_not_heard(loop: Loop, peer: Peer, spoofer: socket.socket) -> None:
    for number, payload in enumerate(tone(40), 10):
        spoofer.sendto(RtpPacket(0, number, number * 160, 7, payload).serialize(), peer.local)
        loop.tick()
    figures = loop.figures(1)
    assert figures.received_packets == 10
    assert figures.remote_rtp == peer.address
    with pytest.raises(BlockingIOError):
        spoofer.recv(2048)


def test_a_stranger_who_speaks_first_is_not_heard_and_keeps_nobody_out(loop: Loop, spoofer: socket.socket) -> None:
    peer = Peer(loop, 2)
    spoken = tone(60)
    for number, payload in enumerate(spoken):
        spoofer.sendto(RtpPacket(0, number, number * 160, 7, payload).serialize(), peer.local)
        if number >= 30:
            peer.send(payload, number - 30)
        loop.tick()
    figures = loop.figures(2)
    assert (figures.remote_rtp, figures.received_packets) == (peer.address, 30)
    with pytest.raises(BlockingIOError):
        spoofer.recv(2048)
    peer.close()


def test_who_has_a_part_in_the_signalling_is_followed_until_the_signalled_address_speaks(
    loop: Loop, spoofer: socket.socket
) -> None:
    peer = Peer(loop, 2)
    peer.configure(parties=(ELSEWHERE,))
    spoken = tone(60)
    for number in range(30):
        peer.send(spoken[number], number, through=spoofer)
        loop.tick()
    assert loop.figures(2).remote_rtp == HostPort(*spoofer.getsockname())
    assert spoofer.recv(2048)
    for number in range(30, 60):
        peer.send(spoken[number], number, ssrc=8)
        loop.tick()
    assert loop.figures(2).remote_rtp == peer.address
    assert peer.received()
    peer.close()
