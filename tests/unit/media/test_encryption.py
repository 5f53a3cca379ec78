"""Encrypted legs in the media loop, read and written by the tests' own SRTP."""

from __future__ import annotations

import socket
from dataclasses import replace
from itertools import count

import msgspec
import pytest
from support.media_peer import G722, PCMU, SILENCE, Loop, Peer, tone
from support.srtp_reference import Reference

from voip_engine.media.protocol import CloseLeg, PacketRejected, SpeechStarted
from voip_engine.rtp.packet import RtpPacket
from voip_engine.rtp.rtcp import ReceiverReport, SourceDescription, parse_compound, serialize_compound
from voip_engine.sdp.plan import HostPort, SrtpPlan

OURS, THEIRS, NEW = bytes(range(30)), bytes(range(30, 60)), bytes(range(60, 90))
SRTP = SrtpPlan("AES_CM_128_HMAC_SHA1_80", OURS, THEIRS)


class EncryptedPeer(Peer):
    """Sends and reads SRTP. Our side's sequence numbers begin at 65530, six before a wrap."""

    def __init__(self, loop: Loop, leg_id: int = 1, **plan: object) -> None:
        super().__init__(loop, leg_id, srtp=SRTP, **plan)
        self.theirs, self.ours = Reference(THEIRS), Reference(OURS)

    def say(self, payload: bytes, number: int, *, through: socket.socket | None = None) -> bytes:
        packet = replace(
            self.packet, sequence=number & 0xFFFF, timestamp=number * self.step & 0xFFFFFFFF, payload=payload
        )
        encrypted = self.theirs.encrypt(packet.serialize(), number >> 16)
        (through or self.socket).sendto(encrypted, self.local)
        return encrypted

    def encrypted(self) -> list[bytes]:
        """What has come, RTCP left out."""
        came = []
        while True:
            try:
                data = self.socket.recv(2048)
            except BlockingIOError:
                return came
            if not 192 <= data[1] <= 223:
                came.append(data)

    def heard(self) -> list[RtpPacket]:
        packets = []
        for data in self.encrypted():
            sequence = int.from_bytes(data[2:4], "big")
            packets.append(RtpPacket.parse(self.ours.decrypt(data, 0 if sequence > 60_000 else 1)))
        return packets


@pytest.fixture
def peers(loop):
    made = []

    def make(**options):
        made.append(EncryptedPeer(loop, **options))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
def stranger():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


def talk(loop, peer, payloads, numbers):
    for payload, number in zip(payloads, numbers, strict=False):
        peer.say(payload, number)
        loop.tick()


def test_both_directions_are_encrypted_beyond_the_wrap_of_the_sequence(loop, peers):
    peer = peers()
    peer.listen()
    talk(loop, peer, [SILENCE] * 20 + tone(40), count(65_500))
    packets = peer.heard()
    assert [packet.sequence for packet in packets] == [(65_530 + number) % 2**16 for number in range(len(packets))]
    assert {packet.payload for packet in packets} == {SILENCE}
    assert loop.of(SpeechStarted)
    figures = loop.figures(1)
    assert (figures.received_packets, figures.rejected_packets, figures.lost_packets) == (60, 0, 0)
    assert figures.srtp_mark.heard == (7, 65_559)
    assert 0 <= figures.srtp_mark.next_index - (1 << 16 | figures.next_sequence) <= 5


def test_plain_and_forged_packets_are_not_heard_and_replays_are_counted_as_doubles(loop, peers, stranger):
    peer = peers()
    peer.listen()
    for number in range(30):
        heard = peer.say(SILENCE, number)
        peer.socket.sendto(heard, peer.local)
        peer.send(tone(1)[0], number + 100)
        loop.tick(3)  # the express lane reads but one packet a tick
        stranger.sendto(heard, peer.local)
        loop.tick()
    figures = loop.figures(1)
    assert (figures.received_packets, figures.duplicate_packets, figures.rejected_packets) == (30, 30, 60)
    assert figures.remote_rtp == peer.address
    assert loop.of(SpeechStarted) == []
    reasons = {report.source: report.reason for report in loop.of(PacketRejected)}
    assert "authenticate" in reasons[peer.address]
    assert "heard before" in reasons[HostPort(*stranger.getsockname())]


def test_a_plain_packet_that_fits_exactly_is_not_taken_for_a_decrypted_one(loop, peers):
    peer = peers()
    peer.listen()
    talk(loop, peer, [SILENCE] * 30, count(0))
    leg = loop.media.legs[1]
    assert leg.seat.row in leg.bank.hear_lane, "it would go straight to the decoder there"
    talk(loop, peer, [SILENCE] * 2, count(30))
    for number in range(32, 62):
        peer.send(tone(1)[0], number)
        peer.say(SILENCE, number)
        loop.tick()
    figures = loop.figures(1)
    assert (figures.received_packets, figures.rejected_packets + figures.duplicate_packets) == (62, 30)
    assert loop.of(SpeechStarted) == []


