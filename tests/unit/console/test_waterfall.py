from __future__ import annotations

import pytest
from support.still_dialogue import TURNS, turn

from voip_tui.waterfall import STAGES, parts_of, percentile, seconds, usual
from voip_tui.widgets.turns import label_in


def test_stages_are_what_lies_between() -> None:
    assert parts_of(turn(2, 500, 710, 790, 830, 842)) == (500, 210, 80, 40, 12)


def test_a_stage_that_was_left_out_gives_its_time_to_the_next() -> None:
    from msgspec.structs import replace

    greeting = replace(turn(2, 500, 710, 790, 830, 842), text_ms=None, first_token_ms=None)
    assert parts_of(greeting) == (500, None, None, 330, 12)


def test_what_is_not_reached_yet_has_no_length() -> None:
    assert parts_of(turn(2, 500)) == (500, None, None, None, None)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([3, 1, 2], 50, 2), ([1, 2, 3, 4], 50, 2), ([1, 2, 3, 4], 95, 4), ([7], 95, 7), (range(1, 101), 95, 95)],
)
def test_percentiles_are_values_that_were_measured(values: object, percent: float, expected: float) -> None:
    assert percentile(list(values), percent) == expected


def test_what_is_usual_over_a_call() -> None:
    median = usual(TURNS, 50)
    assert median.total == 842
    assert median.stages == (502, 207, 79, 55, 12)
    assert usual((), 50).total is None
    assert usual((), 50).stages == (None,) * len(STAGES)


def test_turns_that_never_spoke_count_for_the_stages_they_reached() -> None:
    assert usual((turn(2, 500, 700), turn(4, 600, 900, 1000, 1100, 1110)), 95).stages == (600, 300, 100, 100, 10)


def test_seconds() -> None:
    assert (seconds(842), seconds(None)) == ("0.84 s", "—")


@pytest.mark.parametrize(
    ("cells", "text"), [(10, " T 207    "), (7, " T 207 "), (5, " 207 "), (4, "207 "), (3, "T  "), (1, "T"), (0, "")]
)
def test_a_piece_of_a_bar_says_what_fits(cells: int, text: str) -> None:
    assert label_in("T", 207, cells) == text
