"""Legs in the media loop, tick by tick: what goes out, whom they listen to, how they come and go."""

from __future__ import annotations

import gc
import socket
from itertools import pairwise

import numpy as np
import pytest
from support.media_peer import G722, OPUS, PCMA, SILENCE, pcm_of, speak, tone

from voip_engine.codecs import g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, create_encoder
from voip_engine.media.protocol import (
    CloseLeg,
    ConfigureLeg,
    DtmfHeard,
    LegFailed,
    LegOpened,
    OpenLeg,
    PacketRejected,
    Play,
    PlayoutEnded,
    RtpStart,
    SendDtmf,
    SpeechStarted,
    UtteranceHeard,
)
from voip_engine.rtp.dtmf import TelephoneEvent
from voip_engine.rtp.rtcp import Goodbye, ReceiverReport, ReportBlock, parse_compound, serialize_compound
from voip_engine.sdp.plan import HostPort


def test_what_is_played_goes_out_and_silence_otherwise(loop, peers):
    peer = peers()
    loop.tick(3)
    loop.do(Play(1, 5, (np.ones(800) * 4000).astype("<i2").tobytes(), rate_hz=8000))
    loop.tick(10)
    packets = peer.received()
    assert [packet.sequence for packet in packets] == [(65530 + n) & 0xFFFF for n in range(12)]
    assert [packet.timestamp for packet in packets] == [(2**32 - 800 + 160 * n) % 2**32 for n in range(12)]
    assert [packet.marker for packet in packets] == [True] + [False] * 11
    assert {packet.ssrc for packet in packets} == {99}
    loud = [packet.payload != SILENCE for packet in packets]
    assert loud == [False] * 3 + [True] * 5 + [False] * 4
    assert loop.of(PlayoutEnded) == [PlayoutEnded(1, 5, 800, True, 8000)]


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_packets_of_other_lengths(loop, peers, frames):
    peer = peers(packet_ms=20 * frames)
    loop.do(Play(1, 5, (np.ones(4800) * 4000).astype("<i2").tobytes(), rate_hz=8000))
    loop.tick(13)
    packets = peer.received()
    assert len(packets) == 12 // frames
    assert {len(packet.payload) for packet in packets} == {160 * frames}
    assert [packet.timestamp for packet in packets] == [
        (2**32 - 800 + 160 * frames * n) % 2**32 for n in range(len(packets))
    ]


def test_missed_ticks_keep_the_timestamp_true_and_set_the_marker(loop, peers):
    peer = peers()
    loop.tick(5)
    before = peer.received()[-1]
    loop.tick(skipped=3)
    loop.tick(2)
    after = peer.received()
    # One was made before the ticks were missed.
    assert after[0].timestamp == (before.timestamp + 160) % 2**32
    assert after[1].timestamp == (before.timestamp + 160 * 5) % 2**32
    assert after[1].sequence == (before.sequence + 2) % 2**16
    assert [packet.marker for packet in after] == [False, True, False][: len(after)]


@pytest.mark.parametrize(
    ("direction", "sends", "hears"),
    [("sendrecv", True, True), ("sendonly", True, False), ("recvonly", False, True), ("inactive", False, False)],
)
def test_directions_are_kept(loop, peers, direction, sends, hears):
    peer = peers(direction=direction)
    peer.listen()
    speak(loop, peer, tone(30))
    assert bool(peer.received()) is sends
    assert bool(loop.of(SpeechStarted)) is hears