def test_the_express_lanes_carry_encrypted_streams_as_they_carry_plain_ones(loop, peers):
    peer = peers()
    for number, payload in enumerate(tone(120)):
        peer.say(payload, number)
        loop.tick()
    leg = loop.media.legs[1]
    assert leg.seat.row in leg.bank.hear_lane
    assert leg.seat.row in leg.bank.speak_lane
    packets = peer.heard()
    assert [packet.sequence for packet in packets] == [(65_530 + number) % 2**16 for number in range(119)]
    figures = loop.figures(1)
    assert (figures.received_packets, figures.rejected_packets, figures.lost_packets) == (120, 0, 0)


def test_who_has_the_key_is_followed_at_once_and_later_when_it_holds(loop, peers, stranger):
    peer = peers()
    for number in range(20):
        stranger.sendto(replace(peer.packet, payload=SILENCE, sequence=number).serialize(), peer.local)
        loop.tick()
    assert peer.encrypted(), "twenty plain packets in sequence move nothing"
    peer.say(SILENCE, 20, through=stranger)
    loop.tick(3)
    assert Reference(OURS).decrypt(stranger.recv(2048), 1)
    peer.encrypted()
    talk(loop, peer, [SILENCE] * 4, count(21))
    assert peer.encrypted() == []
    talk(loop, peer, [SILENCE] * 4, count(25))
    assert peer.encrypted()
    assert loop.figures(1).received_packets == 9


def test_another_plan_with_the_same_keys_counts_on(loop, peers):
    peer = peers(receive=(PCMU, G722))
    talk(loop, peer, [SILENCE] * 20, count(0))
    before = peer.heard()
    for changes in ({"direction": "recvonly"}, {"direction": "sendrecv"}, {"send": G722}):
        peer.plan = msgspec.structs.replace(peer.plan, **changes)
        peer.configure()
        talk(loop, peer, [SILENCE] * 3, count(20))
    talk(loop, peer, [SILENCE] * 10, count(29))
    after = peer.heard()
    assert {packet.payload_type for packet in after} == {0, 9}
    numbers = [packet.sequence for packet in (*before, *after)]
    assert numbers == [(65_530 + number) % 2**16 for number in range(len(numbers))]
    assert loop.figures(1).rejected_packets == 0


def test_a_new_key_is_taken_and_the_old_one_still_heard_for_a_moment(loop, peers):
    peer = peers()
    talk(loop, peer, [SILENCE] * 10, count(0))
    peer.plan = msgspec.structs.replace(peer.plan, srtp=msgspec.structs.replace(SRTP, receive_key=NEW))
    peer.configure()
    talk(loop, peer, [SILENCE] * 3, count(10))
    peer.theirs = Reference(NEW)
    talk(loop, peer, [SILENCE] * 10, count(13))
    figures = loop.figures(1)
    assert (figures.received_packets, figures.lost_packets, figures.rejected_packets) == (23, 0, 0)


def test_rtcp_is_encrypted_and_only_believed_if_it_authenticates(loop, peers):
    peer = peers()
    talk(loop, peer, [SILENCE] * 10, count(0))
    report = serialize_compound([ReceiverReport(7, ()), SourceDescription(((7, "them"),))])
    peer.rtcp.sendto(report, (peer.local[0], peer.local[1] + 1))
    loop.tick()
    assert loop.figures(1).rejected_packets == 1
    loop.do(CloseLeg(1))
    plain, index = peer.ours.decrypt_rtcp(peer.rtcp.recv(2048))
    assert index >= 1
    assert parse_compound(plain)


@pytest.mark.parametrize("encrypted", [False, True])
def test_rtcp_shares_the_port_if_that_was_agreed(loop, encrypted):
    peer = EncryptedPeer(loop) if encrypted else Peer(loop, 1)
    peer.plan = msgspec.structs.replace(peer.plan, rtcp_mux=True, remote_rtcp=peer.plan.remote_rtp)
    peer.configure()
    said = peer.say if encrypted else peer.send
    report = serialize_compound([ReceiverReport(7, ()), SourceDescription(((7, "them"),))])
    for number in range(60):
        said(SILENCE, number)
        if number % 20 == 10 and not encrypted:
            peer.socket.sendto(report, peer.local)
        loop.tick()
    leg = loop.media.legs[1]
    assert encrypted or leg.seat.row in leg.bank.hear_lane, "RTCP takes nobody out of the express lane"
    assert loop.figures(1).rejected_packets == 0
    while True:
        try:
            peer.socket.recv(2048)
        except BlockingIOError:
            break
    loop.do(CloseLeg(1))
    goodbye = peer.socket.recv(2048)
    assert parse_compound(Reference(OURS).decrypt_rtcp(goodbye)[0] if encrypted else goodbye)
    peer.close()
