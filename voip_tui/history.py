"""What a call was like lately: levels, loss and jitter over time, held peaks, and what happened on it.

Snapshots say how a call stands; the console remembers the last minutes of them, bounded, to draw graphs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeVar

from voip_engine.snapshots import CallSnapshot, CallState, DialogueLine, Holder, MediaSnapshot, TurnSnapshot
from voip_tui.words import SILENCE_DBFS

LEVELS_KEPT = 320
FIGURES_KEPT = 120
LINES_KEPT = 400
DIALOGUE_KEPT = 2000
TURNS_KEPT = 1000
LEVELS_EVERY_S = 0.08
"""A little under the polling interval: the extra snapshots that follow events add no column to the graph."""
FIGURES_EVERY_S = 1.0

FALL_DB_PER_S = 60.0
PEAK_HOLD_S = 1.2
PEAK_FALL_DB_PER_S = 24.0


class Tone(Enum):
    """How a log line is meant."""

    QUIET = "quiet"
    PLAIN = "plain"
    GOOD = "good"
    FAIR = "fair"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing that happened, in plain words. `at` is seconds since the epoch."""

    at: float
    text: str
    tone: Tone = Tone.PLAIN
    call_id: str | None = None
    peer: str = ""
    """Whose call it was, as they were named then; empty for what concerns no call."""


@dataclass(slots=True)
class Needle:
    """A meter's needle: it jumps up with the level, falls slowly, and its peak is held for a moment."""

    level_dbfs: float = -100.0
    peak_dbfs: float = -100.0
    peak_since: float = 0.0

    def follow(self, dbfs: float, now: float, elapsed_s: float) -> None:
        """Take in the level measured at `now`, `elapsed_s` after the one before."""
        self.level_dbfs = max(dbfs, self.level_dbfs - FALL_DB_PER_S * elapsed_s, -100.0)
        if self.level_dbfs >= self.peak_dbfs:
            self.peak_dbfs, self.peak_since = self.level_dbfs, now
        elif now - self.peak_since > PEAK_HOLD_S:
            self.peak_dbfs = max(self.level_dbfs, self.peak_dbfs - PEAK_FALL_DB_PER_S * elapsed_s)


@dataclass(slots=True)
class CallHistory:
    """The recent past of one call."""

    levels: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=LEVELS_KEPT))
    """The caller's and our level in dBFS, ten a second."""
    loss: deque[float] = field(default_factory=lambda: deque(maxlen=FIGURES_KEPT))
    """Percent, one a second."""
    jitter: deque[float] = field(default_factory=lambda: deque(maxlen=FIGURES_KEPT))
    """Milliseconds, one a second."""
    lines: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    dialogue: tuple[DialogueLine, ...] = ()
    """All that was said, also what snapshots no longer hold; the same object as long as nothing differs."""
    turns: tuple[TurnSnapshot, ...] = ()
    """The timings of all replies, likewise."""
    caller: Needle = field(default_factory=Needle)
    ours: Needle = field(default_factory=Needle)
    held_by: Holder = Holder.NOBODY
    """Who held the call when its media were last told of."""
    not_taken: str = ""
    """Why the latest packet that counts for nothing was not taken."""
    levels_at: float = 0.0
    figures_at: float = 0.0
    seen_at: float = 0.0

    def follow(self, call: CallSnapshot, now: float) -> None:
        """Take in how the call stands at `now`."""
        elapsed_s = min(1.0, now - self.seen_at) if self.seen_at else 0.1
        self.seen_at = now
        media = call.media if call.state is not CallState.ENDED else MediaSnapshot()
        self.caller.follow(media.level_in_dbfs, now, elapsed_s)
        self.ours.follow(media.level_out_dbfs, now, elapsed_s)
        self.dialogue = _joined(self.dialogue, call.dialogue, DIALOGUE_KEPT)
        self.turns = _joined(self.turns, call.turns, TURNS_KEPT)
        if call.state is not CallState.CONNECTED and not call.early_media:
            return
        if now - self.levels_at >= LEVELS_EVERY_S:
            self.levels_at = now
            self.levels.append((media.level_in_dbfs, media.level_out_dbfs))
        if now - self.figures_at >= FIGURES_EVERY_S:
            self.figures_at = now
            self.loss.append(media.loss_percent)
            self.jitter.append(media.jitter_ms)

    @property
    def audible(self) -> bool:
        """Whether the levels remembered hold anything that a graph would show."""
        return any(caller > SILENCE_DBFS or ours > SILENCE_DBFS for caller, ours in self.levels)


class Numbered(Protocol):
    """What counts up over a call."""

    @property
    def number(self) -> int:
        """Its place."""
        ...


Some = TypeVar("Some", bound=Numbered)


def _joined(known: tuple[Some, ...], latest: tuple[Some, ...], kept: int) -> tuple[Some, ...]:
    """What was known before the first of `latest`, and then those. Gives `known` itself when that is the same."""
    if not latest:
        return latest if known else known
    if known[-len(latest) :] == latest:
        return known
    first, place = latest[0].number, len(known)
    while place and known[place - 1].number >= first:
        place -= 1
    return (*known[:place], *latest)[-kept:]


@dataclass(frozen=True, slots=True)
class CallView:
    """One call as widgets get it: the snapshot, and the meters' needles in dBFS as they stood when it was taken."""

    call: CallSnapshot
    level_in_dbfs: float
    peak_in_dbfs: float
    level_out_dbfs: float
    peak_out_dbfs: float

    @classmethod
    def of(cls, call: CallSnapshot, history: CallHistory) -> CallView:
        """The view of a call whose history has just followed it."""
        return cls(
            call, history.caller.level_dbfs, history.caller.peak_dbfs, history.ours.level_dbfs, history.ours.peak_dbfs
        )
