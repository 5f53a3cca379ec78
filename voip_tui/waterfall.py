"""Where the time of a reply goes: each turn cut into stages, and what is usual over a call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from voip_engine.snapshots import TurnSnapshot


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the way from the end of the caller's speech to the first packet of the answer."""

    title: str
    letter: str
    explanation: str


STAGES = (
    Stage("endpoint", "E", "silence long enough to count as the end"),
    Stage("text", "T", "speech became text"),
    Stage("token", "K", "the model's first token"),
    Stage("audio", "A", "the first audio of its first clause"),
    Stage("packet", "P", "its first packet went out"),
)

Parts = tuple[float | None, ...]
"""Milliseconds that each stage took, in the order of `STAGES`; None where it was not reached or not needed."""


def parts_of(turn: TurnSnapshot) -> Parts:
    """How long each stage took by itself. A stage that was left out gives its time to the next one."""
    reached = (turn.endpoint_ms, turn.text_ms, turn.first_token_ms, turn.first_audio_ms, turn.first_packet_ms)
    parts: list[float | None] = []
    before = 0.0
    for at in reached:
        parts.append(None if at is None else max(0.0, at - before))
        before = before if at is None else max(before, at)
    return tuple(parts)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile: the smallest value that `percent` of all are not above. `values` must not be empty."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]


@dataclass(frozen=True, slots=True)
class Usual:
    """A percentile over a call's turns: of each stage, and of the whole way to the first packet, in milliseconds."""

    stages: Parts
    total: float | None


def usual(turns: Sequence[TurnSnapshot], percent: float) -> Usual:
    """The percentile of every stage, each over the turns that reached it."""
    columns = zip(*(parts_of(turn) for turn in turns), strict=True) if turns else ((),) * len(STAGES)
    stages = tuple(_percentile_of(column, percent) for column in columns)
    return Usual(stages, _percentile_of([turn.first_packet_ms for turn in turns], percent))


def _percentile_of(values: Sequence[float | None], percent: float) -> float | None:
    known = [value for value in values if value is not None]
    return percentile(known, percent) if known else None


def seconds(total_ms: float | None) -> str:
    """`0.84 s`; a dash while it is not known."""
    return "—" if total_ms is None else f"{total_ms / 1000:.2f} s"
