"""A desk that answers and echoes, in a process of its own that tells what it holds.

Started by `DeskProcess`. Reads `EngineSettings` as a line of JSON, writes where it listens; each further line is answered by
`Held`. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.support.holdings import Held, held, leaks
from voip_engine import Engine, EngineSettings


class DeskProcess:
    """The process as a benchmark sees it; an asynchronous context manager."""

    def __init__(self, **settings: Any) -> None:
        self._settings = {"listen": ["udp:127.0.0.1:0"], "auto_answer": True, "keep_ended_s": 0} | settings
        self._process: asyncio.subprocess.Process
        self.host = ""
        self.port = 0

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.desk_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._ask(msgspec.json.encode(self._settings))
        listening = msgspec.json.decode(await self._answer(), type=list[str])
        self.host, _, port = listening[0].removeprefix("udp:").rpartition(":")
        self.port = int(port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def look(self) -> Held:
        """Collect garbage and count what is held."""
        self._ask(b"look")
        return msgspec.json.decode(await self._answer(), type=Held)

    async def settle(self, as_before: Held, within_s: float) -> Held:
        """Wait until no more is held than before, or until the time is over."""
        end = asyncio.get_running_loop().time() + within_s
        while leaks(as_before, held := await self.look()):
            if asyncio.get_running_loop().time() > end:
                break
            await asyncio.sleep(1)
        return held

    def _ask(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + b"\n")

    async def _answer(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()


async def _serve(settings: EngineSettings) -> None:
    async with Engine(settings) as engine:
        _tell(msgspec.json.encode(engine.snapshot().listening))
        loop = asyncio.get_running_loop()
        asked: asyncio.Queue[bool] = asyncio.Queue()
        reader = threading.Thread(target=_read, args=(lambda more: loop.call_soon_threadsafe(asked.put_nowait, more),))
        reader.start()
        while await asked.get():
            _tell(msgspec.json.encode(held(engine)))
        reader.join()


def _read(tell: Callable[[bool], object]) -> None:
    for _ in sys.stdin:
        tell(True)
    tell(False)


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_serve(msgspec.convert(msgspec.json.decode(sys.stdin.readline()), EngineSettings)))
