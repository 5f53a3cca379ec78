"""No message takes more than linear time: eight times the length costs about eight times as much, whatever it is long with."""

from __future__ import annotations

import time

import pytest
from fuzz.target import Target
from fuzz.targets import TARGETS

SHORT_BYTES, LONG_BYTES = 4_000, 32_000
HARMLESS_S = 0.06
"""What the longest message may cost anyhow."""
MOST_GROWTH = 3 * LONG_BYTES / SHORT_BYTES
"""Quadratic time would grow sixty-fourfold."""
SEPARATORS = (
    b",",
    b";",
    b'"',
    b"\\",
    b"<",
    b" ",
    b"\t",
    b"\r\n",
    b"\r\n ",
    b"=",
    b":",
    b"@",
    b"%41",
    b"(",
    b"0",
    b"1",
    b"a",
)
SEPARATORS += (b"a,", b"a;", b";a=b", b'",', b"<>", b"a:", b"\0", b"\xff", b"\x80\x81", b"a=b\r\n", b"a:b\r\n")


def grown(seed: bytes, filling: bytes, size: int) -> bytes:
    """A real message with one thing in its middle repeated: where it stands already, if it does."""
    place = seed.find(filling)
    place = len(seed) // 2 if place < 0 else place + len(filling)
    return seed[:place] + filling * ((size - len(seed)) // len(filling)) + seed[place:]


def cost_s(target: Target, data: bytes, rounds: int) -> float:
    """Processor time of one run, the least of some: what else runs here only ever adds to it."""
    least_s = float("inf")
    for _ in range(rounds):
        began_s = time.thread_time()
        target.run(data)
        least_s = min(least_s, time.thread_time() - began_s)
    return least_s


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_eight_times_as_long_costs_about_eight_times_as_much(name: str) -> None:
    target = TARGETS[name]
    for filling in {*SEPARATORS, *target.words}:
        for seed in target.seeds[:2]:
            long = grown(seed, filling, LONG_BYTES)
            if cost_s(target, long, 1) < HARMLESS_S:
                continue
            growth = cost_s(target, long, 3) / cost_s(target, grown(seed, filling, SHORT_BYTES), 5)
            assert growth < MOST_GROWTH, f"{filling!r} in {seed[:40]!r}: {growth:.1f} times"
