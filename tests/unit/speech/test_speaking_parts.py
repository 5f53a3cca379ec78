"""The parts of synthesis that need no process: the line, the clips, the speed."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.speech.base import SpeechError
from voip_engine.speech.clause import Clause
from voip_engine.speech.clip_cache import ClipCache
from voip_engine.speech.speaking_figures import SpeakingSpeed
from voip_engine.speech.waiting_line import WaitingLine


def seconds(length_s: float) -> list[Audio]:
    return [np.zeros(round(length_s * SAMPLE_RATE_HZ), np.float32)]


async def taken_from(line: WaitingLine[str]) -> str:
    taken = [await line.take() for _ in range(len(line))]
    return " ".join(taken)


async def test_calls_take_turns_in_the_order_they_came() -> None:
    line: WaitingLine[str] = WaitingLine()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        line.put(item[0], item)
    assert await taken_from(line) == "a1 b1 c1 a2 b2 a3"


async def test_what_is_taken_back_is_not_given() -> None:
    line: WaitingLine[str] = WaitingLine()
    for item in ("a1", "b1", "b2"):
        line.put(item[0], item)
    assert line.remove("a", "a1")
    assert line.remove("b", "b2")
    assert not line.remove("a", "a1")
    assert await taken_from(line) == "b1"


async def test_every_waiting_worker_gets_an_item() -> None:
    line: WaitingLine[str] = WaitingLine()
    takers = [asyncio.create_task(line.take()) for _ in range(3)]
    await asyncio.sleep(0)
    takers[0].cancel()
    await asyncio.gather(takers[0], return_exceptions=True)
    line.put("a", "a1")
    line.put("a", "a2")
    assert sorted(await asyncio.gather(*takers[1:])) == ["a1", "a2"]


async def test_clearing_gives_all_and_leaves_nothing_to_wait_for() -> None:
    line: WaitingLine[str] = WaitingLine()
    line.put("a", "a1")
    line.put("b", "b1")
    assert line.clear() == ["a1", "b1"]
    waiting = asyncio.create_task(line.filled())
    await asyncio.sleep(0)
    assert not waiting.done()
    line.put("a", "a2")
    await waiting


def test_clips_heard_longest_ago_go_first() -> None:
    clips = ClipCache(longest_s=3)
    clips.put("alba", "one", seconds(1))
    clips.put("alba", "two", seconds(1))
    assert clips.get("alba", "one") is not None
    clips.put("jean", "two", seconds(1.5))
    assert clips.seconds == 2.5
    assert clips.get("alba", "two") is None
    assert clips.get("alba", "one") is not None
    assert clips.get("jean", "two") is not None


def test_a_clip_that_is_too_long_pushes_nothing_out() -> None:
    clips = ClipCache(longest_s=3)
    clips.put("alba", "one", seconds(1))
    clips.put("alba", "long", seconds(3.1))
    assert clips.get("alba", "long") is None
    assert clips.get("alba", "one") is not None


@pytest.mark.parametrize(
    ("workers", "factor", "capacity"), [(1, 0.6, 1), (1, 1.7, 1), (1, 0.3, 3), (2, 0.6, 3), (2, 1.4, 2), (4, 0.02, 200)]
)
def test_carries_what_the_real_time_factor_allows(workers: int, factor: float, capacity: int) -> None:
    speed = SpeakingSpeed(workers)
    assert speed.capacity is None
    speed.measured(factor)
    assert speed.capacity == capacity


def test_one_slow_generation_does_not_decide() -> None:
    speed = SpeakingSpeed(1)
    for _ in range(10):
        speed.measured(0.3, 0.1)
    speed.measured(0.6, 0.2)
    assert speed.capacity == 2
    assert speed.first_audio_ms == pytest.approx(120)


async def test_who_listens_late_hears_all_of_a_clause() -> None:
    clause = Clause("call", "alba", "Hello.")
    clause.add(np.ones(3, np.float32))
    late = asyncio.create_task(_heard(clause))
    await asyncio.sleep(0)
    clause.add(np.ones(2, np.float32))
    clause.end()
    assert await late == 5
    assert await _heard(clause) == 5


async def test_an_error_comes_after_what_was_said() -> None:
    clause = Clause("call", "alba", "Hello.")
    clause.add(np.ones(3, np.float32))
    clause.end(SpeechError("crashed"))
    heard = []
    with pytest.raises(SpeechError, match="crashed"):
        async for chunk in clause.listen():
            heard.append(chunk.size)
    assert heard == [3]


async def _heard(clause: Clause) -> int:
    return sum([chunk.size async for chunk in clause.listen()])
