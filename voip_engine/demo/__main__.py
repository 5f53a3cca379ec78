"""`python -m voip_engine.demo`: four simulated callers ring at the given addresses until standard input closes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading


def main() -> int:
    """Run the callers until SIGINT, SIGTERM or the end of standard input; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m voip_engine.demo", description=__doc__)
    parser.add_argument("--udp", required=True, metavar="URI", help="whom to call over UDP")
    parser.add_argument("--tcp", required=True, metavar="URI", help="whom to call over TCP")
    parser.add_argument("--tls", metavar="URI", help="whom to call over TLS; two of the four do then, with SRTP")
    parser.add_argument("--ca-file", metavar="FILE", help="the authority behind that one's certificate")
    parser.add_argument("--seed", type=int, help="make the callers' pauses repeatable")
    options = parser.parse_args()
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    from voip_engine.demo.callers import Targets, run_callers

    loop = asyncio.get_running_loop()
    targets = Targets(udp=options.udp, tcp=options.tcp, tls=options.tls, ca_file=options.ca_file)
    calling = asyncio.create_task(run_callers(targets, seed=options.seed))
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop
            loop.add_signal_handler(number, calling.cancel)
    threading.Thread(target=_watch_parent, args=(loop, calling), daemon=True).start()
    with contextlib.suppress(asyncio.CancelledError):
        await calling


def _watch_parent(loop: asyncio.AbstractEventLoop, calling: asyncio.Task[None]) -> None:
    """Hang up when whoever started us is gone; a thread, as Windows has no other way to wait on a pipe."""
    while os.read(
        sys.stdin.fileno(), 4096
    ):  # not through a buffer, whose lock would be held while the interpreter ends
        pass
    with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
        loop.call_soon_threadsafe(calling.cancel)


if __name__ == "__main__":
    sys.exit(main())
