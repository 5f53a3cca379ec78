"""Keys that phones tell of twice, by INFO and as telephone-events."""

from __future__ import annotations

from voip_engine.calls.keys import HeardKeys


def test_a_key_told_both_ways_counts_once() -> None:
    heard = HeardKeys()
    assert heard.is_new("5", "info", 10.0)
    assert not heard.is_new("5", "event", 10.2)


def test_the_same_key_pressed_again_counts_again() -> None:
    heard = HeardKeys()
    told = [("info", 0.0), ("event", 0.1), ("info", 0.3), ("event", 0.4), ("event", 0.6), ("info", 0.7)]
    assert [heard.is_new("1", way, at) for way, at in told] == [True, False, True, False, True, False]


def test_one_way_alone_is_never_taken_for_an_echo() -> None:
    heard = HeardKeys()
    assert all(heard.is_new("7", "event", number / 10) for number in range(100))


def test_what_comes_later_the_other_way_is_a_key_of_its_own() -> None:
    heard = HeardKeys()
    assert heard.is_new("9", "event", 0.0)
    assert heard.is_new("9", "info", 1.5)
    assert heard.is_new("3", "event", 1.6)


def test_a_key_that_was_held_down_long_counts_once() -> None:
    heard = HeardKeys()
    assert heard.is_new("5", "event", 10.0)
    assert not heard.is_new("5", "info", 12.5, lasted_s=2.4)
