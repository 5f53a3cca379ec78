from __future__ import annotations

from typing import Any

from voip_engine.dial_limits import DialLimits
from voip_engine.network_settings import DiallingSettings


def limits(**settings: Any) -> DialLimits:
    return DialLimits(DiallingSettings(**settings))


def test_without_limits_calls_go_out_and_last():
    free = limits()
    for number in range(1000):
        assert free.refusal(0) is None
        free.placed(str(number), 0)
        free.answered(str(number), 0)
    assert free.next_deadline(0) is None
    assert free.overdue(10**6) == []


def test_calls_at_once_counts_from_placing_to_the_end():
    two = limits(calls_at_once=2)
    two.placed("1", 0)
    two.placed("2", 0)
    assert two.refusal(0) == "2 placed calls are up, and calls_at_once of [dialling] allows no more."
    two.ended("1", 1)
    assert two.refusal(1) is None


def test_calls_per_hour_is_a_window_that_moves():
    two = limits(calls_per_hour=2)
    two.placed("1", 0)
    two.ended("1", 1)
    two.placed("2", 1800)
    assert two.refusal(1800) == (
        "Calls and transfers within an hour: 2, and calls_per_hour of [dialling] allows no more. "
        "The next may begin in 30 min."
    )
    assert two.refusal(3600) is None
    two.placed("3", 3600)
    assert two.refusal(3601) is not None
    assert two.refusal(5400) is None


def test_a_call_that_is_sent_on_counts_as_placed_again_but_not_as_another_one():
    two = limits(calls_at_once=1, calls_per_hour=2)
    two.placed("1", 0)
    assert two.refusal(1) is not None
    assert two.refusal(1, sent_on=True) is None
    two.sent_on(1)
    assert "calls_per_hour" in (two.refusal(2, sent_on=True) or "")


def test_a_call_that_lasts_too_long_is_overdue():
    hour = limits(minutes_per_call=60)
    hour.placed("1", 0)
    assert hour.next_deadline(0) is None, "ringing costs nothing"
    hour.answered("1", 10)
    hour.answered("1", 500)  # a re-INVITE's answer does not start it anew
    assert hour.next_deadline(11) == 3610
    assert hour.overdue(3609) == []
    assert hour.overdue(3610) == [
        ("1", "The call lasted 60 min, and minutes_per_call of [dialling] allows no more."),
    ]
    hour.ended("1", 3610)
    assert hour.next_deadline(3610) is None


def test_a_call_that_takes_anothers_place_has_what_is_left_of_its_minutes():
    hour = limits(minutes_per_call=60, minutes_per_day=100)
    hour.placed("1", 0)
    hour.answered("1", 0)
    hour.takes_over("2", "1", 600)
    hour.ended("1", 600)
    hour.answered("2", 601)
    assert hour.next_deadline(601) == 3601
    hour.takes_over("3", "2", 1201)
    hour.ended("2", 1201)
    hour.answered("3", 1201)
    assert hour.overdue(3600) == []
    assert [call for call, _ in hour.overdue(3601)] == ["3"]
    hour.ended("3", 3601)
    hour.placed("4", 3601)
    hour.answered("4", 3601)
    assert hour.next_deadline(3601) == 3601 + 40 * 60, "no minute of the day counts twice"


def test_a_call_that_takes_the_place_of_a_ringing_one_has_all_minutes():
    hour = limits(minutes_per_call=60, calls_at_once=1)
    hour.placed("1", 0)
    hour.takes_over("2", "1", 100)
    hour.ended("1", 100)
    assert hour.refusal(100) is not None
    hour.answered("2", 100)
    assert hour.overdue(3699) == []
    assert [call for call, _ in hour.overdue(3700)] == ["2"]
    hour.takes_over("4", "3", 3700)
    hour.answered("4", 3700)
    assert [call for call, _ in hour.overdue(9999)] == ["2"], "whose place was never limited is free"


def test_the_minutes_of_a_day_are_shared_and_come_back_a_day_later():
    ten = limits(minutes_per_day=10)
    ten.placed("1", 0)
    ten.answered("1", 0)
    ten.ended("1", 300)
    assert ten.refusal(300) is None
    for call in ("2", "3"):
        ten.placed(call, 400)
        ten.answered(call, 400)
    assert ten.next_deadline(400) == 550, "two calls share the five minutes left"
    assert ten.overdue(549) == []
    reason = "The 10 min that minutes_per_day of [dialling] allows are used up."
    assert ten.overdue(550) == [("2", reason), ("3", reason)]
    for call in ("2", "3"):
        ten.ended(call, 550)
    assert ten.refusal(551) == reason
    assert ten.refusal(86_400) == reason
    assert ten.refusal(86_400 + 360) is None


def test_calls_that_are_not_ours_or_never_answered_cost_nothing():
    ten = limits(minutes_per_day=10, calls_at_once=1)
    ten.answered("9", 0)
    ten.ended("9", 5000)
    ten.placed("1", 5000)
    ten.ended("1", 9000)
    assert ten.refusal(9000) is None


def test_many_short_calls_add_up():
    day = limits(minutes_per_day=166)
    for second in range(20_000):
        assert day.refusal(second) is None or second > 19_900
        day.placed("1", second)
        day.answered("1", second)
        day.ended("1", second + 0.5)
    assert day.refusal(20_000) is not None
