"""Voice activity and utterances, in frames of 20 ms."""

from __future__ import annotations

import numpy as np
import pytest

from voip_engine.media.protocol import VoiceActivitySettings
from voip_engine.media.vad import Capture, VoiceActivity

LOUD, QUIET = 0.01**2, 0.0005**2


def run(activity, row, levels):
    """Feed one row frame by frame; gives what happened as (frame, event)."""
    happened = []
    for frame, level in enumerate(levels):
        mean_square = np.full(4, QUIET, np.float32)
        mean_square[row] = level
        begun, ended = activity.step(mean_square)
        happened += [(frame, "begun") for one in begun if one == row] + [
            (frame, "ended") for one in ended if one == row
        ]
        assert all(one == row for one in begun + ended)
    return happened


@pytest.fixture
def activity():
    activity = VoiceActivity(4)
    for row in range(4):
        activity.set(row, VoiceActivitySettings())
    return activity


def test_speech_begins_after_its_minimum_and_ends_after_half_a_second(activity):
    levels = [QUIET] * 5 + [LOUD] * 10 + [QUIET] * 40
    assert run(activity, 2, levels) == [(7, "begun"), (15 + 24, "ended")]


def test_a_click_is_no_speech(activity):
    assert run(activity, 0, [QUIET, LOUD, LOUD, QUIET] * 20) == []


def test_a_short_pause_does_not_end_speech(activity):
    assert run(activity, 0, ([LOUD] * 10 + [QUIET] * 24) * 5) == [(2, "begun")]


def test_thresholds_are_each_rows_own(activity):
    activity.set(1, VoiceActivitySettings(threshold_rms=0.1))
    assert run(activity, 1, [LOUD] * 20) == []
    activity.set(1, VoiceActivitySettings(threshold_rms=0.0001, silence_s=0.1))
    assert run(activity, 1, [LOUD] * 5 + [0.0] * 5) == [(2, "begun"), (9, "ended")]


def test_who_is_not_watched_never_speaks(activity):
    activity.set(3, None)
    assert run(activity, 3, [1.0] * 20) == []


def test_more_rows_keep_the_state_of_the_old_ones(activity):
    run(activity, 0, [LOUD] * 5)
    activity.grow(8)
    activity.set(7, VoiceActivitySettings())
    assert activity.all_speaking() == [True] + [False] * 7
    begun, ended = activity.step(np.full(8, LOUD, np.float32))
    assert (begun, ended) == ([], [])


def test_an_utterance_keeps_its_start_and_a_little_of_its_end():
    capture = Capture([b"00"], 10, 60.0)
    for frame in (b"11", b"22", *[b"--"] * 25):
        capture.append(frame)
        assert not capture.full
    assert capture.end(silence_frames=25) == b"001122" + b"--" * 5


def test_a_long_utterance_is_split_without_losing_a_frame():
    capture = Capture([], 100, longest_s=0.2)
    for frame in range(10):
        assert not capture.full
        capture.append(b"%02d" % frame)
    assert capture.full
    assert capture.split() == (100, b"00010203040506070809")
    capture.append(b"10")
    assert capture.started_frame == 110
    assert capture.end(silence_frames=0) == b"10"
