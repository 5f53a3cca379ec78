"""Keys as telephone-events (RFC 4733)."""

from __future__ import annotations

import pytest

from voip_engine.rtp.dtmf import DtmfReceiver, DtmfSender, KeyPress, MalformedEvent, TelephoneEvent


def packets_of(sender, limit=200):
    packets = []
    for _ in range(limit):
        if not sender.active:
            break
        packets.append(sender.next_packet())
    return packets


def test_layout():
    assert TelephoneEvent(11, True, 10, 800).serialize().hex() == "0b8a0320"
    assert TelephoneEvent.parse(bytes.fromhex("0b8a0320")) == TelephoneEvent(11, True, 10, 800)
    with pytest.raises(MalformedEvent):
        TelephoneEvent.parse(b"\x01\x02\x03")


def test_a_key_lasts_and_ends_with_three_packets():
    sender = DtmfSender(8000, 20)
    sender.press("5", 160)
    packets = packets_of(sender)
    sent = [packet for packet in packets if packet is not None]
    events = [TelephoneEvent.parse(packet.payload) for packet in sent]
    assert [event.end for event in events] == [False] * 7 + [True] * 3
    assert [event.duration for event in events] == [160 * n for n in range(1, 9)] + [1280, 1280]
    assert [packet.starts for packet in sent] == [True] + [False] * 9
    assert packets[-1] is None, "a pause keeps the next key apart"


def test_keys_follow_each_other():
    sender, receiver = DtmfSender(8000, 20), DtmfReceiver(8000)
    for digit in "1*D":
        sender.press(digit, 100)
    heard, now, started = [], 5000, 0
    for packet in packets_of(sender):
        if packet is not None:
            started = now if packet.starts else started
            heard += receiver.receive(packet.payload, started, now / 8000)
        now += 160
    assert heard == [KeyPress("1", 100), KeyPress("*", 100), KeyPress("D", 100)]


@pytest.mark.parametrize("digit", ["", "x", "12"])
def test_what_is_no_key_is_refused(digit):
    with pytest.raises(ValueError, match="no key"):
        DtmfSender(8000, 20).press(digit, 100)


def event(digit, duration, end=False):
    return TelephoneEvent(int(digit), end, 10, duration).serialize()


def test_end_packets_count_once_and_any_of_them_suffices():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 160), 1000, 0.0) == []
    assert receiver.receive(event(3, 800, end=True), 1000, 0.1) == [KeyPress("3", 100)]
    assert receiver.receive(event(3, 800, end=True), 1000, 0.12) == []
    assert receiver.receive(event(3, 160), 1000, 0.13) == [], "a straggler of the same press"


def test_the_same_key_again_is_another_press():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 800, end=True), 1000, 0.0)
    assert receiver.receive(event(3, 800, end=True), 3000, 0.3)


def test_a_press_whose_end_was_lost_ends_with_the_next_or_with_time():
    receiver = DtmfReceiver(8000)
    receiver.receive(event(1, 480), 1000, 0.0)
    assert receiver.receive(event(2, 160), 3000, 0.25) == [KeyPress("1", 60)]
    assert receiver.expire(0.5) == []
    assert receiver.expire(1.0) == [KeyPress("2", 20)]
    assert receiver.expire(2.0) == []


def test_events_that_are_no_keys_are_read_over():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(TelephoneEvent(16, True, 10, 800).serialize(), 1000, 0.0) == []


def test_late_packets_of_an_ended_key_are_no_second_press():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 800, end=True), 2**32 - 500, 0.0) == [KeyPress("3", 100)]
    assert receiver.receive(event(4, 160), 2500, 0.3) == []
    assert receiver.receive(event(3, 640), 2**32 - 500, 0.32) == []
    assert receiver.receive(event(3, 800, end=True), 2**32 - 500, 0.34) == []
    assert receiver.receive(event(4, 800, end=True), 2500, 0.36) == [KeyPress("4", 100)]


def test_a_clock_that_was_set_back_does_not_make_later_keys_late():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 800, end=True), 3_000_000_000, 0.0)
    assert receiver.receive(event(4, 800, end=True), 2_000_000_000, 1.0)
    assert receiver.receive(event(5, 800, end=True), 2_000_004_000, 1.5)


def segments(units: int, *, first: int, longest: int = 0xFFFF, step: int = 960):
    """Payloads with their timestamps of a key that is held for so many units (§2.5.1.3)."""
    began = 0
    for elapsed in [*range(step, units, step), *[units] * 3]:
        if elapsed - began > longest:
            yield event(5, longest), first + began & 0xFFFFFFFF
            began += longest
        yield event(5, elapsed - began, end=elapsed == units), first + began & 0xFFFFFFFF


