"""What a simulated caller does on the phone: say something, wait until the other side has answered, say more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.modes.base import Utterance, VoiceLeg

PATIENCE_S = 4.0
"""How long after its own sentence's length a caller waits for an answer before it goes on regardless."""

PAUSE_S = 1.5
"""Silence after which the other side has finished."""


class CallerMode:
    """Speaks its sentences one by one. `on_said_all` is called when there is nothing more to say."""

    name = "caller"

    def __init__(self, sentences: Sequence[Audio], source: random.Random, on_said_all: Callable[[], None]) -> None:
        self._sentences = sentences
        self._random = source
        self._on_said_all = on_said_all

    async def run(self, leg: VoiceLeg) -> None:
        """Hold the conversation."""
        answers = leg.utterances()
        await asyncio.sleep(self._random.uniform(0.5, 1.5))
        for sentence in self._sentences:
            await leg.play(sentence)
            await self._hear_out(answers, PATIENCE_S + len(sentence) / SAMPLE_RATE_HZ)
            await asyncio.sleep(self._random.uniform(0.2, 1.5))
        self._on_said_all()

    async def _hear_out(self, answers: AsyncIterator[Utterance], patience_s: float) -> None:
        """Wait for an answer, and then until nothing more follows."""
        while await _answered(answers, patience_s):
            patience_s = PAUSE_S


async def _answered(answers: AsyncIterator[Utterance], within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await anext(answers)
    except (TimeoutError, StopAsyncIteration):
        return False
    return True
