"""The engine without a screen: events as JSON lines on standard output, logs on standard error."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from voip_engine.options import add_engine_options, settings_from

if TYPE_CHECKING:
    from voip_engine.engine import Engine
    from voip_engine.events import AnyEvent
    from voip_engine.settings import EngineSettings

FAILED = 1
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT, SIGTERM or the end of what was dialled; returns the exit status.

    0 after a clean end, 1 when the engine could not start or a call could not be placed, 2 for bad options or settings.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    from voip_engine.settings import SettingsError

    try:
        settings = settings_from(options, os.environ)
    except SettingsError as error:
        print(f"voip-engine: {error}", file=sys.stderr)
        return USAGE
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    return asyncio.run(_run(settings, options.dial))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="voip-engine",
        description="SIP calls without a screen. Events come as JSON lines on standard output, logs on standard error.",
        epilog="SIGINT and SIGTERM hang up, unregister and exit.",
    )
    add_engine_options(parser)
    parser.add_argument(
        "--dial",
        action="append",
        default=[],
        metavar="URI",
        help="call this address once started; repeatable. Without --listen and --account the program ends with these calls",
    )
    parser.add_argument("--verbose", action="store_true", help="log what the planes say, too")
    return parser


async def _run(settings: EngineSettings, dial: Sequence[str]) -> int:
    from voip_engine.engine import Engine
    from voip_engine.errors import EngineError

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop
            loop.add_signal_handler(number, stop.set)
    status = 0
    try:
        engine = Engine(settings)
        printing = asyncio.create_task(_print_events(engine.events(), stop))
        try:
            async with engine:
                calls_end_it = bool(dial) and not settings.listen and not settings.accounts
                status = await _place(engine, dial)
                waits: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
                if calls_end_it:
                    waits.append(asyncio.create_task(_all_ended(engine)))
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        except BaseException:
            printing.cancel()
            raise
        await printing
    except EngineError as error:
        print(f"voip-engine: {error}", file=sys.stderr)
        return FAILED
    return status


async def _place(engine: Engine, uris: Sequence[str]) -> int:
    from voip_engine.errors import EngineError

    status = 0
    for uri in uris:
        try:
            await engine.dial(uri)
        except EngineError as error:
            print(f"voip-engine: {error}", file=sys.stderr)
            status = FAILED
    return status


async def _all_ended(engine: Engine) -> None:
    for call in tuple(engine.calls.values()):
        await call.wait_ended()


async def _print_events(events: AsyncIterator[AnyEvent], stop: asyncio.Event) -> None:
    """Write each event as a line. A reader that is slow loses the oldest events; one that is gone stops the engine."""
    from msgspec import json

    async for event in events:
        try:
            await asyncio.to_thread(_write, json.encode(event) + b"\n")
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or flushing at exit fails once more
            stop.set()
            return


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
