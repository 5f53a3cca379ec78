"""A simulated line in virtual time: a sender with a clock of its own, a network, and a jitter buffer that plays every 20 ms."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from voip_engine.rtp.jitter import FRAME_S, JitterBuffer

RATE_HZ = 8000


@dataclass
class Heard:
    """What came out: sequence numbers of played packets, frames made up, and mouth-to-ear delay of each packet."""

    sequences: list[int] = field(default_factory=list)
    made_up: int = 0
    delays_s: list[float] = field(default_factory=list)

    def delay_between(self, start: float, end: float) -> float:
        """The longest delay in a part of the call, given as fractions of it."""
        count = len(self.delays_s)
        return max(self.delays_s[int(start * count) : int(end * count)])


def call(
    buffer: JitterBuffer,
    seconds: float,
    *,
    drift_ppm: float = 0.0,
    network_s: Callable[[int], float | None] = lambda number: 0.03,
    packet_ms: int = 20,
    phase_s: float = 0.013,
    first_sequence: int = 65000,
    first_timestamp: int = 2**32 - 5000,
    quiet: Callable[[int], bool] = lambda frame: frame % 100 < 30,
) -> Heard:
    """Carry a call. `network_s` gives a packet's way through the network, or None for a lost one."""
    heard = Heard()
    units = RATE_HZ * packet_ms // 1000
    period_s = packet_ms / 1000 / (1 + drift_ppm * 1e-6)
    sent = [phase_s + number * period_s for number in range(int(seconds / period_s))]
    arriving: list[tuple[float, int]] = []
    for number, at_s in enumerate(sent):
        way_s = network_s(number)
        if way_s is not None:
            arriving.append((at_s + way_s, number))
    heapq.heapify(arriving)
    held = 0
    for tick in range(int(seconds / FRAME_S)):
        now = tick * FRAME_S
        while arriving and arriving[0][0] <= now:
            at_s, number = heapq.heappop(arriving)
            payload = number.to_bytes(4, "big").ljust(units, b"\0")
            sequence, timestamp = first_sequence + number & 0xFFFF, first_timestamp + number * units & 0xFFFFFFFF
            buffer.put(sequence, timestamp, 0, payload, units, at_s, now)
        if buffer.scarce and quiet(tick):
            buffer.stretched()
            heard.made_up += 1
            continue
        frames = 1
        if buffer.surplus and len(buffer) >= 2 and (quiet(tick) or buffer.overdue):
            frames = 2
        wanted = frames * 160
        while held < wanted:
            due = buffer.take()
            if due is None:
                heard.made_up += buffer.missing
                held += buffer.gap
                continue
            number = int.from_bytes(due[1][:4], "big")
            heard.sequences.append(number)
            heard.delays_s.append(now + held / RATE_HZ - sent[number])
            held += due[2]
        held -= wanted
        buffer.held_back = held
        if frames == 2:
            buffer.shortened()
    return heard
