"""From a key to the picture that answers it, with 20 talking calls on the console.

    python -m benchmarks.console_keys [--calls N] [--times N]

Held to: 100 ms for 95 of 100 keys. The key goes into a pseudo-terminal; the time counts until the bytes that draw the
answer come out.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time

from benchmarks.console_callers import callers
from benchmarks.console_terminal import Terminal, terminal
from benchmarks.free_port import free_udp_port

LIMIT_MS = 100.0
SETTLE_S = 6.0
BETWEEN_S = 0.3

CHECKS = {
    "next call": (b"j", "▌".encode()),
    "call before": (b"k", "▌".encode()),
    "help": (b"?", b"Turn the incoming call down"),
    "back": (b"\x1b", "▌".encode()),
    "mode 2": (b"2", b"Mode is "),
    "mode 1": (b"1", b"Mode is "),
}
"""What is pressed, and what only its answer draws."""


def _measure(console: Terminal, key: bytes, answer: bytes) -> float:
    console.drain(BETWEEN_S + random.uniform(0, 0.1))
    began = time.perf_counter()
    console.press(key)
    return (console.wait_for(answer) - began) * 1000


def _p95(each: list[float]) -> float:
    return sorted(each)[math.ceil(len(each) * 0.95) - 1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    port = free_udp_port()
    program = (sys.executable, "-m", "voip_tui", "--listen", f"udp:127.0.0.1:{port}", "--auto-answer")
    taken: dict[str, list[float]] = {name: [] for name in CHECKS}
    with terminal(*program) as console:
        console.wait_for(b"No calls yet")
        with callers(f"sip:echo@127.0.0.1:{port}", options.calls):
            console.wait_for(f"{options.calls} calls".encode())
            console.drain(SETTLE_S)
            for _ in range(options.times):
                for name, (key, answer) in CHECKS.items():
                    taken[name].append(_measure(console, key, answer))
    print(f"{options.calls} calls up, ms from the key to the painted answer (limit {LIMIT_MS:.0f})")
    print(f"{'':14}{'median':>8}{'p95':>8}{'worst':>8}")
    for name, each in taken.items():
        print(f"{name:14}{statistics.median(each):8.1f}{_p95(each):8.1f}{max(each):8.1f}")
    return int(any(_p95(each) > LIMIT_MS for each in taken.values()))


if __name__ == "__main__":
    sys.exit(main())
