"""The one clock of the media process: absolute deadlines, 20 ms apart."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

FRAME_S: Final = 0.02
_LATENESS_TICKS: Final = 500


class TickClock:
    """Sleeps until each deadline and keeps count of how well they were met.

    A plain sleep: asyncio's would round to milliseconds, and spinning would take the core from everyone else.
    """

    def __init__(self) -> None:
        self.deadline_s = time.monotonic() + FRAME_S
        """When the present tick was due, on `time.monotonic`."""
        self.ticks = 0
        self.overruns = 0
        """Ticks that could not begin in time because the one before had not ended."""
        self._lateness_s: deque[float] = deque(maxlen=_LATENESS_TICKS)
        self._busy_s = 0.0
        self._woke_s = time.monotonic()
        self._measured_s = self._woke_s

    def restart(self) -> None:
        """Begin anew after idling: the next deadline is one frame from now."""
        self.deadline_s = self._woke_s = self._measured_s = time.monotonic()
        self._busy_s = 0.0

    def wait(self) -> int:
        """Sleep until the next deadline; gives the frames that have to be skipped to be back on the grid, normally 0."""
        now = time.monotonic()
        self._busy_s += now - self._woke_s
        self.deadline_s += FRAME_S
        skipped = 0
        if now < self.deadline_s:
            time.sleep(self.deadline_s - now)
        else:
            self.overruns += 1
            skipped = int((now - self.deadline_s) / FRAME_S)
            self.deadline_s += skipped * FRAME_S
        self.ticks += 1
        self._woke_s = time.monotonic()
        return skipped

    def sent(self) -> None:
        """Note that the tick's last packet has been sent: its distance from the deadline is the tick's lateness."""
        self._lateness_s.append(time.monotonic() - self.deadline_s)

    def lateness_p99_s(self) -> float:
        """99 of 100 ticks of the last ten seconds had sent everything within this time of their deadline."""
        ordered = sorted(self._lateness_s)
        return ordered[len(ordered) * 99 // 100] if ordered else 0.0

    def busy_fraction(self) -> float:
        """The part of the time since the last call that was spent awake."""
        now = time.monotonic()
        fraction = self._busy_s / max(now - self._measured_s, FRAME_S)
        self._busy_s = 0.0
        self._measured_s = now
        return min(1.0, fraction)
