"""Utterances from signals, in simulated time: the real model, the real rules."""

from __future__ import annotations

import numpy as np
import pytest
from support.listening import ENERGY, Listener, not_speech, sentence, silence

from voip_engine.demo.speech import SENTENCES
from voip_engine.media.silero import Silero

RATES = pytest.mark.parametrize("rate_hz", [8000, 16_000])


@pytest.fixture(scope="module")
def model():
    return Silero()


class Late:
    """Has windows judged, but only after so many more were submitted."""

    def __init__(self, judge, behind: int, room: int = 1000) -> None:
        self.judge, self.behind, self.room = judge, behind, room
        self.waiting: list = []

    def submit(self, windows) -> bool:
        if len(self.waiting) >= self.room:
            return False
        self.waiting.append(windows)
        while len(self.waiting) > self.behind:
            self.judge.submit(self.waiting.pop(0))
        return True


def pcm(audio):
    return (np.clip(audio, -1, 1) * np.float32(32767)).astype("<i2")


def loud_tone(seconds: float, rate_hz: int):
    return (0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


@RATES
def test_every_sentence_is_found_whole_and_quickly(model, rate_hz):
    spoken = [sentence(one.name, rate_hz) for one in SENTENCES]
    longest = max(map(len, spoken))
    line = [
        np.concatenate([silence(1.007, rate_hz), one, silence(1.5, rate_hz), np.zeros(longest - len(one), np.float32)])
        for one in spoken
    ]
    listener = Listener(rate_hz, model, len(line))
    for row in range(len(line)):
        listener.listen(row=row, silence_s=0.7)
    listener.hear(*line)
    for row, one in enumerate(spoken):
        loud = np.flatnonzero(np.abs(one) > 0.02) / rate_hz + 1.007
        (started,), (stopped,), (heard,) = listener.started(row), listener.stopped(row), listener.heard(row)
        assert started.at_s == pytest.approx(loud[0], abs=0.045)
        known_s = listener.known_s[listener.reports.index(started)]
        assert known_s - loud[0] < 0.15
        assert loud[-1] - 0.05 < stopped.at_s < loud[-1] + 0.3
        assert heard.ended_s == stopped.at_s
        assert heard.started_s == pytest.approx(started.at_s - 0.3)
        audio = np.frombuffer(heard.pcm, "<i2")
        assert len(audio) / rate_hz == pytest.approx(stopped.at_s - started.at_s + 0.6, abs=0.001)
        at = round(heard.started_s * rate_hz)
        assert np.array_equal(audio, pcm(line[row])[at : at + len(audio)])
        assert not stopped.fragment


@RATES
def test_what_is_no_speech_is_none(model, rate_hz):
    sounds = not_speech(90, rate_hz)
    listener = Listener(rate_hz, model, len(sounds))
    for row in range(len(sounds)):
        listener.listen(row=row, minimum_utterance_s=1.0)
    listener.hear(*sounds.values())
    for row, name in enumerate(sounds):
        assert listener.heard(row) == [], name
        # Music is taken for speech for a moment now and then, for far less than an utterance.
        assert len(listener.started(row)) <= (1 if name == "music" else 0), name


def test_loudness_takes_a_tone_for_speech_and_the_model_does_not(model):
    listener = Listener(8000, model, 2)
    listener.listen(ENERGY, row=0)
    listener.listen(row=1)
    tone = np.concatenate([silence(0.5, 8000), loud_tone(2.0, 8000), silence(1, 8000)])
    listener.hear(tone, tone)
    assert len(listener.heard(0)) == 1
    assert listener.heard(1) == []


def test_a_model_that_is_a_little_late_changes_nothing_of_what_is_heard(model):
    line = np.concatenate([silence(0.5, 8000), sentence("ben_saturday", 8000), silence(1.5, 8000)])
    heard = []
    for judge in (model, Late(Silero(), 1), Late(Silero(), 2)):
        listener = Listener(8000, judge)
        listener.listen()
        listener.hear(line)
        (one,) = listener.heard()
        heard.append((one.started_s, one.ended_s, one.pcm))
        assert listener.watch.take_unjudged() == 0
    assert heard[0] == heard[1] == heard[2]


@pytest.mark.parametrize(("behind", "room"), [(1000, 1000), (1000, 0)], ids=["never answers", "takes nothing"])
def test_where_the_model_falls_behind_loudness_decides(model, behind, room):
    listener = Listener(8000, Late(model, behind, room))
    listener.listen()
    listener.hear(np.concatenate([silence(0.5, 8000), loud_tone(1.0, 8000), silence(1.5, 8000)]))
    (started,), (stopped,), (heard,) = listener.started(), listener.stopped(), listener.heard()
    assert started.at_s == pytest.approx(0.5, abs=0.033)
    assert stopped.at_s == pytest.approx(1.5, abs=0.033)
    assert len(heard.pcm) / 16_000 == pytest.approx(1.6, abs=0.07)
    assert listener.watch.take_unjudged() == pytest.approx(3.0 / 0.032, abs=8)  # the last still wait
    assert listener.watch.take_unjudged() == 0


def test_without_a_model_loudness_decides():
    listener = Listener(8000, None)
    listener.listen()
    listener.hear(np.concatenate([silence(0.5, 8000), loud_tone(1.0, 8000), silence(1, 8000)]))
    assert len(listener.heard()) == 1


def test_a_row_that_changes_hands_is_judged_anew(model):
    """The second call hears exactly what it would have heard in a bank of its own."""
    line = np.concatenate([sentence("olga_piano", 8000), silence(1.5, 8000)])
    alone, shared = Listener(8000, model), Listener(8000, Silero())
    alone.listen()
    alone.hear(line)
    shared.listen()
    shared.hear(sentence("mia_echo", 8000)[: 8000 * 2])
    shared.watch.leave(0)
    shared.reports.clear()
    shared.ticks = 0
    shared.listen()
    shared.hear(line)
    assert [one.at_s for one in shared.started()] == pytest.approx([one.at_s for one in alone.started()], abs=0.033)
    assert len(shared.heard()) == len(alone.heard())
    assert shared.heard()[0].started_s >= -1e-9


# ---- fragments, margins, division ------------------------------------------------------------------------------------


def say_tones(listener, *lengths_s: float, pause_s: float = 1.0) -> np.ndarray:
    rate_hz = listener.rate_hz
    parts = [silence(1.0, rate_hz)]
    for length_s in lengths_s:
        parts += [loud_tone(length_s, rate_hz), silence(pause_s, rate_hz)]
    line = np.concatenate(parts)
    listener.hear(line)
    return line


def test_a_fragment_is_speech_and_no_utterance():
    listener = Listener(8000, None)
    listener.listen(ENERGY, minimum_utterance_s=1.0)
    say_tones(listener, 0.16, 0.24)
    assert [one.fragment for one in listener.stopped()] == [True, False]
    assert len(listener.started()) == 2
    (heard,) = listener.heard()
    assert len(heard.pcm) / 16_000 == pytest.approx(0.24 + 0.6, abs=0.01)


def test_pauses_stay_in_the_utterance():
    listener = Listener(8000, None)
    listener.listen(ENERGY)
    line = say_tones(listener, 0.4, 0.4, 0.4, pause_s=0.44)
    listener.hear(silence(1, 8000))
    (heard,) = listener.heard()
    at = round(heard.started_s * 8000)
    said = np.frombuffer(heard.pcm, "<i2")
    assert np.array_equal(said[: len(line) - at], pcm(line)[at : at + len(said)])


def test_margins_never_give_a_sample_twice():
    listener = Listener(8000, None)
    listener.listen(ENERGY, silence_s=0.1, leading_s=0.5, trailing_s=0.3)
    say_tones(listener, 0.4, 0.4, 0.4, pause_s=0.2)
    heard = listener.heard()
    assert len(heard) == 3
    ends = [one.started_s + len(one.pcm) / 16_000 for one in heard]
    assert all(later.started_s >= end - 1e-9 for end, later in zip(ends, heard[1:], strict=False))


@pytest.mark.parametrize("longest_s", [1.01, 1.6, 5.0])
def test_long_speech_is_divided_and_loses_no_sample(longest_s):
    listener = Listener(8000, None)
    listener.listen(ENERGY, longest_utterance_s=longest_s, minimum_utterance_s=1.0)
    line = say_tones(listener, 7.13)
    heard = listener.heard()
    assert [one.split for one in heard] == [True] * (len(heard) - 1) + [False]
    assert all(len(one.pcm) / 16_000 <= longest_s for one in heard)
    assert all(one.started_s + len(one.pcm) / 16_000 == pytest.approx(one.ended_s) for one in heard[:-1])
    whole = np.frombuffer(b"".join(one.pcm for one in heard), "<i2")
    at = round(heard[0].started_s * 8000)
    assert np.array_equal(whole, pcm(line)[at : at + len(whole)])
    assert len(whole) / 8000 == pytest.approx(0.3 + 7.13 + 0.3, abs=0.021)
    assert [one.fragment for one in listener.stopped()] == [False]


def test_a_division_right_before_the_end_leaves_nothing_behind():
    listener = Listener(8000, None)
    listener.listen(ENERGY, longest_utterance_s=2.5)
    say_tones(listener, 2.0, pause_s=1.5)  # 0.3 s before it, 2.0 s of it, and 0.2 s of silence: then it is divided
    assert [one.split for one in listener.heard()] == [True]
    assert [one.fragment for one in listener.stopped()] == [True]


# ---- listening again -------------------------------------------------------------------------------------------------


def test_listening_again_in_the_middle_of_speech_loses_nothing(model):
    line = np.concatenate([silence(1, 8000), sentence("victor_rain", 8000), silence(1.5, 8000)])
    plain = Listener(8000, model)
    plain.listen()
    plain.hear(line)
    changes = {
        "the same": lambda one: one.listen(),
        "another gap": lambda one: one.listen(silence_s=0.6),
        "off and on": lambda one: (one.listen(utterances=False), one.hear(line[16_000:17_600]), one.listen()),
        "another detector": lambda one: one.listen(ENERGY),
    }
    for name, change in changes.items():
        listener = Listener(8000, Silero())
        listener.listen()
        listener.hear(line[:16_000])
        assert listener.watch.all_speaking == [True], name
        change(listener)
        listener.hear(line[listener.ticks * 160 :])
        assert len(listener.started()) == len(listener.stopped()) == 1, name
        (heard,) = listener.heard()
        assert heard.started_s == pytest.approx(plain.heard()[0].started_s), name
        at = round(heard.started_s * 8000)
        said = np.frombuffer(heard.pcm, "<i2")
        assert np.array_equal(said, pcm(line)[at : at + len(said)]), name
        if name != "another detector":
            assert heard.pcm == plain.heard()[0].pcm, name


def test_utterances_wanted_in_the_middle_of_speech_begin_there():
    listener = Listener(8000, None)
    listener.listen(ENERGY, utterances=False)
    listener.hear(silence(0.5, 8000))
    listener.hear(loud_tone(1.0, 8000))
    listener.listen(ENERGY)
    listener.hear(loud_tone(1.0, 8000))
    listener.hear(silence(1.0, 8000))
    (heard,) = listener.heard()
    assert heard.started_s == pytest.approx(1.5)
    assert len(heard.pcm) == 2 * 8000 * 1.3


def test_utterances_not_wanted_in_the_end_are_not_given():
    listener = Listener(8000, None)
    listener.listen(ENERGY)
    listener.hear(loud_tone(1.0, 8000))
    listener.listen(ENERGY, utterances=False)
    listener.hear(silence(1.0, 8000))
    assert len(listener.stopped()) == 1
    assert listener.heard() == []


def test_who_is_no_longer_watched_has_stopped_speaking():
    listener = Listener(8000, None)
    listener.listen(ENERGY)
    listener.hear(loud_tone(1.0, 8000))
    listener.watch.listen(0, 100, 0, None, False)
    assert len(listener.stopped()) == 1
    listener.hear(loud_tone(1.0, 8000))
    assert len(listener.started()) == 1


def test_more_rows_keep_what_is_going_on():
    listener = Listener(8000, None)
    listener.listen(ENERGY)
    listener.hear(loud_tone(1.0, 8000))
    listener.watch.grow(4)
    listener.rows = 4
    listener.hear(loud_tone(1.0, 8000))
    listener.hear(silence(1.0, 8000))
    (heard,) = listener.heard()
    assert len(heard.pcm) == 2 * 8000 * 2.3
