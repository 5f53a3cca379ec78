"""How fast speech is made, and how many calls that carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_NEWEST_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class SpeakingFigures:
    """What an operator may want to know; None where nothing was measured yet.

    `calls` may speak now, `capacity` could. `real_time_factor` is what a second of speech takes, in seconds. `first_audio_ms`
    is from the moment a process was told what to say. `waiting` clauses have no process yet.
    """

    calls: int
    capacity: int | None
    real_time_factor: float | None
    first_audio_ms: float | None
    waiting: int
    crashes: int
    process_ids: tuple[int, ...]


class SpeakingSpeed:
    """Smoothed measurements of `workers` processes."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self.real_time_factor: float | None = None
        self.first_audio_ms: float | None = None

    @property
    def capacity(self) -> int | None:
        """How many calls the workers carry in real time, each at least one; None before anything was measured."""
        if self.real_time_factor is None:
            return None
        return max(self._workers, int(self._workers / self.real_time_factor))

    def measured(self, real_time_factor: float | None, first_audio_s: float | None = None) -> None:
        """Count one more generation in."""
        self.real_time_factor = _smoothed(self.real_time_factor, real_time_factor)
        self.first_audio_ms = _smoothed(self.first_audio_ms, first_audio_s and first_audio_s * 1000)


def _smoothed(so_far: float | None, newest: float | None) -> float | None:
    if so_far is None or newest is None:
        return newest if so_far is None else so_far
    return so_far + _NEWEST_SHARE * (newest - so_far)
