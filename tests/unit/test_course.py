"""Where a call stands, and what is told of that."""

from __future__ import annotations

from typing import Literal

import pytest

from voip_engine import EngineError
from voip_engine.calls.course import CallCourse
from voip_engine.events import AnyEvent, CallAnswered, CallEnded, CallRinging
from voip_engine.snapshots import CallDirection, CallState, SecuritySnapshot


def course(direction: CallDirection = CallDirection.OUTBOUND) -> tuple[CallCourse, list[AnyEvent]]:
    told: list[AnyEvent] = []
    return CallCourse("1", direction, told.append), told


def test_ringing_is_told_once_and_again_when_something_is_heard() -> None:
    call, told = course()
    for early_media in (False, False, True):
        call.rang(180, early_media=early_media)
    assert [event.early_media for event in told if isinstance(event, CallRinging)] == [False, True]
    call.rang(180, early_media=False)
    assert call.early_media
    call.sent_elsewhere()
    assert (call.state, call.early_media) == (CallState.CALLING, False)


def test_a_call_can_be_used_while_it_is_up() -> None:
    call, told = course(CallDirection.INBOUND)
    assert call.incoming
    with pytest.raises(EngineError, match="not up yet"):
        call.require_connected()
    call.answered(None, SecuritySnapshot())
    call.require_connected()
    call.over("remote", 200, "The other side hung up.")
    for require in (call.require_connected, call.require_alive):
        with pytest.raises(EngineError, match="over"):
            require()
    assert [type(event) for event in told] == [CallAnswered, CallEnded]
    assert not call.early_media


@pytest.mark.parametrize(
    ("will_end", "reason", "told"),
    [
        ("", "nobody listens at 192.0.2.7:5060 over UDP", "Nobody listens at 192.0.2.7:5060 over UDP."),
        ("", "Busy (486).", "Busy (486)."),
        ("", "", ""),
        ("The call lasted too long.", "Ended by us", "The call lasted too long."),
    ],
)
def test_the_end_is_told_in_a_sentence_and_in_our_own_words_first(will_end: str, reason: str, told: str) -> None:
    call, events = course()
    call.will_end(will_end)
    call.over("local", None, reason)
    (ended,) = events
    assert isinstance(ended, CallEnded)
    assert (call.end_reason, ended.reason, ended.duration_s) == (told, told, 0.0)


@pytest.mark.parametrize(
    ("by", "status", "reason", "told"),
    [
        ("remote", None, "The other side hung up.", "Transferred to bob."),
        ("remote", 408, "It is gone.", "It is gone."),
        ("local", None, "Hung up on this side.", "Hung up on this side."),
    ],
)
def test_who_was_sent_on_hangs_up_for_that(
    by: Literal["local", "remote"], status: int | None, reason: str, told: str
) -> None:
    sent_before, _ = course()
    sent_before.goes_over("Transferred to bob.")
    sent_before.over(by, status, reason)
    assert sent_before.end_reason == told
    sent_before.goes_over("")
    assert sent_before.end_reason == told
    told_after, _ = course()
    told_after.over(by, status, reason)
    told_after.goes_over("Transferred to bob.")
    assert told_after.end_reason == told