@pytest.mark.parametrize("payload_type", [PCMA, G722, OPUS], ids=lambda one: one.codec)
def test_other_codecs_both_ways(loop, peers, payload_type):
    peer = peers(send=payload_type)
    peer.listen()
    rate_hz = AUDIO_RATE_HZ[payload_type.codec]
    audio = (0.3 * np.sin(2 * np.pi * 500 * np.arange(rate_hz) / rate_hz)).astype(np.float32)
    frames = audio.reshape(50, -1)
    if payload_type is PCMA:
        payloads = [row.tobytes() for row in g711.encode("PCMA", frames)]
    else:
        encoder = create_encoder(payload_type.codec)
        payloads = [encoder.encode(frame) for frame in frames]
        encoder.close()
    speak(loop, peer, payloads)
    loop.tick(40)
    heard = loop.of(UtteranceHeard)[0]
    assert heard.rate_hz == rate_hz
    spectrum = np.abs(np.fft.rfft(pcm_of(heard)[:rate_hz]))
    assert spectrum.argmax() == pytest.approx(500, abs=3)
    peer.received()
    loop.do(Play(1, 1, heard.pcm, rate_hz=rate_hz))
    loop.tick(30)
    sent = peer.received()
    assert {packet.payload_type for packet in sent} == {payload_type.number}
    steps = {(b.timestamp - a.timestamp) % 2**32 for a, b in pairwise(sent)}
    assert steps == {payload_type.clock_rate_hz // 50}


def test_foreign_and_malformed_packets_change_nothing(loop, peers):
    peer = peers()
    peer.listen()
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.1", 0))
    loud = tone(60)
    for number in range(60):
        peer.send(SILENCE, number)
        if number > 5:
            peer.send(loud[number], number, through=stranger)
        stranger.sendto(b"\x80", peer.local)
        peer.socket.sendto(b"GET / HTTP/1.1", peer.local)
        peer.send(SILENCE, number, payload_type=77)
        loop.tick()
    assert loop.of(SpeechStarted) == []
    figures = loop.figures(1)
    assert figures.received_packets == 60
    assert (figures.lost_packets, figures.late_packets, figures.duplicate_packets) == (0, 0, 0)
    assert figures.rejected_packets == 54 + 60 * 3
    assert figures.remote_rtp == peer.address
    sources = [report.source for report in loop.of(PacketRejected)]
    assert sorted(sources, key=str) == sorted([peer.address, HostPort(*stranger.getsockname())], key=str)
    stranger.close()


def test_a_peer_behind_nat_is_followed_and_then_nobody_else(loop, peers):
    peer = peers()
    peer.listen()
    translated, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for one in (translated, other):
        one.bind(("127.0.0.1", 0))
        one.setblocking(False)
    payloads = tone(60)
    for number in range(40):
        peer.send(payloads[number], number, through=translated)
        if number > 10:
            peer.send(payloads[number], number, through=other, ssrc=5)
        loop.tick()
    assert loop.figures(1).remote_rtp == HostPort(*translated.getsockname())
    assert loop.of(SpeechStarted)
    assert translated.recv(2048)
    with pytest.raises(BlockingIOError):
        other.recv(2048)
    peer.configure()
    loop.tick()
    assert loop.figures(1).remote_rtp == HostPort(*translated.getsockname()), "the same plan again moves nothing"
    translated.close()
    other.close()


def test_keys_are_sent_instead_of_audio_and_heard_once(loop, peers):
    peer = peers(telephone_event_send=101, telephone_event_receive=101)
    loop.tick(10)
    peer.received()
    loop.do(Play(1, 1, (np.ones(160 * 40) * 4000).astype("<i2").tobytes(), rate_hz=8000))
    loop.do(SendDtmf(1, "7", 100))
    loop.tick(60)
    packets = peer.received()
    events = [packet for packet in packets if packet.payload_type == 101]
    assert len({packet.timestamp for packet in events}) == 1
    assert [TelephoneEvent.parse(packet.payload).end for packet in events] == [False] * 4 + [True] * 3
    assert [packet.sequence for packet in packets] == [
        (packets[0].sequence + index) % 2**16 for index in range(len(packets))
    ]
    assert loop.of(PlayoutEnded) == [PlayoutEnded(1, 1, 160 * 40, True, 8000)], (
        "what was played waited, and was not lost"
    )
    audio = [packet for packet in packets if packet.payload_type == 0]
    start = events[0].timestamp
    following = next(packet for packet in audio if (packet.timestamp - start) % 2**32 < 2**31)
    assert (following.timestamp - start) % 2**32 == 160 * 10, "seven packets of the key and the pause behind it"
    for index, event in enumerate(events):
        peer.send(event.payload, index, payload_type=101, timestamp=4000)
        loop.tick()
    assert loop.of(DtmfHeard) == [DtmfHeard(1, "7", 100)]


def test_rtcp_is_sent_and_read_and_ends_with_bye(loop, peers):
    peer = peers()
    speak(loop, peer, tone(50))
    block = ReportBlock(99, 128, 3, 0, 80, 0, 0)
    rtcp_address = (peer.local[0], peer.local[1] + 1)
    peer.rtcp.sendto(serialize_compound([ReceiverReport(7, (block,))]), rtcp_address)
    peer.rtcp.sendto(b"nonsense", rtcp_address)
    loop.tick()
    figures = loop.figures(1)
    assert figures.remote_loss_fraction == 0.5
    assert figures.remote_jitter_ms == 10.0
    assert figures.rejected_packets == 1
    loop.do(CloseLeg(1))
    last = parse_compound(peer.rtcp.recv(2048))
    assert last[0].blocks[0].ssrc == 7
    assert last[0].blocks[0].highest_sequence == 49
    assert last[-1] == Goodbye((99,))


def test_a_codec_change_in_the_middle_of_speech_and_playing(loop, peers):
    peer = peers()
    peer.listen()
    loop.do(Play(1, 1, (np.ones(160 * 100) * 4000).astype("<i2").tobytes(), rate_hz=8000))
    number = speak(loop, peer, tone(40))
    peer.received()
    wide = ConfigureLeg(1, type(peer.plan)(peer.address, peer.plan.remote_rtcp, OPUS, (OPUS,)))
    loop.do(wide)
    loop.tick(70)
    assert len(loop.of(UtteranceHeard)) == 1
    packets = peer.received()
    assert [packet.payload_type for packet in packets[1:]] == [111] * (len(packets) - 1)
    assert packets[1].marker
    assert packets[1].sequence == (packets[0].sequence + 1) % 2**16
    assert loop.of(PlayoutEnded) == [PlayoutEnded(1, 1, 16000, True, 8000)]
    assert number == 40


def test_many_legs_come_and_go(loop, peers):
    for round_number in range(3):
        made = [peers(leg_id) for leg_id in range(100 * round_number, 100 * round_number + 40)]
        for peer in made:
            peer.listen()
        for number, payload in enumerate(tone(30)):
            for peer in made:
                peer.send(payload, number)
            loop.tick()
        started = {report.leg_id for report in loop.of(SpeechStarted)}
        assert {peer.leg_id for peer in made} <= started
        assert all(len(peer.received()) == 29 for peer in made)
        for peer in made:
            loop.do(CloseLeg(peer.leg_id))
            peer.close()
    assert loop.media.idle


def test_a_closed_leg_is_forgotten_without_the_collector(loop, peers):
    peer = peers()
    peer.listen()
    speak(loop, peer, tone(40))
    loop.do(Play(1, 1, bytes(3200), rate_hz=8000))
    loop.tick(5)
    gc.collect()
    gc.disable()
    try:
        loop.do(CloseLeg(1))
        loop.reports.clear()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_ports_are_even_and_taken_from_the_range(loop):
    ports = []
    for leg_id in range(3):
        loop.do(OpenLeg(leg_id, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1), (47001, 47007)))
        opened = loop.reports[-1]
        assert isinstance(opened, LegOpened)
        ports.append(opened.local.port)
    assert sorted(ports) == [47002, 47004, 47006]
    loop.do(OpenLeg(9, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1), (47001, 47007)))
    failed = loop.reports[-1]
    assert isinstance(failed, LegFailed)
    assert "47001 to 47007" in failed.reason
    loop.do(CloseLeg(1))
    loop.do(OpenLeg(10, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1), (47001, 47007)))
    assert isinstance(loop.reports[-1], LegOpened)


