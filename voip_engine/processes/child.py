"""A worker process as the engine sees it: commands down its standard input, reports up its standard output.

What it prints on standard error goes into the log at level debug; closing its standard input ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from voip_engine.processes.framing import READ_BYTES, MessageReader, PipeError, encode, widen

_EXIT_TIMEOUT_S: Final = 3.0
_LONGEST_BACKLOG_BYTES: Final = 64 * 1024 * 1024

Report = TypeVar("Report")

_log = logging.getLogger(__name__)


class ChildError(Exception):
    """The process did not start, or did not say what it should; the message is a plain sentence."""


class ChildProcess(Generic[Report]):
    """One worker process and its pipes. `title` names it in the log."""

    def __init__(self, title: str, process: asyncio.subprocess.Process, decode: Callable[[bytes], Report]) -> None:
        self.title = title
        self.process = process
        self.started_s = time.monotonic()
        self._decode = decode
        self._reader = MessageReader()
        self._errors = asyncio.create_task(self._log_errors(), name=f"{title} errors")

    @classmethod
    async def start(
        cls, title: str, module: str, decode: Callable[[bytes], Report], *arguments: str, timeout_s: float
    ) -> tuple[ChildProcess[Report], Report]:
        """Start `python -m module` and wait for its first report, which is given, too. Raises ChildError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        child = cls(title, process, decode)
        assert process.stdin is not None
        widen(process.stdin.get_extra_info("pipe").fileno())
        try:
            async with asyncio.timeout(timeout_s):
                first = await child.reports()
        except (TimeoutError, PipeError, msgspec.MsgspecError):
            first = []
        except BaseException:
            child.kill()
            await child.end()
            raise
        if len(first) != 1:
            child.kill()
            await child.end()
            raise ChildError(f"The {title} does not start; `voip-engine --verbose` shows why.")
        return child, first[0]

    def send(self, command: msgspec.Struct) -> None:
        """Queue a command. Dropped if the process is gone or hopelessly behind; then it is replaced anyway."""
        pipe = self.process.stdin
        assert pipe is not None
        if not pipe.is_closing() and pipe.transport.get_write_buffer_size() < _LONGEST_BACKLOG_BYTES:
            pipe.write(encode(command))

    async def reports(self) -> list[Report]:
        """Wait for reports; an empty list when the process is gone. Raises PipeError and msgspec's errors for garbage."""
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(READ_BYTES):
            reports = [self._decode(body) for body in self._reader.feed(data)]
            if reports:
                return reports
        return []

    def kill(self) -> None:
        """End it at once."""
        if sys.platform == "win32":
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        elif self.process.returncode is None:
            # `process.kill` looks first whether it has ended, and then asyncio, which waits for that, misses it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """See the process off, by force if it doesn't go."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        # Unread reports would keep the pipe open, and asyncio counts a process as ended only when its pipes are.
        unread = asyncio.create_task(self._discard_reports(), name=f"{self.title} reports nobody waits for")
        try:
            async with asyncio.timeout(_EXIT_TIMEOUT_S):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()
        await unread
        with contextlib.suppress(OSError):
            await self.process.stdin.wait_closed()
        await self._errors

    async def _discard_reports(self) -> None:
        assert self.process.stdout is not None
        while await self.process.stdout.read(READ_BYTES):
            pass

    async def _log_errors(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            _log.debug("%s: %s", self.title, line.decode(errors="replace").rstrip())
