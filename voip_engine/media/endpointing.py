"""Where speech begins and ends: rules on scores and positions alone, for all legs of one audio rate at once.

A score is a probability of speech or a loudness, one for each stretch of audio (a window, a frame) and row. Positions count
samples, or whatever the caller counts in.

::

    quiet ── score ≥ start, and none < stop for `onset` ─────────► speaking, since the first of them
    speaking ── score < stop, and none ≥ start for `silence` ────► quiet, since the first of them, or since it was last loud
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.media.protocol import VoiceActivitySettings

LONGEST_LEADING_S: Final = 0.5
_NO_RUN: Final = np.iinfo(np.int64).max // 2
_NOBODY: Final[list[tuple[int, int]]] = []


@dataclass(frozen=True, slots=True)
class Rules:
    """One row's thresholds, and how long they must be passed for, in positions."""

    start: float
    stop: float
    onset: int
    silence: int


class Endpointing:
    """The state of every row: whether it speaks, and since when its scores have spoken against that."""

    def __init__(self, rows: int) -> None:
        self._start = np.full(rows, np.inf)
        self._stop = np.full(rows, -np.inf)
        self._onset = np.ones(rows, np.int64)
        self._silence = np.ones(rows, np.int64)
        self._since = np.full(rows, _NO_RUN)
        self._speaking = np.zeros(rows, np.bool_)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - self._start.size
        self._start = np.append(self._start, np.full(more, np.inf))
        self._stop = np.append(self._stop, np.full(more, -np.inf))
        self._onset = np.append(self._onset, np.ones(more, np.int64))
        self._silence = np.append(self._silence, np.ones(more, np.int64))
        self._since = np.append(self._since, np.full(more, _NO_RUN))
        self._speaking = np.append(self._speaking, np.zeros(more, np.bool_))

    def watch(self, row: int, rules: Rules) -> None:
        """Watch a row, or go on with other rules; who speaks goes on speaking."""
        self._start[row], self._stop[row] = rules.start, rules.stop
        self._onset[row], self._silence[row] = rules.onset, rules.silence

    def leave(self, row: int) -> bool:
        """Watch a row no longer; gives whether it was speaking."""
        speaking = bool(self._speaking[row])
        self._start[row], self._stop[row] = np.inf, -np.inf
        self._since[row] = _NO_RUN
        self._speaking[row] = False
        return speaking

    def take_over(self, row: int) -> None:
        """Let a row speak that was found to elsewhere."""
        self._speaking[row] = True
        self._since[row] = _NO_RUN

    def speaking(self, row: int) -> bool:
        """Whether the row speaks."""
        return bool(self._speaking[row])

    @property
    def all_speaking(self) -> NDArray[np.bool_]:
        """The same for every row, shape (rows,); not to be written to."""
        return self._speaking

    def step(
        self, scores: NDArray[Any], begin: int, end: int, quiet_since: NDArray[np.int64] | None = None
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Take the scores, shape (rows,), of the audio from `begin` to `end`; NaN says nothing about a row.

        `quiet_since`: silence that begins here began there already, if that is before `begin`.
        Gives the rows where speech began and where it ended, with the positions where it did.
        """
        speaking, since = self._speaking, self._since
        loud, quiet = scores >= self._start, scores < self._stop
        against = np.where(speaking, quiet, loud)
        breaks = np.where(speaking, loud, quiet)
        begins = begin if quiet_since is None else np.where(speaking, np.minimum(quiet_since, begin), begin)
        since = np.where(against, np.minimum(since, begins), since)
        since[breaks] = _NO_RUN
        changed = end - since >= np.where(speaking, self._silence, self._onset)
        self._since = since
        if not changed.any():
            return _NOBODY, _NOBODY
        begun, ended = np.flatnonzero(changed & ~speaking), np.flatnonzero(changed & speaking)
        happened = (
            list(zip(begun.tolist(), since[begun].tolist(), strict=True)),
            list(zip(ended.tolist(), since[ended].tolist(), strict=True)),
        )
        self._speaking = speaking ^ changed
        self._since[changed] = _NO_RUN
        return happened

    def expire(self, position: int, last_loud: NDArray[np.int64]) -> list[tuple[int, int]]:
        """End the silences that are long enough at a position and in which nothing was loud, before a score says so, too.

        `last_loud`, shape (rows,): where each row was last loud. Gives the rows where speech ended, and where.
        """
        quiet = self._speaking & (position - self._since >= self._silence) & (last_loud <= self._since)
        if not quiet.any():
            return _NOBODY
        rows = np.flatnonzero(quiet)
        ended = list(zip(rows.tolist(), self._since[rows].tolist(), strict=True))
        self._speaking = self._speaking & ~quiet
        self._since[rows] = _NO_RUN
        return ended


def rules_of(settings: VoiceActivitySettings, rate_hz: int, *, energy: bool) -> Rules:
    """Make a row's rules, in samples. Energy's scores are mean squares."""
    if energy:
        start = stop = settings.threshold_rms**2
    else:
        start, stop = settings.start_threshold, min(settings.stop_threshold, settings.start_threshold)
    return Rules(start, stop, _samples(settings.minimum_speech_s, rate_hz), _samples(settings.silence_s, rate_hz))


def utterance_begin(settings: VoiceActivitySettings, rate_hz: int, begun: int) -> int:
    """Where the utterance of speech that begins at a position begins: earlier by the leading margin."""
    return begun - round(min(settings.leading_s, LONGEST_LEADING_S) * rate_hz)


def utterance_end(settings: VoiceActivitySettings, rate_hz: int, ended: int) -> int:
    """Where the utterance of speech that ends at a position ends: later by the trailing margin, as far as that is silence."""
    return ended + round(min(settings.trailing_s, settings.silence_s) * rate_hz)


def is_fragment(settings: VoiceActivitySettings, rate_hz: int, begun: int, ended: int) -> bool:
    """Whether speech from one position to another makes too short an utterance.

    It counts with the margin before it and all of the silence that ends it: with 0.3 s and 0.5 s a "yes"
    is longer than a second.
    """
    begin, end = utterance_begin(settings, rate_hz, begun), ended + round(settings.silence_s * rate_hz)
    return end - begin < settings.minimum_utterance_s * rate_hz


def _samples(seconds: float, rate_hz: int) -> int:
    return max(1, round(seconds * rate_hz))
