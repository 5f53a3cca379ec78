"""A desk that answers and echoes, in a process of its own that tells what it holds.

Started by `DeskProcess`. Reads `EngineSettings` as a line of JSON, writes where it listens; each further line is answered by
`Held`. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from voip_engine import Engine, EngineSettings
from voip_engine.calls.call import Call
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.transactions.transaction_layer import ClientTransaction, ServerTransaction

KB_A_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024
_COUNTED = (Call, Session, ServerTransaction, ClientTransaction)


class Held(msgspec.Struct, frozen=True):
    """What the desk's two processes hold, memory in KB; `objects` by type, after a full collection."""

    engine_kb: int
    media_kb: int
    engine_files: int
    media_files: int
    tasks: int
    threads: int
    objects: dict[str, int]
    up: int
    turned_away: int
    malformed: int
    overruns: int

    @property
    def left_over(self) -> dict[str, int]:
        """All but memory and counters: no more some time after the last call than before the first one."""
        things = {"engine files": self.engine_files, "media files": self.media_files, "tasks": self.tasks}
        return things | self.objects | {"calls up": self.up}


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


def leaks(before: Held, after: Held) -> str:
    """What is left over, in words; empty for nothing. What was still to do before the first call may have ended since."""
    more = {name: after.left_over[name] - count for name, count in before.left_over.items()}
    return ", ".join(f"{count:+} {name}" for name, count in more.items() if count > 0)


def held(engine: Engine) -> Held:
    """Collect garbage and count what an engine of this process holds."""
    gc.collect()
    objects = dict.fromkeys((kind.__name__ for kind in _COUNTED), 0)
    for each in gc.get_objects():
        if type(each) in _COUNTED:
            objects[type(each).__name__] += 1
    assert engine.media_process_id is not None
    snapshot = engine.snapshot()
    return Held(
        engine_kb=_resident_kb(os.getpid()),
        media_kb=_resident_kb(engine.media_process_id),
        engine_files=_open_files(os.getpid()),
        media_files=_open_files(engine.media_process_id),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        objects=objects,
        up=sum(not call.ended for call in engine.calls.values()),
        turned_away=snapshot.turned_away,
        malformed=snapshot.malformed_messages,
        overruns=snapshot.tick_overruns,
    )


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


def _resident_kb(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * KB_A_PAGE


def _open_files(process_id: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process_id}/fd").iterdir())


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(_serve(msgspec.convert(msgspec.json.decode(sys.stdin.readline()), EngineSettings)))
