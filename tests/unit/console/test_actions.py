from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace
from support.still_engine import call

from voip_engine.snapshots import CallState, Holder, MonitorState
from voip_tui.actions import ACTIONS, BY_NAME, hints
from voip_tui.screens.help import key_groups
from voip_tui.screens.main import MainScreen
from voip_tui.situation import Situation
from voip_tui.theme import NIGHT, palette_for
from voip_tui.widgets.hints import fitting

UP = call(1, "Ada Lovelace")
INCOMING = call(2, "Grace Hopper", CallState.INCOMING)
OVER = call(3, "Alan Kay", CallState.ENDED)


def situation(selected: object = None, **more: object) -> Situation:
    return Situation(
        **{"ready": True, "selected": selected, "calls": 1, "live": 1, "modes": ("echo", "silence"), **more}
    )


def words(situation: Situation) -> dict[str, str]:
    return {action.name: word for action, word in hints(situation)}


def test_every_action_can_be_done_by_key_and_stands_in_the_help() -> None:
    rows = [row for _, rows in key_groups(palette_for(NIGHT)) for row in rows]
    text = "\n".join(cell for row in rows for cell, _ in row)
    for action in ACTIONS:
        assert callable(getattr(MainScreen, f"action_{action.name}"))
        assert action.title in text
        assert action.key_title in text


def test_no_key_means_two_things() -> None:
    keys = Counter(key for action in ACTIONS for key in action.keys)
    assert max(keys.values()) == 1


def test_only_what_applies_is_hinted() -> None:
    assert "hang_up" not in words(situation())
    up = words(situation(UP))
    assert up["hang_up"] == "hang up"
    assert up["hold"] == "hold"
    assert not {"answer", "reject", "volume_up", "close_page"} & up.keys()
    assert {"answer", "reject"} <= words(situation(INCOMING, incoming=INCOMING)).keys()
    assert "hang_up" not in words(situation(OVER))
    assert "close_page" in words(situation(UP, page_open=True))


def test_hints_name_what_a_key_does_next() -> None:
    assert words(situation(call(1, "Ada", on_hold=True)))["hold"] == "resume"
    assert words(situation(call(1, "Ada", monitor=MonitorState.ON), monitored=1))["monitor"] == "stop listening"


@pytest.mark.parametrize(
    ("name", "selected", "reason"),
    [
        ("hang_up", None, "There is no call to hang up."),
        ("hang_up", OVER, "This call is already over."),
        ("hold", INCOMING, "This call is not answered yet."),
        ("answer", UP, "Nobody is waiting for an answer: no call to answer."),
        ("volume_up", UP, "No call is on the speakers: press l to listen to one first."),
        ("open_page", None, "No call is selected."),
    ],
)
def test_what_does_not_apply_says_why(name: str, selected: object, reason: str) -> None:
    assert BY_NAME[name].why_not(situation(selected)) == reason


def test_there_is_nothing_to_save_before_anything_went_by() -> None:
    why_not = BY_NAME["save_dialogue"].why_not
    assert why_not(situation(UP)) == "There is nothing to save of this call yet."
    assert why_not(situation(UP, said=True)) is why_not(situation(UP, traced=True)) is None


def test_hold_is_taken_back_only_by_who_holds() -> None:
    assert words(situation(replace(UP, held_by=Holder.THEM)))["hold"] == "hold"
    assert words(situation(replace(UP, held_by=Holder.BOTH)))["hold"] == "resume"


def test_enter_opens_messages_where_they_are_in_sight() -> None:
    assert words(situation(UP, page_open=True, page_shown=True, pane="sip"))["open_page"] == "message"
    assert words(situation(UP, page_shown=True, pane="sip"))["open_page"] == "open"


def test_the_mode_of_an_incoming_call_can_be_chosen_before_it_is_answered() -> None:
    assert BY_NAME["choose_mode"].why_not(situation(INCOMING, incoming=INCOMING)) is None


@pytest.mark.parametrize("width", [10, 40, 79, 119, 199])
def test_hints_fit_and_the_important_ones_stay(width: int) -> None:
    every = hints(situation(INCOMING, incoming=INCOMING))
    shown = fitting(every, width)
    assert sum(len(action.key_title) + len(word) + 4 for action, word in shown) - 3 <= width
    if width >= 40:
        assert {"answer", "reject"} <= {action.name for action, _ in shown}
