"""Child processes of tests: each in a group of its own, watched line by line, ended exactly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

REPOSITORY = Path(__file__).parents[2]
GOODBYE_S = 5.0


class Child:
    """A running program, its output so far, and a way to wait for lines of it."""

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process_id = process.pid
        self.lines: list[str] = []
        self._process = process
        self._grown = asyncio.Condition()
        assert process.stdout is not None
        assert process.stderr is not None
        self._errors: list[str] = []
        self._ended_outputs = 0
        self._readers = (
            asyncio.create_task(self._read(process.stdout, self.lines)),
            asyncio.create_task(self._read(process.stderr, self._errors)),
        )

    @property
    def returncode(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.returncode

    def transcript(self) -> str:
        """The last lines that it wrote, for a failure's message."""
        output, errors = "\n".join(self.lines[-40:]), "\n".join(self._errors[-40:])
        return f"{self.name} (exit status {self.returncode}) wrote:\n{output}\n--- on standard error ---\n{errors}"

    async def wait_for(self, pattern: str, within_s: float = 10.0) -> re.Match[str]:
        """The first line of either output with this pattern in it. Fails when it ends or the time is over."""
        expression = re.compile(pattern)

        def search() -> re.Match[str] | None:
            found = (expression.search(line) for line in (*self.lines, *self._errors))
            return next(filter(None, found), None)

        return await self.wait_until(search, f"a line like {pattern!r}", within_s)

    async def wait_until(self, find: Callable[[], Found | None], what: str, within_s: float) -> Found:
        """What `find` gives once it is not None; asked again after every line."""
        try:
            async with asyncio.timeout(within_s), self._grown:
                while (found := find()) is None:
                    if self._ended_outputs == 2:
                        raise AssertionError(f"{self.name} ended before there was {what}. {self.transcript()}")
                    await self._grown.wait()
                return found
        except TimeoutError:
            raise AssertionError(f"There was no {what} within {within_s} s. {self.transcript()}") from None

    async def wait_ended(self, within_s: float = GOODBYE_S) -> int:
        """The exit status, once it ends by itself."""
        try:
            async with asyncio.timeout(within_s):
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} did not end within {within_s} s. {self.transcript()}") from None

    def write(self, line: str) -> None:
        """Type a line on its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it alone, not to its children."""
        self._process.send_signal(number)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL to its whole group when it takes too long or leaves children behind."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._process.wait()
        except TimeoutError:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process_id, signal.SIGKILL)
        await self._process.wait()
        await asyncio.gather(*self._readers)

    async def _read(self, stream: asyncio.StreamReader, into: list[str]) -> None:
        async for line in stream:
            into.append(line.decode(errors="replace").rstrip("\r\n"))
            await self._wake()
        self._ended_outputs += 1
        await self._wake()

    async def _wake(self) -> None:
        async with self._grown:
            self._grown.notify_all()


def open_sockets(process_id: int) -> int:
    """How many sockets a process of ours holds open."""
    count = 0
    for entry in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            count += str(entry.readlink()).startswith("socket:")
    return count


@asynccontextmanager
async def running(
    name: str, *argv: str, environ: Mapping[str, str] | None = None, folder: Path = REPOSITORY
) -> AsyncIterator[Child]:
    """A program while the block runs."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=PIPE,  # some phones watch their standard input, and end with it
        stdout=PIPE,
        stderr=PIPE,
        cwd=folder,
        env={**os.environ, **(environ or {})},
        start_new_session=True,
        limit=1 << 20,
    )
    child = Child(name, process)
    try:
        yield child
    finally:
        await child.stop()
