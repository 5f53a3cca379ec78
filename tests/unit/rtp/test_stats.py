"""Sequence, loss and jitter by RFC 3550 §6.4.1, A.1, A.3 and A.8."""

from __future__ import annotations

import random

import pytest

from voip_engine.rtp.stats import Arrival, RecentLoss, SourceStatistics


def feed(statistics, numbers):
    return [statistics.receive(number & 0xFFFF, 160 * number, 0.02 * number) for number in numbers]


def test_counts_over_the_wrap():
    statistics = SourceStatistics(1, 65530, 8000)
    feed(statistics, range(65530, 65550))
    assert statistics.extended_highest == 65549
    assert (statistics.expected, statistics.received, statistics.lost) == (20, 20, 0)


def test_a_stream_may_begin_with_zero():
    statistics = SourceStatistics(1, 0, 8000)
    feed(statistics, range(3))
    assert (statistics.extended_highest, statistics.expected, statistics.lost) == (2, 3, 0)


def test_reordered_packets_are_not_lost_and_duplicates_make_up_for_loss():
    statistics = SourceStatistics(1, 10, 8000)
    feed(statistics, [10, 12, 11, 13, 13, 16])
    assert statistics.expected == 7
    assert statistics.lost == 1


def test_a_jump_is_believed_from_the_second_packet_on():
    statistics = SourceStatistics(1, 10, 8000)
    feed(statistics, [10, 11])
    assert feed(statistics, [30000]) == [Arrival.SUSPECT]
    assert feed(statistics, [12]) == [Arrival.VALID]
    assert feed(statistics, [30005, 30006]) == [Arrival.SUSPECT, Arrival.RESTARTED]
    assert (statistics.received, statistics.lost) == (1, 0)


def test_a_large_dropout_is_loss():
    statistics = SourceStatistics(1, 10, 8000)
    feed(statistics, [10, 1010])
    assert statistics.lost == 999


def test_fraction_lost_is_that_of_the_interval():
    statistics = SourceStatistics(1, 0, 8000)
    feed(statistics, [number for number in range(100) if number % 4])
    assert statistics.report_block(0, 0.0).fraction_lost in (63, 64)
    feed(statistics, range(100, 200))
    assert statistics.report_block(0, 0.0).fraction_lost == 0
    assert statistics.report_block(0, 0.0).cumulative_lost == statistics.lost > 0


def test_jitter_of_a_steady_stream_is_nothing():
    statistics = SourceStatistics(1, 0, 8000)
    feed(statistics, range(500))
    assert statistics.jitter_s == pytest.approx(0, abs=1e-9)


def test_jitter_is_the_mean_deviation_of_transit_differences():
    chance = random.Random(7)
    statistics = SourceStatistics(1, 0, 8000)
    for number in range(20000):
        statistics.receive(number & 0xFFFF, 160 * number, 0.02 * number + chance.uniform(0, 0.03))
    # The mean difference of two uniform numbers is a third of their range.
    assert statistics.jitter_s == pytest.approx(0.010, rel=0.35)


def test_a_jump_of_the_timestamp_is_not_jitter():
    statistics = SourceStatistics(1, 0, 8000)
    feed(statistics, range(10))
    statistics.receive(10, 160 * 10 + 1_000_000, 0.2)
    assert statistics.jitter_s < 0.001


def test_report_block_quotes_the_last_sender_report():
    statistics = SourceStatistics(9, 5, 8000)
    feed(statistics, [5])
    assert statistics.report_block(0x1234, 1.5).delay_since_last == 98304
    assert statistics.report_block(0, 1.5).delay_since_last == 0


def test_recent_loss_forgets():
    recent = RecentLoss()
    recent.sample(0, 0)
    recent.sample(50, 25)
    assert recent.fraction == 0.5
    for second in range(2, 9):
        recent.sample(50 * second, 50 * second - 25)
    assert recent.fraction == 0.0
    recent.sample(10, 10)
    assert recent.fraction == 0.0
