"""`python -m voip_engine.demo`: four simulated callers ring at the given addresses until standard input closes."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys


def main() -> int:
    """Run the callers until SIGINT, SIGTERM or the end of standard input; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m voip_engine.demo", description=__doc__)
    parser.add_argument("--udp", required=True, metavar="URI", help="whom to call over UDP")
    parser.add_argument("--tcp", required=True, metavar="URI", help="whom to call over TCP")
    parser.add_argument("--seed", type=int, help="make the callers' pauses repeatable")
    options = parser.parse_args()
    asyncio.run(_run(options.udp, options.tcp, options.seed))
    return 0


async def _run(udp: str, tcp: str, seed: int | None) -> None:
    from voip_engine.demo.callers import Targets, run_callers

    loop = asyncio.get_running_loop()
    calling = asyncio.create_task(run_callers(Targets(udp=udp, tcp=tcp), seed=seed))
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on the loop
            loop.add_signal_handler(number, calling.cancel)
    parent = loop.run_in_executor(None, sys.stdin.buffer.read)
    parent.add_done_callback(lambda _: calling.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await calling


if __name__ == "__main__":
    sys.exit(main())
