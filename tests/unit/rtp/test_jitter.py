"""The jitter buffer in virtual time: order, loss, lateness, adaptation, drift."""

from __future__ import annotations

import random

import pytest
from support.line import call

from voip_engine.rtp.jitter import LONGEST_DELAY_S, Filed, JitterBuffer

MINUTES_60 = 3600.0


def put(buffer, number, arrived_s=0.0, due_s=0.0, timestamp=None, payload=b"x" * 160):
    timestamp = 160 * number if timestamp is None else timestamp
    return buffer.put(number & 0xFFFF, timestamp & 0xFFFFFFFF, 0, payload, len(payload), arrived_s, due_s)


def taken(buffer, count=1):
    """The sequence numbers of the next packets due, with None for each gap."""
    due = [buffer.take() for _ in range(count)]
    return [None if one is None else one[3] & 0xFFFF for one in due]


def test_a_steady_line_is_played_whole_over_both_wraps():
    buffer = JitterBuffer(8000)
    heard = call(buffer, 60)
    assert heard.sequences == list(range(len(heard.sequences)))
    assert heard.made_up == 0
    assert len(heard.sequences) > 2990


def test_reordered_packets_are_played_in_order():
    buffer = JitterBuffer(8000)
    heard = call(buffer, 60, network_s=lambda number: 0.03 + (0.025 if number % 7 == 0 else 0.0))
    assert heard.sequences == sorted(heard.sequences)
    assert buffer.figures.late <= 2, "the delay grows once and is enough from then on"


def test_duplicates_are_played_once():
    buffer = JitterBuffer(8000)
    assert put(buffer, 1) is Filed.KEPT
    assert put(buffer, 2) is Filed.KEPT
    assert put(buffer, 2) is Filed.DUPLICATE
    played = [number for number in taken(buffer, 10) if number is not None]
    assert put(buffer, 1) is Filed.DUPLICATE
    assert played == [1, 2]
    assert buffer.figures.duplicate == 2


def test_a_lost_packet_leaves_one_gap():
    buffer = JitterBuffer(8000)
    heard = call(buffer, 20, network_s=lambda number: None if number == 500 else 0.03)
    assert heard.made_up == 1
    assert 500 not in heard.sequences
    assert heard.sequences == sorted(heard.sequences)


def test_a_late_packet_makes_the_delay_grow_at_once_instead_of_being_lost():
    buffer = JitterBuffer(8000)
    heard = call(buffer, 5, network_s=lambda number: 0.03 if number < 100 else 0.13)
    assert heard.sequences == list(range(len(heard.sequences)))
    assert heard.delays_s[-1] > 0.13


def test_delay_is_given_back_slowly_after_a_bad_time():
    buffer = JitterBuffer(8000)
    bad = random.Random(3)

    def network_s(number: int) -> float:
        return 0.03 + (bad.uniform(0, 0.15) if 500 < number < 1000 else 0.0)

    heard = call(buffer, 120, network_s=network_s)
    begun, worst, ended = (heard.delay_between(*part) for part in ((0.02, 0.05), (0.08, 0.18), (0.9, 1.0)))
    assert worst > 0.1
    assert ended <= begun
    assert heard.delay_between(0.18, 0.2) > 0.08, "not all at once"


def test_delay_stays_bounded_whatever_the_network_does():
    buffer = JitterBuffer(8000)
    wild = random.Random(5)
    heard = call(buffer, 60, network_s=lambda number: wild.choice((0.01, 0.02, 0.05, 0.9, None)))
    assert buffer.delay_s <= LONGEST_DELAY_S + 0.02
    assert heard.sequences == sorted(set(heard.sequences))


def test_a_burst_after_a_frozen_network_does_not_leave_its_delay_behind():
    buffer = JitterBuffer(8000)
    # From packet 500 on the network holds everything back until second 12.
    heard = call(buffer, 60, network_s=lambda number: max(0.03, 12.0 - number * 0.02) if number >= 500 else 0.03)
    assert heard.delay_between(0.9, 1.0) <= heard.delay_between(0.02, 0.1)
    assert buffer.delay_s < 0.1


