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
    assert [packet.marker for packet in sent] == [True] + [False] * 9
    assert [packet.timestamp_offset for packet in sent] == [160 * n for n in range(10)]
    assert packets[-1] is None, "a pause keeps the next key apart"


def test_keys_follow_each_other():
    sender, receiver = DtmfSender(8000, 20), DtmfReceiver(8000)
    for digit in "1*D":
        sender.press(digit, 100)
    heard, timestamp = [], 5000
    for packet in packets_of(sender):
        if packet is not None:
            heard += receiver.receive(packet.payload, timestamp - packet.timestamp_offset, timestamp / 8000)
        timestamp += 160
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