@pytest.mark.parametrize("rate_hz", [8000, 48000])
@pytest.mark.parametrize("longest", [0xFFFF, 0xFFFF - 400], ids=["whole", "cut at a packet"])
@pytest.mark.parametrize("lost", [(), (65, 66, 67, 68, 69, 70, 71)], ids=["all heard", "some lost around the seam"])
def test_a_key_held_beyond_a_segment_is_one_press(rate_hz, longest, lost):
    receiver, heard = DtmfReceiver(rate_hz), []
    for index, (payload, timestamp) in enumerate(segments(150_000, first=2**32 - 70_000, longest=longest)):
        if index not in lost:
            heard += receiver.receive(payload, timestamp, index * 960 / rate_hz)
    assert heard == [KeyPress("5", round(150_000 * 1000 / rate_hz))]


def test_a_segment_that_comes_late_changes_nothing():
    receiver, heard = DtmfReceiver(48000), []
    packets = list(segments(100_000, first=0))
    packets.append(packets[3])
    packets.insert(80, packets[60])
    for index, packet in enumerate(packets):
        heard += receiver.receive(*packet, index / 50)
    assert heard == [KeyPress("5", round(100_000 / 48))]


def test_where_a_segment_would_begin_another_press_may():
    receiver = DtmfReceiver(48000)
    assert receiver.receive(event(5, 60000, end=True), 0, 1.25)
    assert receiver.receive(event(5, 4800, end=True), 0xFFFF, 1.46) == [KeyPress("5", 100)], (
        "the one before it had ended"
    )
    receiver = DtmfReceiver(48000)
    assert receiver.receive(event(5, 4800), 0, 0.0) == []
    assert receiver.receive(event(5, 960), 0xFFFF, 1.36) == [KeyPress("5", 100)], (
        "the end of the one before it was lost"
    )
    assert receiver.receive(event(6, 960, end=True), 2 * 0xFFFF, 2.72) == [KeyPress("5", 20), KeyPress("6", 20)]


def test_another_source_begins_anew():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 800, end=True), 5000, 0.0)
    assert receiver.restart() == []
    assert receiver.receive(event(3, 800, end=True), 4000, 1.0) == [KeyPress("3", 100)]
    receiver.receive(event(4, 480), 8000, 2.0)
    assert receiver.restart() == [KeyPress("4", 60)], "what the source before left open"
    assert receiver.expire(9.0) == []


def test_another_clock_loses_nothing_and_doubles_nothing():
    receiver = DtmfReceiver(8000)
    assert receiver.receive(event(3, 800, end=True), 5000, 0.0)
    receiver.set_clock_rate(48000)
    assert receiver.receive(event(3, 800, end=True), 5000, 0.02) == []
    assert receiver.receive(event(4, 4800, end=True), 20000, 0.5) == [KeyPress("4", 100)]


def test_what_is_sent_goes_on_with_another_clock_and_packet_time():
    sender, sent = DtmfSender(8000, 20), []
    for digit in "12":
        sender.press(digit, 160)
    for _ in range(4):
        sent.append(sender.next_packet())
    sender.configure(48000, 40)
    sent += [packet for packet in packets_of(sender) if packet is not None]
    events = [TelephoneEvent.parse(packet.payload) for packet in sent]
    assert [(event.event, event.duration, event.end) for event in events] == [
        *[(1, 160 * n, False) for n in (1, 2, 3, 4)],
        (1, 48 * 120, False),
        *[(1, 48 * 160, True)] * 3,
        *[(2, 48 * 40 * n, False) for n in (1, 2, 3)],
        *[(2, 48 * 160, True)] * 3,
    ]
    assert [packet.starts for packet in sent] == [True] + [False] * 7 + [True] + [False] * 5


def test_a_key_that_16_bits_cannot_say_is_cut():
    sender = DtmfSender(48000, 20)
    sender.press("1", 5000)
    last = [packet for packet in packets_of(sender) if packet is not None][-1]
    assert TelephoneEvent.parse(last.payload) == TelephoneEvent(1, True, 10, 1365 * 48)


def test_keys_that_nobody_takes_any_more_are_forgotten():
    sender = DtmfSender(8000, 20)
    sender.press("1", 100)
    assert sender.next_packet()
    sender.clear()
    assert (sender.active, sender.next_packet()) == (False, None)
