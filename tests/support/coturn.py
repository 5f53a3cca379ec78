"""coturn as a STUN server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.ports import free_port
from support.processes import running
from support.programs import program


@asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[int]:
    """A STUN server while the block runs, with its files in a folder that is there; gives its port."""
    port = free_port()
    argv = (
        *(program("turnserver"), "-n", "--stun-only", "--no-cli", "--no-tls", "--no-dtls", "--log-file=stdout", "-v"),
        *("--listening-ip=127.0.0.1", f"--listening-port={port}", f"--pidfile={folder / 'pid'}"),
        *(f"--userdb={folder / 'users'}",),
    )
    async with running("turnserver", *argv, folder=folder) as child:
        await child.wait_for("IPv4. UDP listener opened on")
        yield port
