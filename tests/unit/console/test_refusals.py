"""Which refused calls are worth a toast."""

from __future__ import annotations

from voip_engine.events import CallRefused
from voip_tui.refusals import QUIET_S, SAME_QUIET_S, Refusals


def refused(
    at: float, caller: str = "sip:ada@x.example", reason: str = "Only encrypted audio is taken."
) -> CallRefused:
    return CallRefused(1000.0 + at, caller, 488, reason)


def test_the_same_refusal_is_news_once_a_minute() -> None:
    refusals = Refusals()
    news = [at for at in range(0, 130, 5) if refusals.is_new(refused(at))]
    assert news == [0, SAME_QUIET_S, 2 * SAME_QUIET_S]
    assert refusals.count == 26


def test_refusals_of_many_callers_are_news_now_and_then() -> None:
    refusals = Refusals()
    news = [at for at in range(30) if refusals.is_new(refused(at, f"sip:{at}@x.example"))]
    assert news == [0, QUIET_S, 2 * QUIET_S]


def test_another_reason_is_news() -> None:
    refusals = Refusals()
    refusals.is_new(refused(0))
    assert not refusals.is_new(refused(QUIET_S + 1))
    assert refusals.is_new(refused(QUIET_S + 2, reason="No further call is taken at present."))
