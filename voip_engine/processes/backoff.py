"""How long a process that keeps dying is left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LONGEST_PAUSE_S: Final = 30.0


class CrashBackoff:
    """The first crash costs no time, those that follow it in a row 1 s, 2 s, 4 s … up to 30 s. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start_at_s = 0.0
        self.crashes_in_row = 0

    @property
    def pause_s(self) -> float:
        """How long no process should be started yet."""
        return max(0.0, self._start_at_s - self._clock())

    def crashed(self) -> None:
        """Note an end that nobody asked for."""
        self.crashes_in_row += 1
        if self.crashes_in_row > 1:
            self._start_at_s = self._clock() + min(LONGEST_PAUSE_S, 2.0 ** (self.crashes_in_row - 2))

    def worked(self) -> None:
        """Note that a process did what it is for."""
        self.crashes_in_row = 0
