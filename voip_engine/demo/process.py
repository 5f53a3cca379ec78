"""The simulated callers as a process of their own, so that they share nothing but the network with who is called."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from voip_engine.errors import EngineError

STOP_S = 5.0


@asynccontextmanager
async def demo_callers(listening: tuple[str, ...], ca_file: str | None = None) -> AsyncIterator[Process]:
    """Let four people call the addresses (`udp:127.0.0.1:5060`, `tcp:…`) while the context lasts.

    With `ca_file`, the authority behind the certificate of a `tls:…` address, two of them call encrypted.

    Raises EngineError unless there is an address of each transport.
    """
    targets = {}
    for address in listening:
        transport, _, host_port = address.partition(":")
        targets[transport] = f"sip:demo@{host_port};transport={transport}"
    if not {"udp", "tcp"} <= targets.keys():
        raise EngineError("The demo needs an engine that listens on UDP and on TCP.")
    if ca_file is not None and "tls" not in targets:
        raise EngineError("For encrypted calls the demo needs an engine that listens on TLS.")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "voip_engine.demo", "--udp", targets["udp"], "--tcp", targets["tcp"]),
        *(("--tls", targets["tls"], "--ca-file", ca_file) if ca_file is not None else ()),
        stdin=PIPE,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        yield process
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    """Close its standard input, which ends it with a goodbye on every call; kill it if that takes too long."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
