"""A bad line in simulated time: what it loses, doubles and delays, and the clock by which the media code sees it.

Datagrams go through real sockets, so their kernel stamps are of the machine's clock. `SimulatedClock` knows when each was
handed to the kernel, and gives the simulated arrival in the stamp's stead.
"""

from __future__ import annotations

import bisect
import heapq
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

FRAME_S = 0.02
_TIMESPEC = struct.Struct("@ll")
_REMEMBERED = 4096


@dataclass(frozen=True)
class Line:
    """What a line does to packets. Each is delayed by its own random 0 to `jitter_s`, which reorders neighbours, too.

    `drift` is how much faster the sender's clock runs, as a fraction.
    """

    loss: float = 0.0
    jitter_s: float = 0.0
    duplicates: float = 0.0
    drift: float = 0.0


class SimulatedClock:
    """Stands in for `voip_engine.media.sockets.ArrivalClock`."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.due_s = 0.0
        self._handed_ns: list[int] = []
        self._arrived_s: list[float] = []

    def hand_over(self, send: Callable[[bytes], object], datagram: bytes, arrived_s: float) -> None:
        """Send a datagram that arrives at a simulated time."""
        if len(self._handed_ns) == 2 * _REMEMBERED:
            del self._handed_ns[:_REMEMBERED], self._arrived_s[:_REMEMBERED]
        self._handed_ns.append(time.time_ns())
        self._arrived_s.append(arrived_s)
        send(datagram)

    def read(self) -> None:
        """The loop's reading of the clock: it is moved by the benchmark instead."""

    def arrived_s(self, ancillary: list[tuple[int, int, bytes]]) -> float:
        """When a datagram arrived; now, where the system doesn't stamp them."""
        if not ancillary:
            return self.now_s
        seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
        return self._of_stamp(seconds * 1_000_000_000 + nanoseconds)

    def all_arrived_s(self, stamps: np.ndarray) -> np.ndarray:
        """The same for many."""
        return np.array([self._of_stamp(int(seconds) * 1_000_000_000 + int(rest)) for seconds, rest in stamps])

    def epoch_s(self, steady_s: float | None = None) -> float:
        """Simulated time on the wall clock."""
        return 1.7e9 + (self.now_s if steady_s is None else steady_s)

    def _of_stamp(self, stamp_ns: int) -> float:
        return self._arrived_s[bisect.bisect_right(self._handed_ns, stamp_ns) - 1]


class Shaper:
    """Sends one stream of packets, a frame each, over a line."""

    def __init__(self, line: Line, packet: Callable[[int], bytes], random: Random) -> None:
        self._line = line
        self._packet = packet
        self._random = random
        self._next = 0
        self._under_way: list[tuple[float, int, int, bytes]] = []
        self.sent = self.lost = self.doubled = self.overtaken = 0
        self._newest = -1

    def sent_s(self, number: int) -> float:
        """When a packet leaves the sender, whose clock drifts."""
        return number * FRAME_S / (1 + self._line.drift)

    def arriving(self, until_s: float) -> Iterator[tuple[float, bytes]]:
        """What arrives up to a time, in order of arrival: when, and the datagram."""
        while self.sent_s(self._next) <= until_s:
            self._send(self._next)
            self._next += 1
        while self._under_way and self._under_way[0][0] <= until_s:
            arrived_s, number, _, datagram = heapq.heappop(self._under_way)
            self.overtaken += number < self._newest
            self._newest = max(number, self._newest)
            yield arrived_s, datagram

    def _send(self, number: int) -> None:
        line, random = self._line, self._random
        self.sent += 1
        if random.random() < line.loss:
            self.lost += 1
            return
        copies = 1 + (random.random() < line.duplicates)
        self.doubled += copies - 1
        for copy in range(copies):
            arrival_s = self.sent_s(number) + random.uniform(0, line.jitter_s)
            heapq.heappush(self._under_way, (arrival_s, number, copy, self._packet(number)))
