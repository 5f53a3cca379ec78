"""The rules for the beginning and end of speech, on scores and positions alone. A window has 32 positions here."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voip_engine.media.endpointing import (
    Endpointing,
    Rules,
    is_fragment,
    rules_of,
    utterance_begin,
    utterance_end,
)
from voip_engine.media.protocol import VoiceActivitySettings

WINDOW = 32
RULES = Rules(start=0.5, stop=0.35, onset=60, silence=500)


def run(endpointing, scores, row=0, rows=1, first=0):
    """Feed one row window by window; gives what happened as (position where it was known, event, position where it was)."""
    happened = []
    for index, score in enumerate(scores, first):
        everybody = np.full(rows, np.nan, np.float32)
        everybody[row] = score
        begin = index * WINDOW
        begun, ended = endpointing.step(everybody, begin, begin + WINDOW)
        assert {one for one, _ in begun + ended} <= {row}
        happened += [(begin + WINDOW, "begun", at) for _, at in begun]
        happened += [(begin + WINDOW, "ended", at) for _, at in ended]
    return happened


@pytest.fixture
def endpointing():
    made = Endpointing(1)
    made.watch(0, RULES)
    return made


def test_speech_begins_where_it_was_first_heard_and_ends_where_silence_began(endpointing):
    happened = run(endpointing, [0.1] * 4 + [0.9] * 10 + [0.0] * 20)
    assert happened == [(6 * 32, "begun", 4 * 32), ((14 + 16) * 32, "ended", 14 * 32)]


def test_a_click_is_no_speech(endpointing):
    assert run(endpointing, [0.0, 0.99, 0.0, 0.0] * 50) == []


def test_between_the_thresholds_things_stay_as_they_are(endpointing):
    assert run(endpointing, [0.45] * 50) == []
    assert run(endpointing, [0.6, *[0.45] * 99], first=50)[0][1:] == ("begun", 50 * 32)
    assert endpointing.speaking(0)
    # Silence that has begun is not ended by what would not have begun speech.
    assert run(endpointing, [0.1, *[0.45] * 40], first=150)[0][1:] == ("ended", 150 * 32)


def test_a_pause_shorter_than_the_gap_does_not_end_speech(endpointing):
    pause = [0.0] * (500 // WINDOW)
    assert [what for _, what, _ in run(endpointing, ([0.9] * 5 + pause) * 6)] == ["begun"]


def test_who_is_not_watched_never_speaks():
    assert run(Endpointing(1), [1.0] * 50) == []


def test_nothing_is_concluded_from_what_nobody_judged(endpointing):
    assert run(endpointing, [float("nan")] * 50) == []


def test_rows_have_rules_of_their_own_and_keep_their_state_when_there_are_more():
    endpointing = Endpointing(2)
    endpointing.watch(0, RULES)
    endpointing.watch(1, Rules(0.95, 0.1, 60, 500))
    assert run(endpointing, [0.9] * 5, row=0, rows=2)
    assert run(endpointing, [0.9] * 5, row=1, rows=2, first=5) == []
    endpointing.grow(8)
    endpointing.watch(7, RULES)
    assert endpointing.all_speaking.tolist() == [True] + [False] * 7


def test_other_rules_in_the_middle_of_speech_do_not_end_it(endpointing):
    run(endpointing, [0.9] * 5)
    endpointing.watch(0, Rules(0.5, 0.35, 60, 100))
    assert run(endpointing, [0.0] * 4, first=5) == [((5 + 4) * 32, "ended", 5 * 32)]


def test_a_row_that_is_left_begins_anew(endpointing):
    run(endpointing, [0.9] * 5)
    assert endpointing.leave(0)
    endpointing.watch(0, RULES)
    assert not endpointing.speaking(0)
    assert run(endpointing, [0.9], first=5) == []


def test_speech_can_be_taken_over(endpointing):
    endpointing.take_over(0)
    assert [what for _, what, _ in run(endpointing, [0.0] * 20)] == ["ended"]


def by_the_book(scores):
    """The same rules, one window at a time, as slowly and plainly as can be."""
    happened, speaking, run_of = [], False, []
    for index, score in enumerate(scores):
        against = score < RULES.stop if speaking else score >= RULES.start
        breaks = score >= RULES.start if speaking else score < RULES.stop
        if breaks:
            run_of = []
        elif against or run_of:
            run_of.append(index)
        if run_of and len(run_of) * WINDOW >= (RULES.silence if speaking else RULES.onset):
            speaking = not speaking
            happened.append(((index + 1) * WINDOW, "begun" if speaking else "ended", run_of[0] * WINDOW))
            run_of = []
    return happened


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.34, 0.35, 0.4, 0.49, 0.5, 0.9]), st.integers(1, 20)), max_size=40)
)
def test_any_scores_are_judged_as_the_rules_say(stretches):
    scores = np.array([score for score, count in stretches for _ in range(count)], np.float64)
    endpointing = Endpointing(1)
    endpointing.watch(0, RULES)
    happened = []
    for index, score in enumerate(scores):
        begun, ended = endpointing.step(np.array([score]), index * WINDOW, (index + 1) * WINDOW)
        happened += [((index + 1) * WINDOW, "begun", at) for _, at in begun]
        happened += [((index + 1) * WINDOW, "ended", at) for _, at in ended]
    assert happened == by_the_book(scores)


@given(st.lists(st.lists(st.sampled_from([0.0, 0.4, 0.9]), min_size=60, max_size=60), min_size=1, max_size=5))
def test_rows_do_not_touch_each_other(rows):
    together, alone = Endpointing(len(rows)), [Endpointing(1) for _ in rows]
    for row, endpointing in enumerate(alone):
        together.watch(row, RULES)
        endpointing.watch(0, RULES)
    for index, scores in enumerate(zip(*rows, strict=True)):
        span = index * WINDOW, (index + 1) * WINDOW
        begun, ended = together.step(np.array(scores), *span)
        single = [endpointing.step(np.array([score]), *span) for endpointing, score in zip(alone, scores, strict=True)]
        assert begun == [(row, at) for row, (began, _) in enumerate(single) for _, at in began]
        assert ended == [(row, at) for row, (_, over) in enumerate(single) for _, at in over]


def test_margins_and_fragments_are_measured_in_samples():
    settings = VoiceActivitySettings(leading_s=0.3, trailing_s=0.3, silence_s=0.5, minimum_utterance_s=1.0)
    assert utterance_begin(settings, 8000, 16_000) == 16_000 - 2_400
    assert utterance_end(settings, 8000, 16_000) == 16_000 + 2_400
    assert is_fragment(settings, 8000, 0, 1_599)
    assert not is_fragment(settings, 8000, 0, 1_600)


def test_the_trailing_margin_is_never_more_than_the_silence_that_was_waited_for():
    settings = VoiceActivitySettings(trailing_s=0.3, silence_s=0.1)
    assert utterance_end(settings, 16_000, 0) == 1_600


def test_rules_come_from_settings():
    settings = VoiceActivitySettings(threshold_rms=0.01, start_threshold=0.6, stop_threshold=0.4)
    assert rules_of(settings, 8000, energy=False) == Rules(0.6, 0.4, 480, 4000)
    assert rules_of(settings, 16_000, energy=True) == Rules(0.01**2, 0.01**2, 960, 8000)


def test_a_silence_in_which_nothing_was_loud_ends_without_waiting_for_the_next_score():
    rules = Rules(start=0.5, stop=0.35, onset=512, silence=4_000)
    endpointing = Endpointing(2)
    for row in range(2):
        endpointing.watch(row, rules)
    speech, quiet = np.ones(2), np.zeros(2)
    endpointing.step(speech, 0, 512)
    endpointing.step(speech, 512, 1_024)
    endpointing.step(quiet, 1_024, 1_536)
    last_loud = np.array([1_024, 2_000])  # the second row made a sound in its silence
    assert endpointing.expire(5_023, last_loud) == []
    assert endpointing.expire(5_024, last_loud) == [(0, 1_024)]
    assert endpointing.expire(6_000, last_loud) == []
    assert (endpointing.speaking(0), endpointing.speaking(1)) == (False, True)
