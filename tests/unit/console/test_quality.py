from __future__ import annotations

import pytest
from support.still_engine import PCMA

from voip_engine.snapshots import MediaSnapshot
from voip_tui.quality import category, line_quality, opinion_score


@pytest.mark.parametrize(("rating", "score"), [(93.2, 4.41), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0)])
def test_opinion_scores_are_those_of_g107(rating: float, score: float) -> None:
    assert opinion_score(rating) == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(("rating", "word"), [(93, "best"), (85, "high"), (75, "medium"), (65, "low"), (59.9, "poor")])
def test_categories_are_those_of_g109(rating: float, word: str) -> None:
    assert category(rating) == word


def test_a_clean_line_is_as_good_as_g711_gets() -> None:
    assert line_quality(MediaSnapshot(buffer_ms=20, round_trip_ms=10), PCMA).mos == pytest.approx(4.4, abs=0.05)


def test_delay_loss_and_the_far_sides_loss_each_cost_quality() -> None:
    clean = line_quality(MediaSnapshot(), PCMA).rating
    for worse in (
        MediaSnapshot(loss_percent=3.0),
        MediaSnapshot(remote_loss_percent=3.0),
        MediaSnapshot(round_trip_ms=600.0),
        MediaSnapshot(buffer_ms=300.0),
    ):
        assert line_quality(worse, PCMA).rating < clean - 5


def test_the_worst_line_is_still_on_the_scale() -> None:
    worst = line_quality(MediaSnapshot(loss_percent=100.0, round_trip_ms=60_000.0), PCMA)
    assert (worst.rating, worst.mos, worst.word) == (0.0, 1.0, "poor")
