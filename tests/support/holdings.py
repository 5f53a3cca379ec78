"""What an engine of this process holds: memory, files, tasks and the objects of its calls."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path

import msgspec

from voip_engine import Engine
from voip_engine.calls.call import Call
from voip_engine.sip.core import SipCore
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.transactions.transaction_layer import ClientTransaction, ServerTransaction

KB_A_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024
_COUNTED = (Call, Session, ServerTransaction, ClientTransaction)


class Held(msgspec.Struct, frozen=True):
    """What an engine and its media process hold, memory in KB; `objects` by type, after a full collection."""

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


def leaks(before: Held, after: Held) -> str:
    """What is left over, in words; empty for nothing. What was still to do before the first call may have ended since."""
    more = {name: after.left_over[name] - count for name, count in before.left_over.items()}
    return ", ".join(f"{count:+} {name}" for name, count in more.items() if count > 0)


def held(engine: Engine) -> Held:
    """Collect garbage and count what an engine of this process holds."""
    gc.collect()
    objects = dict.fromkeys((kind.__name__ for kind in _COUNTED), 0)
    timers = 0
    for each in gc.get_objects():
        if type(each) in _COUNTED:
            objects[type(each).__name__] += 1
        elif type(each) is SipCore:
            timers += each.timers
    assert engine.media_process_id is not None
    snapshot = engine.snapshot()
    return Held(
        engine_kb=_resident_kb(os.getpid()),
        media_kb=_resident_kb(engine.media_process_id),
        engine_files=_open_files(os.getpid()),
        media_files=_open_files(engine.media_process_id),
        tasks=len(asyncio.all_tasks()),
        threads=threading.active_count(),
        objects=objects | {"timer": timers},
        up=sum(not call.ended for call in engine.calls.values()),
        turned_away=snapshot.turned_away,
        malformed=snapshot.malformed_messages,
        overruns=snapshot.tick_overruns,
    )


def _resident_kb(process_id: int) -> int:
    return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * KB_A_PAGE


def _open_files(process_id: int) -> int:
    return sum(1 for _ in Path(f"/proc/{process_id}/fd").iterdir())
