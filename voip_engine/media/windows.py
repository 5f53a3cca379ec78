"""Windows of audio for a model of speech: cut for all its rows at once, judged elsewhere, taken back in order.

A window has 32 ms and the last 4 ms before it, which is what the model wants; ticks have 20 ms, so a window is ready in two of
three ticks or so. What has not been judged in time, because whoever judges is behind, is left to its loudness.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio

WINDOW_S: Final = 0.032
CONTEXT_S: Final = 0.004
PATIENCE_S: Final = 0.2
"""So long after its end a window's probabilities are waited for."""


@dataclass(slots=True, eq=False)
class Windows:
    """One window of every row that a bank wants judged. Positions are in samples of that bank."""

    rate_hz: int
    rows: NDArray[np.intp]
    audio: Audio
    """Shape (rows, context and window)."""
    fresh: tuple[int, ...]
    """Rows that belong to another call than in the window before."""
    begin: int
    end: int
    probabilities: NDArray[np.float32] | None = None
    """Of speech, shape (rows,): set by whoever judges, from whichever thread."""
    abandoned: bool = False
    """Nobody waits any more."""


class Judge(Protocol):
    """Whoever tells speech from noise."""

    def submit(self, windows: Windows) -> bool:
        """Set the windows' probabilities now or soon, without keeping the caller waiting; False if that is too much now."""
        ...


@dataclass(slots=True)
class Verdict:
    """Scores by row, NaN for rows that say nothing, of the audio between two positions."""

    scores: NDArray[np.float32]
    begin: int
    end: int


@dataclass(slots=True)
class WindowCutter:
    """Cuts the windows of one bank's rows and hands out what is found about them."""

    rate_hz: int
    rows: int
    judge: Judge
    unjudged: int = 0
    """Rows' windows that were left to their loudness."""
    _threshold: NDArray[np.float32] = field(init=False)
    _since: NDArray[np.int64] = field(init=False)
    _buffer: Audio = field(init=False)
    _members: NDArray[np.intp] = field(init=False)
    _fresh: set[int] = field(default_factory=set)
    _pending: deque[Windows] = field(default_factory=deque)
    _filled: int = 0
    _window: int = 0
    _context: int = 0

    def __post_init__(self) -> None:
        self._window, self._context = round(WINDOW_S * self.rate_hz), round(CONTEXT_S * self.rate_hz)
        self._threshold = np.zeros(self.rows, np.float32)
        self._since = np.zeros(self.rows, np.int64)
        self._buffer = np.zeros((self.rows, self._context + self._window + self.rate_hz // 50), np.float32)
        self._filled = self._context
        self._members = np.zeros(0, np.intp)

    @property
    def busy(self) -> bool:
        """Whether there is a row to judge, or a verdict to come."""
        return self._members.size > 0 or bool(self._pending)

    def __contains__(self, row: int) -> bool:
        return row in self._members

    def add(self, row: int, threshold_rms: float, position: int) -> None:
        """Judge a row from a position on; `threshold_rms` decides where the model does not."""
        self._threshold[row] = threshold_rms**2
        if row in self._members:
            return
        self._members = np.append(self._members, np.intp(row))
        self._since[row] = position
        self._buffer[row] = 0
        self._fresh.add(row)

    def remove(self, row: int) -> None:
        """Judge a row no longer."""
        self._members = self._members[self._members != row]
        self._fresh.discard(row)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - self.rows
        self._threshold = np.append(self._threshold, np.zeros(more, np.float32))
        self._since = np.append(self._since, np.zeros(more, np.int64))
        self._buffer = np.concatenate((self._buffer, np.zeros((more, self._buffer.shape[1]), np.float32)))
        self.rows = rows

    def feed(self, heard: Audio, position: int) -> None:
        """Take a tick's audio, shape (rows, samples), that ends at a position; a full window goes to be judged."""
        members = self._members
        if not members.size:
            return
        samples = heard.shape[1]
        self._buffer[members, self._filled : self._filled + samples] = heard[members]
        self._filled += samples
        length = self._context + self._window
        if self._filled < length:
            return
        left = self._filled - length
        audio = self._buffer[members, :length]
        self._buffer[members, : self._context + left] = self._buffer[members, self._window : self._filled]
        self._filled = self._context + left
        end = position - left
        windows = Windows(self.rate_hz, members, audio, tuple(self._fresh), end - self._window, end)
        if self.judge.submit(windows):
            self._fresh.clear()
        else:
            windows.abandoned = True
        self._pending.append(windows)

    def verdicts(self, position: int) -> list[Verdict]:
        """Give what has been found since the last call, in order; `position` is the present."""
        found = []
        while self._pending:
            windows = self._pending[0]
            if windows.probabilities is None and not windows.abandoned:
                if position - windows.end < PATIENCE_S * self.rate_hz:
                    break
                windows.abandoned = True
            self._pending.popleft()
            found.append(self._verdict(windows))
        return found

    def _verdict(self, windows: Windows) -> Verdict:
        probabilities: NDArray[Any] | None = windows.probabilities
        if probabilities is None:
            window = windows.audio[:, self._context :]
            loud = np.einsum("ij,ij->i", window, window) / self._window >= self._threshold[windows.rows]
            probabilities = loud.astype(np.float32)
            self.unjudged += windows.rows.size
        scores = np.full(self.rows, np.nan, np.float32)
        scores[windows.rows] = np.where(windows.end > self._since[windows.rows], probabilities, np.nan)
        return Verdict(scores, windows.begin, windows.end)