def test_an_address_that_is_not_ours_is_said_in_plain_words(loop):
    loop.do(OpenLeg(1, HostPort("192.0.2.1", 4000), RtpStart(1, 1, 1)))
    failed = loop.reports[-1]
    assert isinstance(failed, LegFailed)
    assert failed.reason == "The UDP address 192.0.2.1 port 4000 cannot be bound: Cannot assign requested address."


def test_commands_for_legs_that_are_gone_change_nothing(loop):
    loop.do(Play(5, 1, b"", rate_hz=8000))
    loop.do(CloseLeg(5))
    loop.do(SendDtmf(5, "1"))
    assert loop.reports == [PlayoutEnded(5, 1, 0, False, 8000)]


def empties(sock: socket.socket) -> int:
    count = 0
    while True:
        try:
            count += sock.recv(2048) == b""
        except BlockingIOError:
            return count


@pytest.mark.parametrize(
    ("direction", "mux", "kept"), [("recvonly", False, 2), ("sendrecv", False, 0), ("inactive", True, 0)]
)
def test_a_way_through_nats_is_kept_open_while_nothing_is_sent(loop, peers, direction, mux, kept):
    peer = peers(direction=direction, rtcp_mux=mux)
    leg = loop.media.legs[1]
    loop.tick(5)
    for now in range(int(leg.inbound.last_heard_s), int(leg.inbound.last_heard_s) + 34):
        leg.second(float(now))
    assert empties(peer.socket) == kept
    peer.socket.sendto(b"", peer.local)
    loop.tick(2)
    assert loop.figures(1).rejected_packets == 0
