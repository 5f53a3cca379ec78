"""What a flood does to live calls: INVITEs of strangers and of a known source, and malformed datagrams beside them.

    python -m benchmarks.flood [--calls N] [--seconds S] [--invites PER_S] [--malformed N]

The desk is a process of its own, and so is each live caller, who notes every packet with the kernel's time stamps. Half of the
INVITEs come from a source that may not call, half from one that may and never acknowledges an answer; half of the datagrams
from each. An answer that nobody acknowledges is kept for 32 s and the BYE after it for 32 s more. Held to: no live call
without audio for more than 40 ms, at most 5 % more memory in the second half, and nothing left over two minutes later.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time

import numpy as np

from benchmarks.agent_desk import load_average
from benchmarks.desk_process import DeskProcess
from benchmarks.wire_caller import Heard, WireCaller
from tests.support.attacker import Attacker
from tests.support.holdings import Held, leaks

CALLER, KNOWN, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.66"
GAP_LIMIT_MS = 40.0
MEMORY_LIMIT = 1.05
STEP_S = 0.02
MARKS = 6
SETTLE_S = 120.0
"""Answers that nobody acknowledges are given up after 32 s, and the BYE for them after 32 s more."""


async def flood(attackers: list[Attacker], seconds: float, invites: float, malformed: int) -> None:
    """Send at an even pace, turn and turn about."""
    began = time.monotonic()
    invited = broken = 0
    while (elapsed := time.monotonic() - began) < seconds:
        while invited < elapsed * invites:
            attackers[invited % len(attackers)].invite()
            invited += 1
        while broken < elapsed / seconds * malformed:
            attackers[broken % len(attackers)].malformed()
            broken += 1
        await asyncio.sleep(STEP_S)


def longest_gap_ms(heard: Heard, began_s: float, ended_s: float) -> float:
    """The longest time without a packet between two moments; what stands at either end counts, too."""
    during = heard.arrived_s[(heard.arrived_s > began_s) & (heard.arrived_s < ended_s)]
    return float(np.diff(np.concatenate(([began_s], during, [ended_s]))).max() * 1000)


async def main(calls: int, seconds: float, invites: float, malformed: int, seed: int) -> bool:
    source = random.Random(seed)
    networks = [f"{CALLER}/32", f"{KNOWN}/32"]
    async with DeskProcess(admission={"networks": networks}) as desk:
        await asyncio.sleep(2)  # what the engine loads in the background is no call's
        before = await desk.look()
        callers = [await WireCaller.call(desk.host, desk.port) for _ in range(calls)]
        await asyncio.sleep(2)
        attackers = [Attacker(host, (desk.host, desk.port), source) for host in (STRANGER, KNOWN)]
        began_s = time.monotonic()
        flooding = asyncio.create_task(flood(attackers, seconds, invites, malformed))
        marks = []
        for _ in range(MARKS):
            await asyncio.sleep(seconds / MARKS)
            marks.append(await desk.look())
        await flooding
        ended_s = time.monotonic()
        gaps_ms = [longest_gap_ms(await caller.hang_up(), began_s, ended_s) for caller in callers]
        for attacker in attackers:
            attacker.close()
        after = await desk.settle(before, SETTLE_S)
    sent = sum(attacker.sent for attacker in attackers)
    print(f"{sent} datagrams in {seconds:.0f} s, {invites:.0f} INVITEs a second among them, {calls} live calls")
    print(f"longest gap in a live call {max(gaps_ms):.1f} ms, median of the calls' longest {np.median(gaps_ms):.1f} ms")
    late = marks[-1]
    print(f"turned away {late.turned_away}, malformed {late.malformed}, calls up at the end {late.up}")
    print(f"memory in MB, engine + media process, before, after each sixth, settled: {_memory(before, *marks, after)}")
    print(f"left over: {leaks(before, after) or 'nothing'}; {load_average()}")
    flat = all(late.engine_kb <= mark.engine_kb * MEMORY_LIMIT for mark in marks[MARKS // 2 - 1 :])
    held = max(gaps_ms) <= GAP_LIMIT_MS and flat and not leaks(before, after)
    print("held" if held else "not held")
    return held


def _memory(*marks: Held) -> str:
    return ", ".join(f"{mark.engine_kb / 1024:.1f} + {mark.media_kb / 1024:.1f}" for mark in marks)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--invites", type=float, default=150.0, help="a second")
    parser.add_argument("--malformed", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    arguments = options.calls, options.seconds, options.invites, options.malformed, options.seed
    sys.exit(not asyncio.run(main(*arguments)))
