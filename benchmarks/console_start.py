"""How long until `voip-tui --help` has answered, the console's first picture stands, and it takes calls.

    python -m benchmarks.console_start [--times N]

Held to: help within 0.3 s, first paint within 1 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.console_terminal import terminal

HELP_S, PAINT_S = 0.3, 1.0
PROGRAM = (sys.executable, "-m", "voip_tui")


def _help_s() -> float:
    began = time.perf_counter()
    subprocess.run([*PROGRAM, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _start_s() -> tuple[float, float]:
    began = time.perf_counter()
    with terminal(*PROGRAM, "--listen", "udp:127.0.0.1:0") as console:
        painted = console.wait_for(b"voip-tui", b"Starting")
        ready = console.wait_for(b"No calls yet")
    return painted - began, ready - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=7)
    times = parser.parse_args().times
    help_s = [_help_s() for _ in range(times)]
    starts = [_start_s() for _ in range(times)]
    figures = {
        "--help": (help_s, HELP_S),
        "first paint": ([painted for painted, _ in starts], PAINT_S),
        "takes calls": ([ready for _, ready in starts], None),
    }
    failed = False
    print(f"{'':14}{'median':>9}{'worst':>9}{'limit':>9}")
    for name, (seconds, limit) in figures.items():
        print(
            f"{name:14}{statistics.median(seconds):8.2f}s{max(seconds):8.2f}s"
            + (f"{limit:8.1f}s" if limit else f"{'—':>9}")
        )
        failed |= limit is not None and statistics.median(seconds) > limit
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
