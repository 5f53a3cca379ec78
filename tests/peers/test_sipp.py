"""Fifty calls at once from sipp, with media: none fails, and nothing of them stays behind."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path

import pytest
from support.processes import open_sockets
from support.sipp import sipp
from support.speech import ENDPOINT_S, SLACK_S

from voip_engine import SAMPLE_RATE_HZ, Engine, EngineSettings, events
from voip_engine.demo.speech import load_speech
from voip_engine.network_settings import AdmissionSettings
from voip_engine.settings import ListenAddress

CALLS = 50
SETTLED_S = 5.0

Held = tuple[int, int, Counter[str]]


def held(engine: Engine) -> Held:
    """Sockets of this process and of the media process, and the tasks of this loop by what they run."""
    assert engine.media_process_id is not None
    tasks = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks())
    return open_sockets(os.getpid()), open_sockets(engine.media_process_id), tasks


async def settled(engine: Engine, *expected: object) -> Held:
    """What is held once it begins as expected, or after a while. The system tells nobody when a socket is gone."""
    for _ in range(round(SETTLED_S / 0.05)):
        if held(engine)[: len(expected)] == expected:
            break
        await asyncio.sleep(0.05)
    return held(engine)


async def crowd_calls(engine: Engine, folder: Path, address: ListenAddress) -> None:
    """Fifty callers at once: each speaks, hears itself, and hangs up."""
    speech = load_speech("ben_saturday")
    length_s = len(speech) / SAMPLE_RATE_HZ
    heard_s: dict[str, float] = {}
    endings: list[str] = []
    stream = engine.events()

    async def watch() -> None:
        async for event in stream:
            if isinstance(event, events.PlayoutEnded) and event.complete:
                heard_s[event.call_id] = event.heard_s
            elif isinstance(event, events.CallEnded):
                endings.append(event.by)
                if len(endings) == CALLS:
                    return

    watching = asyncio.create_task(watch())
    listen_s = ENDPOINT_S + length_s + SLACK_S
    async with sipp(folder, address, calls=CALLS, speech=speech, listen_s=listen_s) as crowd:
        assert await crowd.wait_ended(within_s=25) == 0, crowd.transcript()
    async with asyncio.timeout(SETTLED_S):
        await watching
    stream.close()
    assert endings == ["remote"] * CALLS
    assert len(heard_s) == CALLS
    assert min(heard_s.values()) > 0.9 * length_s


@pytest.mark.peer("sipp")
async def test_fifty_calls_at_once_hear_themselves_and_leave_nothing(tmp_path: Path) -> None:
    listen = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")
    settings = EngineSettings(
        listen=listen,
        mode="echo",
        auto_answer=True,
        max_calls=CALLS,
        keep_ended_s=0,
        admission=AdmissionSettings(calls_burst=2 * CALLS, ringing_calls=CALLS),
    )
    async with Engine(settings) as engine:
        udp, tcp = map(ListenAddress.parse, engine.snapshot().listening)
        sockets = held(engine)[:2]
        await crowd_calls(engine, tmp_path / "udp", udp)
        before = await settled(engine, *sockets)  # by now all runs that the engine starts in the background
        assert before[:2] == sockets
        await crowd_calls(engine, tmp_path / "tcp", tcp)
        assert await settled(engine, *before) == before
        assert engine.snapshot().malformed_messages == 0
