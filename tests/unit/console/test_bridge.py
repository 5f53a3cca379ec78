from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, OPUS, REGISTERED, StillEngine, busy_day, call, figures, ringing_in

from voip_engine.events import AccountChanged, CallEnded, DtmfReceived, MediaChanged, PacketRejected, SpeechStarted
from voip_engine.snapshots import AccountState, CallState, Holder, MediaSnapshot
from voip_tui.bridge import BoardChanged, Bridge, EngineHappened
from voip_tui.history import CallHistory, Needle, Tone


class Watcher:
    """A bridge over a still engine, with a clock that the test turns."""

    def __init__(self, *calls: object) -> None:
        self.engine = StillEngine(calls, (REGISTERED,))
        self.posted: list[object] = []
        self.now = NOON
        self.bridge = Bridge(self.engine, self.posted.append, lambda: self.now)

    def poll(self, seconds: float = 0.1) -> list[object]:
        self.now += seconds
        self.posted.clear()
        self.bridge.poll()
        return list(self.posted)


def test_when_nothing_differs_nothing_is_posted() -> None:
    watcher = Watcher(call(1, "Ada", CallState.ENDED))
    assert len(watcher.poll()) == 1
    assert watcher.poll() == []
    assert watcher.poll(5) == []


def test_durations_count_while_a_call_is_up() -> None:
    watcher = Watcher(call(1, "Ada", media=MediaSnapshot()))
    watcher.poll()
    assert watcher.poll(0.0) == []
    assert len(watcher.poll(1.0)) == 1


def test_a_newer_board_takes_the_place_of_one_that_waits() -> None:
    watcher = Watcher(*busy_day())
    (first,) = watcher.poll()
    (second,) = watcher.poll()
    assert isinstance(first, BoardChanged)
    assert isinstance(second, BoardChanged)
    assert second.can_replace(first)


def test_who_waits_comes_first_and_what_is_over_last() -> None:
    watcher = Watcher(*busy_day(), ringing_in())
    watcher.poll()
    states = [view.call.state for view in watcher.bridge.board.views]
    assert states[0] is CallState.INCOMING
    assert states[-2:] == [CallState.ENDED, CallState.ENDED]
    assert watcher.bridge.board.live == 8


def test_calls_that_are_gone_are_forgotten() -> None:
    watcher = Watcher(call(1, "Ada", media=figures(-20, -100)))
    for _ in range(30):
        watcher.poll()
    assert len(watcher.bridge.history("1").levels) == 30
    watcher.engine.shown = ()
    watcher.poll()
    assert not watcher.bridge.history("1").levels


async def test_events_become_messages_and_log_lines() -> None:
    events = [
        AccountChanged(NOON, REGISTERED),
        SpeechStarted(NOON, "1", 0.5),
        DtmfReceived(NOON, "1", "5", 160),
        CallEnded(NOON, "1", "remote", 486, "Busy (486).", 0.0),
    ]
    posted: list[object] = []
    bridge = Bridge(StillEngine(happened=events), posted.append, lambda: NOON)
    await bridge.follow()
    assert [message.event for message in posted if isinstance(message, EngineHappened)] == events
    assert [line.text for line in bridge.lines] == [
        "Ready, listening on udp 127.0.0.1:5060, tcp 127.0.0.1:5060",
        "desk@pbx.example is registered",
        "Caller pressed 5",
        "Ended: Busy (486).",
    ]
    assert bridge.history("1").lines[0].text == "Caller speaks"
    assert bridge.lines[-1].tone is Tone.FAIR


def test_a_needle_jumps_up_and_falls_slowly_and_its_peak_is_held() -> None:
    needle = Needle()
    needle.follow(-20, 0.0, 0.1)
    assert (needle.level_dbfs, needle.peak_dbfs) == (-20, -20)
    needle.follow(-100, 0.1, 0.1)
    assert needle.level_dbfs == pytest.approx(-26)
    assert needle.peak_dbfs == -20
    for step in range(2, 60):
        needle.follow(-100, step / 10, 0.1)
    assert needle.level_dbfs == -100
    assert needle.peak_dbfs == pytest.approx(-100)


def test_history_is_bounded_and_extra_looks_add_no_column() -> None:
    history = CallHistory()
    ada = call(1, "Ada", media=figures(-20, -100))
    for step in range(10_000):
        history.follow(ada, NOON + step / 20)
    assert len(history.levels) == history.levels.maxlen
    assert len(history.jitter) == history.jitter.maxlen
    seen = len(history.levels)
    history.levels.clear()
    history.follow(ada, NOON + 1000.00)
    history.follow(ada, NOON + 1000.01)
    assert len(history.levels) == 1 < seen


def test_a_call_that_is_over_is_silent() -> None:
    history = CallHistory()
    ada = call(1, "Ada", media=figures(-20, -20))
    history.follow(ada, NOON)
    for step in range(1, 20):
        history.follow(replace(ada, state=CallState.ENDED), NOON + step / 10)
    assert history.caller.level_dbfs == -100


async def told(*events: object) -> tuple[list[str], list[bool]]:
    """The log after these events, and which of them were news."""
    posted: list[object] = []
    bridge = Bridge(StillEngine(happened=events), posted.append, lambda: NOON)
    await bridge.follow()
    return [line.text for line in bridge.lines][1:], [each.news for each in posted if isinstance(each, EngineHappened)]


async def test_an_account_that_tries_again_and_again_is_told_of_once() -> None:
    trying = replace(REGISTERED, state=AccountState.REGISTERING)
    failed = replace(REGISTERED, state=AccountState.FAILED, detail="no answer")
    refused = replace(failed, detail="wrong password (403)")
    stands = [trying, failed, trying, failed, trying, refused, trying, refused, trying, REGISTERED, trying, REGISTERED]
    lines, news = await told(*(AccountChanged(NOON, account) for account in stands))
    assert lines == [
        "desk@pbx.example is registering",
        "desk@pbx.example is not registered: no answer",
        "desk@pbx.example is not registered: wrong password (403)",
        "desk@pbx.example is registered",
    ]
    assert news == [True, True, False, False, False, True, False, False, False, True, False, False]


async def test_each_account_is_told_of_by_itself() -> None:
    failed = replace(REGISTERED, state=AccountState.FAILED, detail="no answer")
    other = replace(failed, account="sip:sales@carrier.example")
    assert len((await told(AccountChanged(NOON, failed), AccountChanged(NOON, other)))[0]) == 2


@pytest.mark.parametrize(
    ("holder", "back"),
    [(Holder.US, "Call resumed"), (Holder.THEM, "Taken back from hold"), (Holder.BOTH, "Call resumed")],
)
async def test_the_end_of_a_hold_is_told_as_such(holder: Holder, back: str) -> None:
    held = MediaChanged(NOON, "1", OPUS, True, held_by=holder)
    free = MediaChanged(NOON, "1", OPUS, False, held_by=Holder.NOBODY)
    lines, _ = await told(held, free, free)
    assert lines[1:] == [back, "Media now Opus"]


async def test_why_a_packet_of_a_call_was_not_taken_is_remembered() -> None:
    events = [PacketRejected(NOON, "192.0.2.7:4000", "version 0", "1"), PacketRejected(NOON, "192.0.2.8:5060", "noise")]
    bridge = Bridge(StillEngine(happened=events), lambda message: None, lambda: NOON)
    await bridge.follow()
    assert bridge.history("1").not_taken == "version 0"
    assert bridge.lines[-1].text == "Not taken from 192.0.2.8:5060: noise"
