"""Keys on legs whose plans and peers change: none is lost, none counts twice."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest
from support.media_peer import OPUS, PCMU, Loop, Peer, speak, tone

from voip_engine.media.protocol import DtmfHeard, SendDtmf
from voip_engine.rtp.dtmf import TelephoneEvent
from voip_engine.rtp.packet import RtpPacket

EVENTS = {"telephone_event_send": 101, "telephone_event_receive": 101}
SHORT = ((160, False), (320, False), (480, False), *[(640, True)] * 3)
"""Durations and whether they are ends, of a key of 80 ms."""


@dataclass(frozen=True)
class Sent:
    """A key as it went out."""

    key: int
    packets: int
    ends: int
    markers: int
    duration: int


def keys_in(packets: list[RtpPacket], number: int = 101) -> list[Sent]:
    """The keys of a stream, told apart by their timestamps as a receiver does."""
    found: dict[int, list[RtpPacket]] = {}
    for packet in packets:
        if packet.payload_type == number:
            found.setdefault(packet.timestamp, []).append(packet)
    keys = []
    for each in found.values():
        events = [TelephoneEvent.parse(packet.payload) for packet in each]
        assert len({event.event for event in events}) == 1
        markers = sum(packet.marker for packet in each)
        keys.append(Sent(events[0].event, len(each), sum(event.end for event in events), markers, events[-1].duration))
    return keys


def agree(peer: Peer, **changes: object) -> None:
    """Agree on another plan."""
    peer.plan = msgspec.structs.replace(peer.plan, **changes)
    peer.configure()


def press(loop: Loop, digits: str) -> None:
    for digit in digits:
        loop.do(SendDtmf(1, digit, 160))


def whole(key: int, rate_hz: int = 8000) -> Sent:
    """A key of 160 ms in packets of 20 ms."""
    return Sent(key, 10, 3, 1, rate_hz * 160 // 1000)


@pytest.mark.parametrize("ticks", range(14))
def test_the_same_plan_again_disturbs_no_key(loop, peers, ticks):
    peer = peers(**EVENTS)
    press(loop, "123")
    loop.tick(ticks)
    peer.configure()
    loop.tick(60)
    assert keys_in(peer.received()) == [whole(1), whole(2), whole(3)]


def test_ticks_that_are_missed_cut_no_key_in_two(loop, peers):
    peer = peers(**EVENTS)
    press(loop, "1")
    loop.tick(4)
    loop.tick(skipped=5)
    loop.tick(30)
    assert keys_in(peer.received()) == [whole(1)]


def test_keys_go_on_after_a_hold(loop, peers):
    peer = peers(**EVENTS)
    press(loop, "12")
    loop.tick(5)
    agree(peer, direction="recvonly")
    loop.tick(1)  # sends what was made before
    before = peer.received()
    loop.tick(100)
    assert peer.received() == []
    agree(peer, direction="sendrecv")
    loop.tick(60)
    after = peer.received()
    assert keys_in(before + after) == [whole(1), whole(2)]
    audio = [packet for packet in after if packet.payload_type == 0]
    assert len(audio) > 20


def test_another_codec_and_packet_time_lose_no_key(loop, peers):
    peer = peers(**EVENTS)
    press(loop, "12")
    loop.tick(5)
    agree(
        peer,
        send=OPUS,
        receive=(OPUS,),
        packet_ms=40,
        telephone_event_send=96,
        telephone_event_clock_hz=48000,
    )
    loop.tick(60)
    packets = peer.received()
    (begun,), (rest, other) = keys_in(packets), keys_in(packets, 96)
    assert begun.ends == 0
    start = next(packet.timestamp for packet in packets if packet.payload_type == 101)
    assert next(packet.timestamp for packet in packets if packet.payload_type == 96) == start, "still the same press"
    assert (rest.key, rest.ends, rest.markers, rest.duration) == (1, 3, 0, 48 * 160)
    assert other == Sent(2, 6, 3, 1, 48 * 160)


def test_a_plan_without_keys_ends_them(loop, peers):
    peer = peers(**EVENTS)
    press(loop, "12")
    loop.tick(5)
    agree(peer, telephone_event_send=None)
    loop.tick(2)
    peer.received()
    loop.tick(20)
    assert [packet.payload_type for packet in peer.received()] == [0] * 20
    agree(peer, telephone_event_send=101)
    loop.tick(30)
    assert keys_in(peer.received()) == []


def test_beside_opus_keys_may_count_in_another_clock_than_audio(loop, peers):
    peer = peers(send=OPUS, receive=(OPUS,), **EVENTS)
    press(loop, "12")
    loop.tick(40)
    assert keys_in(peer.received()) == [whole(1), whole(2)]


def hear(loop: Loop, peer: Peer, key: int, number: int, **changes: object) -> int:
    """Let a peer press a key of 80 ms; returns the number of the packet that comes next."""
    changes = {"timestamp": number * 160, **changes}
    for number, (duration, end) in enumerate(SHORT, number):  # noqa: B020
        peer.send(TelephoneEvent(key, end, 10, duration).serialize(), number, payload_type=101, **changes)
        loop.tick()
    return number + 1


def heard(loop: Loop) -> str:
    return "".join(report.digit for report in loop.of(DtmfHeard))


@pytest.mark.parametrize("ssrc", [7, 555], ids=["the same SSRC", "another SSRC"])
@pytest.mark.parametrize("begin", [3_100_000_000, 2_999_999_000, 1_000_000_000, 5], ids=["later", "a bit", "back", "0"])
def test_keys_are_heard_after_a_stream_began_anew(loop, peers, ssrc, begin):
    peer = peers(**EVENTS)
    for number, payload in enumerate(tone(10)):
        peer.send(payload, number, timestamp=3_000_000_000 + number * 160)
        loop.tick()
    hear(loop, peer, 1, 10, timestamp=3_000_001_600)
    for index, payload in enumerate(tone(10)):
        peer.send(payload, 20_000 + index, ssrc=ssrc, timestamp=begin + index * 160)
        loop.tick()
    number = 20_010
    for key in (2, 3, 4):
        number = hear(loop, peer, key, number, ssrc=ssrc, timestamp=begin + (number - 20_000) * 160)
    assert heard(loop) == "1234"


def test_a_key_that_the_source_before_left_open_is_heard(loop, peers):
    peer = peers(**EVENTS)
    number = speak(loop, peer, tone(10))
    peer.send(TelephoneEvent(6, False, 10, 640).serialize(), number, payload_type=101, timestamp=1600)
    loop.tick()
    for index, payload in enumerate(tone(3)):
        peer.send(payload, 20_000 + index, ssrc=555)
        loop.tick()
    assert loop.of(DtmfHeard) == [DtmfHeard(1, "6", 80)]


@pytest.mark.parametrize("changed", [{}, {"telephone_event_clock_hz": 48000}], ids=["the same", "another clock"])
@pytest.mark.parametrize("before", range(6))
def test_a_plan_in_the_middle_of_a_key_counts_it_once(loop, peers, before, changed):
    peer = peers(**EVENTS)
    number = speak(loop, peer, tone(10))
    for index, (duration, end) in enumerate(SHORT):
        if index == before:
            agree(peer, **changed)
        event = TelephoneEvent(5, end, 10, duration)
        peer.send(event.serialize(), number + index, payload_type=101, timestamp=1600)
        loop.tick()
    loop.tick(60)
    assert heard(loop) == "5"


def test_a_key_held_beyond_a_segment_is_heard_once(loop, peers):
    peer = peers(send=OPUS, receive=(OPUS, PCMU), telephone_event_clock_hz=48000, **EVENTS)
    units, began = 0, 0
    for number in range(100):
        units += 960
        if units - began > 0xFFFF:
            began += 0xFFFF
        event = TelephoneEvent(9, number == 99, 10, units - began)
        peer.send(event.serialize(), number, payload_type=101, timestamp=4000 + began)
        loop.tick()
    loop.tick(60)
    assert loop.of(DtmfHeard) == [DtmfHeard(1, "9", 2000)]
