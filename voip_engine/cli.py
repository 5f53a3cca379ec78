"""The engine without a screen: events as JSON lines on standard output, logs on standard error."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voip_engine.interrupts import INTERRUPTED
from voip_engine.options import add_engine_options, check_mode, settings_from
from voip_engine.standard_streams import lead_nowhere, standard_streams, unwritable

if TYPE_CHECKING:
    from voip_engine.calls.call import Call
    from voip_engine.engine import Engine
    from voip_engine.events import AnyEvent
    from voip_engine.settings import EngineSettings

FAILED = 1
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT, SIGTERM or the end of what was dialled; returns the exit status.

    0 after a clean end, 1 when the engine could not start or a dialled call was not answered, 2 for bad options or settings.
    """
    with standard_streams("voip-engine"):
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    if options.version:
        from voip_engine.version import VERSION

        print(f"voip-engine {VERSION}")
        return 0
    from voip_engine.modes.registry import available_modes
    from voip_engine.settings import SettingsError

    try:
        settings = settings_from(options, os.environ)
        check_mode(settings.mode, options, os.environ, available_modes)
    except SettingsError as error:
        print(f"voip-engine: {error}", file=sys.stderr)
        return USAGE
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return asyncio.run(_run(settings, options.dial))
    except KeyboardInterrupt:
        return INTERRUPTED


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
        help="call this address once started; repeatable. "
        "With no address to listen on and no account to keep registered, the program ends with these calls",
    )
    parser.add_argument("--verbose", action="store_true", help="log in more detail, for finding faults")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    return parser


async def _run(settings: EngineSettings, dial: Sequence[str]) -> int:
    from msgspec.structs import replace

    from voip_engine.engine import Engine
    from voip_engine.errors import EngineError

    others_call = bool(settings.listen) or any(account.register for account in settings.accounts)
    calls_end_it = bool(dial) and not others_call
    if calls_end_it and not settings.accounts:
        settings = replace(settings, listen=("udp:0.0.0.0:0",))  # who only dials needs no port that others know
    try:
        engine = Engine(settings)
        with _stopped_by_signals() as stop:
            return await _serve(engine, dial, stop, calls_end_it=calls_end_it)
    except EngineError as error:
        print(f"voip-engine: {error}", file=sys.stderr)
        return FAILED


async def _serve(engine: Engine, dial: Sequence[str], stop: asyncio.Event, *, calls_end_it: bool) -> int:
    """Run until `stop`, or until the calls that were dialled are over. Raises EngineError."""
    from voip_engine.errors import EngineError

    status = 0
    printing = asyncio.create_task(_print_events(engine.events(), stop))
    try:
        async with engine:
            calls = await _place(engine, dial)
            waits: list[asyncio.Task[object]] = [asyncio.create_task(stop.wait())]
            if calls_end_it:
                waits.append(asyncio.create_task(_all_ended(calls)))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            unanswered = len(calls) < len(dial) or any(call.snapshot().answered_at is None for call in calls)
            if unanswered and not stop.is_set():
                status = FAILED
    except EngineError:
        printing.cancel()
        if stop.is_set():  # Ctrl-C reaches the processes that are being started, too
            return INTERRUPTED
        raise
    except BaseException:
        printing.cancel()
        raise
    if trouble := await printing:
        print(f"voip-engine: {trouble}", file=sys.stderr)
        status = FAILED
    return status


@contextmanager
def _stopped_by_signals() -> Iterator[asyncio.Event]:
    """Set at the first SIGINT or SIGTERM; the second one breaks off, even where a mode blocks the loop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    asked = False

    def on_signal(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.platform != "win32":
        _wake_main_thread()
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wake_main_thread() -> None:
    """Let every signal interrupt the main thread: the system may hand it to another one, and handlers run in no other."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    main = threading.main_thread().ident
    assert main is not None

    def wake() -> None:
        while number := os.read(reading, 1):
            if number[0] != signal.SIGURG:
                signal.pthread_kill(main, signal.SIGURG)

    signal.signal(signal.SIGURG, lambda number, frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=wake, name="signals", daemon=True).start()


async def _place(engine: Engine, uris: Sequence[str]) -> list[Call]:
    from voip_engine.errors import EngineError

    calls = []
    for uri in uris:
        try:
            calls.append(await engine.dial(uri))
        except EngineError as error:
            print(f"voip-engine: {error}", file=sys.stderr)
    return calls


async def _all_ended(calls: Sequence[Call]) -> None:
    for call in calls:
        await call.wait_ended()


async def _print_events(events: AsyncIterator[AnyEvent], stop: asyncio.Event) -> str:
    """Write each event as a line; why that does not go on, or nothing. A slow reader loses the oldest events.

    One that is gone, or a full disk, stops the engine: nobody would know what it does.
    """
    from msgspec import json

    async for event in events:
        try:
            await asyncio.to_thread(_write, json.encode(event) + b"\n")
        except OSError as error:
            lead_nowhere(sys.stdout.fileno())  # or flushing at exit fails once more
            stop.set()
            return "" if isinstance(error, BrokenPipeError) else unwritable(error)
    return ""


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
