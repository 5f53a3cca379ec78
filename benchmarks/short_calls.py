"""Whether thousands of short calls leave anything behind.

    python -m benchmarks.short_calls [--calls N] [--per-second N] [--at-once N]

A desk in a process of its own answers and echoes; phones of another engine call, wait for the answer, send a few packets, hang
up and call again. Of each call something is kept for 32 s, for what comes late, so memory fills during the first calls, and the
faster they come, the more: that is why they come at an even pace. Held to, on both sides: at the end within 5 % of what it was
after 2,000 calls, and no port, task or dialog left over.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator

from benchmarks.agent_desk import load_average
from benchmarks.desk_process import DeskProcess
from benchmarks.open_door import OPEN_DOOR
from tests.support.holdings import Held, held, leaks
from voip_engine import Engine, EngineSettings
from voip_engine.events import CallAnswered, CallEnded

MEMORY_LIMIT = 1.05
TALK_S = 0.1
ANSWER_WITHIN_S = 20.0
SETTLE_S = 90.0
"""A transaction waits 32 s for what comes late, and so does the one that ends it."""
STEP_CALLS = 1_000
"""Memory is looked at after each."""
FILLED_STEPS = 2
"""From then on memory is not to grow."""


class Phones:
    """Places calls through an engine, each when one before it is over, and at most so many a second."""

    def __init__(self, engine: Engine, target: str, per_second: float) -> None:
        self._engine = engine
        self._target = target
        self._between_s = 1 / per_second
        self._next_at = 0.0
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
            await self._turn()
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

    async def _turn(self) -> None:
        """Wait for the next call's moment; moments that were missed are not made up for."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._next_at)
        self._next_at = at + self._between_s
        await asyncio.sleep(at - now)


async def main(calls: int, per_second: float, at_once: int) -> bool:
    door = {"calls_per_second": OPEN_DOOR.calls_per_second, "calls_burst": OPEN_DOOR.calls_burst}
    settings = EngineSettings(listen=("udp:127.0.0.1:0",), keep_ended_s=0, max_calls=at_once)
    async with DeskProcess(admission=door, max_calls=10 * at_once) as desk, Engine(settings) as engine:
        phones = Phones(engine, f"sip:desk@{desk.host}:{desk.port}", per_second)
        watching = asyncio.create_task(phones.watch())
        await asyncio.sleep(2)  # what the engines load in the background is no call's
        before = await desk.look(), held(engine)
        marks = [before]
        print(f"before any call: {_memory(before)}", flush=True)
        for step in range(calls // STEP_CALLS):
            began = time.monotonic()
            numbers = iter(range(STEP_CALLS))
            await asyncio.gather(*(phones.call(numbers) for _ in range(at_once)))
            took_s = time.monotonic() - began
            marks.append((await desk.look(), held(engine)))
            pace = f"{STEP_CALLS / took_s:.0f} a second"
            print(f"after {(step + 1) * STEP_CALLS} calls, {pace}: {_memory(marks[-1])}", flush=True)
        desk_after = await desk.settle(before[0], SETTLE_S)
        after = desk_after, held(engine)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    print(f"{phones.unanswered} of {calls} calls were not answered; {load_average()}")
    good = not phones.unanswered
    for side, name in enumerate(("desk", "phones")):
        filled, last = marks[FILLED_STEPS][side], marks[-1][side]
        grown = last.engine_kb / filled.engine_kb, last.media_kb / filled.media_kb
        engine, media = (f"{(times - 1) * 100:+.1f} %" for times in grown)
        left = leaks(before[side], after[side])
        since = f"memory since {FILLED_STEPS * STEP_CALLS} calls: engine {engine}, media process {media}"
        print(f"{name}: {since}; left over {left or 'nothing'}")
        good &= not left and max(grown) <= MEMORY_LIMIT
    print("held" if good else "not held")
    return good


def _memory(sides: tuple[Held, Held]) -> str:
    desk, phones = (f"{side.engine_kb / 1024:.1f} + {side.media_kb / 1024:.1f}" for side in sides)
    return f"desk {desk}, phones {phones} MB in engine + media process"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--per-second", type=float, default=25.0, help="at most")
    parser.add_argument("--at-once", type=int, default=5, help="at most")
    options = parser.parse_args()
    if options.calls <= FILLED_STEPS * STEP_CALLS or options.calls % STEP_CALLS:
        parser.error(f"--calls takes thousands, more than {FILLED_STEPS}")
    sys.exit(not asyncio.run(main(options.calls, options.per_second, options.at_once)))
