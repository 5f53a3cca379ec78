"""What the console costs with many talking calls on it, and what it does to their packets.

    python -m benchmarks.console_load [--calls N] [--seconds S]

The real program runs in a pseudo-terminal over the real engine; callers talk in a process of their own. Held to: p99 of
packet lateness under 5 ms with 50 calls at 10 updates a second. A run with the same calls and no screen stands beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.console_callers import callers
from benchmarks.console_terminal import terminal
from benchmarks.free_port import free_udp_port
from benchmarks.open_door import OPEN_DOOR
from voip_engine import Engine, EngineSettings
from voip_engine.events import CallAnswered

LATENESS_LIMIT_MS = 5.0
SETTLE_S = 8.0
PROBE_S = 0.005


@dataclass(frozen=True)
class Cost:
    """`lateness_p99_ms` is the media process's own figure, one a second; `stall` is how late the loop woke a task."""

    calls: int
    cpu_percent: float
    stall_p99_ms: float
    stall_worst_ms: float
    lateness_p99_ms: list[float]
    overruns: int


async def _watch(engine: Engine, calls: int, seconds: float) -> Cost:
    """Measure from inside the loop, once all calls talk."""
    answered = 0
    async for event in engine.events():
        answered += isinstance(event, CallAnswered)
        if answered == calls:
            break
    await asyncio.sleep(SETTLE_S)
    stalls: list[float] = []
    lateness: list[float] = []
    overruns, cpu_s, began = engine.snapshot().tick_overruns, time.process_time(), time.perf_counter()
    next_look = began + 1
    while (now := time.perf_counter()) - began < seconds:
        await asyncio.sleep(PROBE_S)
        stalls.append((time.perf_counter() - now - PROBE_S) * 1000)
        if now >= next_look:
            next_look += 1
            lateness.append(engine.snapshot().lateness_p99_ms)
    elapsed = time.perf_counter() - began
    return Cost(
        calls=sum(call.snapshot().answered_at is not None for call in engine.calls.values()),
        cpu_percent=(time.process_time() - cpu_s) / elapsed * 100,
        stall_p99_ms=statistics.quantiles(stalls, n=100)[-1],
        stall_worst_ms=max(stalls),
        lateness_p99_ms=lateness,
        overruns=engine.snapshot().tick_overruns - overruns,
    )


def _settings(port: int, calls: int) -> EngineSettings:
    return EngineSettings(
        listen=(f"udp:127.0.0.1:{port}",), auto_answer=True, max_calls=calls + 10, admission=OPEN_DOOR
    )


def _console(port: int, calls: int, seconds: float, result: Path) -> None:
    """The console with a probe in its loop; leaves by itself when it has measured."""
    from voip_tui.app import ConsoleApp
    from voip_tui.context import Setup

    @asynccontextmanager
    async def open_engine() -> AsyncIterator[Engine]:
        async with Engine(_settings(port, calls)) as engine:
            watching = asyncio.create_task(_watch(engine, calls, seconds))
            watching.add_done_callback(lambda task: result.write_text(json.dumps(asdict(task.result()))))
            yield engine

    app = ConsoleApp(open_engine, Setup())
    app.run()
    if app.failure:
        print(app.failure, file=sys.stderr)


async def _headless(port: int, calls: int, seconds: float) -> Cost:
    async with Engine(_settings(port, calls)) as engine:
        talking = callers(f"sip:echo@127.0.0.1:{port}", calls)
        talking.__enter__()
        try:
            return await _watch(engine, calls, seconds)
        finally:
            # They say goodbye to this very engine, which must be free to answer.
            await asyncio.to_thread(talking.__exit__, None, None, None)


def _on_screen(calls: int, seconds: float, columns: int, lines: int) -> tuple[Cost, float]:
    """The cost with the console, and the bytes a second that it draws."""
    port = free_udp_port()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "cost.json"
        arguments = ("--console", str(port), "--calls", str(calls), "--seconds", str(seconds), "--result", str(result))
        program = (sys.executable, "-m", "benchmarks.console_load", *arguments)
        with terminal(*program, columns=columns, lines=lines) as console:
            console.wait_for(b"No calls yet")
            with callers(f"sip:echo@127.0.0.1:{port}", calls):
                console.drain(SETTLE_S)
                drawn, began = console.drawn, time.perf_counter()
                while not result.exists() and not console.ended:
                    console.drain(0.2)
                a_second = (console.drawn - drawn) / (time.perf_counter() - began)
                return Cost(**json.loads(result.read_text())), a_second


def _print(name: str, cost: Cost, bytes_a_second: float | None = None) -> None:
    drawn = f"{bytes_a_second / 1000:8.0f}" if bytes_a_second is not None else f"{'—':>8}"
    print(
        f"{name:18}{cost.calls:6}{cost.cpu_percent:8.1f}{cost.stall_p99_ms:10.1f}{cost.stall_worst_ms:10.1f}"
        f"{statistics.median(cost.lateness_p99_ms):12.2f}{max(cost.lateness_p99_ms):10.2f}{cost.overruns:9}{drawn}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--console", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.console is not None:
        _console(options.console, options.calls, options.seconds, options.result)
        return 0
    print(
        f"{os.cpu_count()} cores, callers on the same machine, {options.seconds:.0f} s each. CPU is the engine's own process."
    )
    print(
        f"{'':18}{'calls':>6}{'CPU %':>8}{'stall p99':>10}{'worst':>10}{'late p99':>12}{'worst':>10}{'overruns':>9}{'kB/s':>8}"
    )
    _print("no screen", asyncio.run(_headless(free_udp_port(), options.calls, options.seconds)))
    failed = False
    for columns, lines in ((80, 24), (120, 40), (200, 60)):
        cost, bytes_a_second = _on_screen(options.calls, options.seconds, columns, lines)
        _print(f"console {columns}×{lines}", cost, bytes_a_second)
        failed |= statistics.median(cost.lateness_p99_ms) > LATENESS_LIMIT_MS
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
