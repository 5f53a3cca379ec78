"""How much of a reply's text was heard, told from the samples that went out.

Within a clause, time is counted in frames that are not silent: pauses at punctuation, and the silence before and after the
speech, then shift nothing. What share of that time a word takes is estimated from its letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio

FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // 100
AUDIBLE_SHARE: Final = 0.03
"""Of the loudness of a clause's loud frames; what is quieter is silence (30 dB below)."""
UNITS_PER_S: Final = 26.0
"""Units of `spoken_units` that a voice says in a second without silence, before it is known better."""

_SCRIPT_WITHOUT_SPACES: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_SCRIPT_WITHOUT_SPACES}][^\w\s]*|[^\s{_SCRIPT_WITHOUT_SPACES}]+")


@dataclass(frozen=True, slots=True)
class Heard:
    """The first `characters` of a reply's text lie behind; `text` is what was heard of them, without what was never said."""

    characters: int
    text: str


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word of a clause ends at `end` in the clause's text; half of it is said after `middle` units."""

    end: int
    middle: float


def spoken_units(text: str) -> float:
    """How long a text takes to say, in units that are about a letter long.

    A word takes two more, a figure is a word of its own: that came closest to the word times of recorded sentences.
    """
    units = 0.0
    for word in text.split():
        letters = sum(map(str.isalnum, word)) + 3 * sum(map(str.isdecimal, word))
        units += letters + 2.0 if letters else 0.0
    return units


def word_marks(text: str, speakable: Callable[[str], str]) -> tuple[tuple[WordMark, ...], float]:
    """Where a clause's words are in what `speakable` makes of it, and the units of all of it."""
    marks: list[WordMark] = []
    said = 0.0
    for word in _WORD.finditer(text):
        until = max(said, spoken_units(speakable(text[: word.end()])))
        marks.append(WordMark(word.end(), (said + until) / 2))
        said = until
    return tuple(marks), said


class Pace:
    """How fast a voice speaks, learned from whole clauses."""

    def __init__(self) -> None:
        self.units_per_s = UNITS_PER_S

    def learn(self, units: float, audible_s: float) -> None:
        """Note a clause."""
        if units >= 10 and audible_s > 0.3:
            self.units_per_s += 0.3 * (units / audible_s - self.units_per_s)


class ClauseAudio:
    """The sound of one clause as it is made: which of its frames are audible."""

    def __init__(self) -> None:
        self.samples = 0
        self.whole = False
        self._rest = np.zeros(0, np.float32)
        self._loudness: list[float] = []

    def add(self, audio: Audio) -> None:
        """Append audio (float32, 16 kHz)."""
        self.samples += len(audio)
        audio = np.concatenate([self._rest, audio])
        frames = len(audio) // FRAME_SAMPLES
        self._rest = audio[frames * FRAME_SAMPLES :]
        squares = np.square(audio[: frames * FRAME_SAMPLES]).reshape(frames, FRAME_SAMPLES)
        self._loudness.extend(np.sqrt(squares.mean(axis=1)).tolist())

    def audible_s(self, samples: int | None = None) -> float:
        """Seconds that are not silent, in the first `samples` or in all there is so far."""
        if not self._loudness:
            return 0.0
        loudness = np.asarray(self._loudness)
        audible = loudness > AUDIBLE_SHARE * np.percentile(loudness, 90)
        if samples is None:
            return int(audible.sum()) * FRAME_SAMPLES / SAMPLE_RATE_HZ
        frames, over = divmod(min(samples, self.samples), FRAME_SAMPLES)
        counted = float(audible[:frames].sum())
        if frames < len(audible) and audible[frames]:
            counted += over / FRAME_SAMPLES
        return counted * FRAME_SAMPLES / SAMPLE_RATE_HZ


@dataclass(slots=True)
class _Clause:
    text: str
    start: int
    end: int
    marks: tuple[WordMark, ...]
    units: float
    audio: ClauseAudio


class HeardText:
    """The clauses of one reply and their sound, in order."""

    def __init__(self, pace: Pace, speakable: Callable[[str], str]) -> None:
        """`speakable` is what turned the text into what the voice was given."""
        self._pace = pace
        self._speakable = speakable
        self._clauses: list[_Clause] = []

    def begin_clause(self, text: str, start: int, end: int) -> ClauseAudio:
        """A clause, `text[start:end]` of the reply, is being spoken; the audio it gets goes into what this returns."""
        marks, units = word_marks(text, self._speakable)
        self._clauses.append(_Clause(text, start, end, marks, units, ClauseAudio()))
        return self._clauses[-1].audio

    def end_clause(self) -> None:
        """The last clause has all of its audio."""
        clause = self._clauses[-1]
        clause.audio.whole = True
        self._pace.learn(clause.units, clause.audio.audible_s())

    def heard(self, samples: int) -> Heard:
        """What was heard when `samples` of the reply had gone out. A word counts when more than half of it did."""
        characters, pieces = 0, list[str]()
        before: _Clause | None = None
        for clause in self._clauses:
            if samples <= 0:
                break
            said = self._heard_of(clause, samples)
            if before is not None and said and clause.start > before.end:
                pieces.append(" ")
            pieces.append(clause.text[:said])
            characters = clause.end if said == len(clause.text) else max(characters, clause.start + said)
            samples -= clause.audio.samples
            before = clause
        return Heard(characters, "".join(pieces).strip())

    def all_heard(self, samples: int) -> bool:
        """Whether every word so far went out."""
        if not self._clauses:
            return True
        last = self._clauses[-1]
        before = sum(clause.audio.samples for clause in self._clauses[:-1])
        return samples > before and self._heard_of(last, samples - before) == len(last.text)

    def _heard_of(self, clause: _Clause, samples: int) -> int:
        """Characters of a clause's text that lie behind after so many of its samples."""
        audio = clause.audio
        if audio.whole and samples >= audio.samples:
            return len(clause.text)
        audible_s = audio.audible_s()
        if not audio.whole:
            audible_s = max(audible_s, clause.units / self._pace.units_per_s)
        if audible_s <= 0:
            return 0
        units = clause.units * audio.audible_s(samples) / audible_s
        heard = [mark.end for mark in clause.marks if mark.middle < units]
        if not heard:
            return 0
        return len(clause.text) if audio.whole and len(heard) == len(clause.marks) else heard[-1]
