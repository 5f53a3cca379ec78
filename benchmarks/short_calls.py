"""Whether thousands of short calls leave anything behind.

    python -m benchmarks.short_calls [--calls N] [--at-once N]

A desk in a process of its own answers and echoes; phones of another engine call, wait for the answer, send a few packets, hang
up and call again. Of each call something is kept for 32 s, for what comes late, so memory fills during the first calls. Held
to, on both sides: at the end within 5 % of what it was after two fifths, and no port, task or dialog left over.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator

from benchmarks.agent_desk import load_average
from benchmarks.desk_process import DeskProcess, Held, held, leaks
from benchmarks.open_door import OPEN_DOOR
from voip_engine import Engine, EngineSettings
from voip_engine.events import CallAnswered, CallEnded

MEMORY_LIMIT = 1.05
TALK_S = 0.1
ANSWER_WITHIN_S = 20.0
SETTLE_S = 90.0
"""A transaction waits 32 s for what comes late, and so does the one that ends it."""
MARKS = 5
FILLED = 2
"""The mark from which on memory is not to grow."""


class Phones:
    """Places calls through an engine, each as soon as one before it is over."""

    def __init__(self, engine: Engine, target: str) -> None:
        self._engine = engine
        self._target = target
        self._answered: dict[str, asyncio.Event] = {}
        self.unanswered = 0

    async def watch(self) -> None:
        """Follow the engine's events until cancelled."""
        async for event in self._engine.events():
            if isinstance(event, CallAnswered | CallEnded) and event.call_id in self._answered:
                self._answered[event.call_id].set()

    async def call(self, numbers: Iterator[int]) -> None:
        """Call as often as there are numbers."""
        for _ in numbers:
            call = await self._engine.dial(self._target, codecs=("PCMU",))
            answered = self._answered[call.call_id] = asyncio.Event()
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await answered.wait()
                await asyncio.sleep(TALK_S)
            except TimeoutError:
                pass
            del self._answered[call.call_id]
            self.unanswered += call.snapshot().answered_at is None
            await call.hang_up()
            await call.wait_ended()


async def main(calls: int, at_once: int) -> bool:
    door = {"calls_per_second": OPEN_DOOR.calls_per_second, "calls_burst": OPEN_DOOR.calls_burst}
    settings = EngineSettings(listen=("udp:127.0.0.1:0",), keep_ended_s=0, max_calls=at_once)
    async with DeskProcess(admission=door, max_calls=10 * at_once) as desk, Engine(settings) as engine:
        phones = Phones(engine, f"sip:desk@{desk.host}:{desk.port}")
        watching = asyncio.create_task(phones.watch())
        await asyncio.sleep(2)  # what the engines load in the background is no call's
        before = await desk.look(), held(engine)
        began = time.monotonic()
        marks = [before]
        for mark in range(MARKS):
            numbers = iter(range(calls * mark // MARKS, calls * (mark + 1) // MARKS))
            await asyncio.gather(*(phones.call(numbers) for _ in range(at_once)))
            marks.append((await desk.look(), held(engine)))
        took_s = time.monotonic() - began
        desk_after = await desk.settle(before[0], SETTLE_S)
        after = desk_after, held(engine)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    print(f"{calls} calls, {at_once} at a time, in {took_s:.0f} s; {phones.unanswered} were not answered")
    good = not phones.unanswered
    for side, name in enumerate(("desk", "phones")):
        print(f"{name}: memory in MB, engine + media process, {_memory([pair[side] for pair in marks])}")
        print(f"{name}: left over {leaks(before[side], after[side])}")
        good &= after[side].left_over == before[side].left_over
        good &= marks[-1][side].engine_kb <= marks[FILLED][side].engine_kb * MEMORY_LIMIT
        good &= marks[-1][side].media_kb <= marks[FILLED][side].media_kb * MEMORY_LIMIT
    print(f"{'held' if good else 'not held'}; {load_average()}")
    return good


def _memory(marks: list[Held]) -> str:
    shown = (f"{mark.engine_kb / 1024:.1f} + {mark.media_kb / 1024:.1f}" for mark in marks)
    return f"before and after each fifth: {', '.join(shown)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--at-once", type=int, default=5)
    options = parser.parse_args()
    sys.exit(not asyncio.run(main(options.calls, options.at_once)))
