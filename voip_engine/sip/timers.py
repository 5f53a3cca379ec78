"""Timers without a clock: callbacks on a heap, run when the owner says what time it is."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

TimerCallback = Callable[[float], None]


class Timers:
    """Callbacks in order of their deadlines. Deadlines and `now` are seconds on the owner's clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._callbacks: dict[int, TimerCallback] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._callbacks)

    def start(self, deadline: float, callback: TimerCallback) -> int:
        """Run `callback(now)` once `deadline` has come; the number returned stops it."""
        number = next(self._numbers)
        self._callbacks[number] = callback
        heapq.heappush(self._heap, (deadline, number))
        return number

    def stop(self, number: int) -> None:
        """Forget a timer. One that has run or was stopped before is no error."""
        self._callbacks.pop(number, None)
        # Most timers are stopped long before they are due: without this the heap would hold 32 s of dead entries.
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._callbacks):
            self._heap = [entry for entry in self._heap if entry[1] in self._callbacks]
            heapq.heapify(self._heap)

    def next_deadline(self) -> float | None:
        """When `run` wants to be called next, or None when no timer is running."""
        while self._heap and self._heap[0][1] not in self._callbacks:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Run everything that is due, earliest first, including what these callbacks start for `now` or before."""
        while self._heap and self._heap[0][0] <= now:
            _, number = heapq.heappop(self._heap)
            callback = self._callbacks.pop(number, None)
            if callback is not None:
                callback(now)