@pytest.mark.parametrize("drift_ppm", [200.0, -200.0])
@pytest.mark.parametrize("phase_s", [0.0005, 0.013, 0.0195])
def test_an_hour_with_a_drifting_clock_ends_with_no_more_delay_than_it_began_with(drift_ppm, phase_s):
    buffer = JitterBuffer(8000)
    heard = call(buffer, MINUTES_60, drift_ppm=drift_ppm, phase_s=phase_s)
    begun = heard.delay_between(0.0, 0.001)
    assert heard.delay_between(0.001, 1.0) <= begun + 0.001
    assert heard.sequences == sorted(heard.sequences)
    # 200 ppm of an hour are 36 frames of 20 ms; no more audio than that is touched, and nothing is lost.
    figures = buffer.figures
    assert figures.late == figures.discarded == 0
    assert 34 <= figures.shortened + figures.stretched + heard.made_up <= 80
    assert len(heard.sequences) >= (1 + drift_ppm * 1e-6) * MINUTES_60 * 50 - 10


@pytest.mark.parametrize("drift_ppm", [200.0, -200.0])
def test_drift_is_absorbed_without_any_pause_in_the_speech(drift_ppm):
    buffer = JitterBuffer(8000)
    heard = call(buffer, 1200, drift_ppm=drift_ppm, quiet=lambda frame: False)
    assert heard.delay_between(0.01, 1.0) <= heard.delay_between(0.0, 0.003) + 0.001
    assert len(set(range(len(heard.sequences))) - set(heard.sequences)) <= 1


@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 60, 120])
@pytest.mark.parametrize("drift_ppm", [0.0, 200.0, -200.0])
def test_packets_of_any_length_are_played_whole(packet_ms, drift_ppm):
    buffer = JitterBuffer(8000)
    heard = call(buffer, 120, packet_ms=packet_ms, drift_ppm=drift_ppm)
    assert heard.sequences == list(range(len(heard.sequences)))
    assert len(heard.sequences) > 119 / packet_ms * 1000
    assert heard.made_up <= 3


def test_a_pause_of_the_sender_is_no_loss_of_what_follows():
    buffer = JitterBuffer(8000)
    for number in range(5):
        put(buffer, number, arrived_s=0.02 * number, due_s=0.02 * number)
        taken(buffer)
    taken(buffer, 100)
    # Silence suppression: the timestamp went on, the sequence didn't.
    put(buffer, 5, arrived_s=2.1, due_s=2.1, timestamp=160 * 105)
    assert 5 in taken(buffer, 5)


def test_a_sender_whose_timestamps_jump_is_followed():
    buffer = JitterBuffer(8000)
    for number in range(20):
        put(buffer, number, due_s=0.02 * number, arrived_s=0.02 * number)
        taken(buffer)
    for number, timestamp in ((20, 90_000_000), (21, 90_000_160), (22, 90_000_320)):
        put(buffer, number, timestamp=timestamp, due_s=0.02 * number, arrived_s=0.02 * number)
    assert [number for number in taken(buffer, 12) if number is not None][-3:] == [20, 21, 22]
    for number in (23, 24):
        put(buffer, number, timestamp=160 * number, due_s=0.02 * number, arrived_s=0.02 * number)
    assert [number for number in taken(buffer, 12) if number is not None] == [23, 24]


def test_a_loan_changes_nothing():
    lent, kept = JitterBuffer(8000), JitterBuffer(8000)
    for buffer in (lent, kept):
        for number in range(4):
            put(buffer, number, arrived_s=0.02 * number, due_s=0.02 * number)
            buffer.take()
    loan = lent.lend(0, 160, 14)
    assert loan is not None
    payloads, timestamp = loan
    assert timestamp == 160 * 4
    # Elsewhere one more packet comes, and two are played.
    put(kept, 4)
    kept.take()
    kept.take()
    waiting = [*payloads, b"x" * 160][2:]
    lent.played_elsewhere(2, len(waiting), 160, 0.01)
    assert lent.delay_s == kept.delay_s
    lent.take_back(0, waiting, 160)
    assert put(lent, 4) is put(kept, 4) is Filed.DUPLICATE
    for buffer in (lent, kept):
        put(buffer, 5)
    assert taken(lent, 4) == taken(kept, 4)


def test_what_is_out_of_order_is_not_lent():
    buffer = JitterBuffer(8000)
    assert buffer.lend(0, 160, 14) is None
    put(buffer, 1)
    put(buffer, 3)
    assert buffer.lend(0, 160, 14) is None
    put(buffer, 2)
    assert buffer.lend(8, 160, 14) is None, "another payload type"
    taken(buffer, 3)
    assert buffer.lend(0, 160, 14) is not None
