"""A mode for tests: says what it is told, and keeps what it hears."""

from __future__ import annotations

import asyncio

import numpy as np
from support.correlation import at_telephone_rate, find_speech

from voip_engine import Audio, VoiceLeg


class Talker:
    """Speaks once and keeps every utterance that comes back."""

    name = "talker"

    def __init__(self, words: Audio) -> None:
        self.words = words
        self.heard: list[Audio] = []
        self.spoken = asyncio.Event()
        self.answered = asyncio.Event()

    async def run(self, leg: VoiceLeg) -> None:
        answers = leg.utterances()
        await leg.play(self.words)
        self.spoken.set()
        async for utterance in answers:
            self.heard.append(utterance.audio)
            self.answered.set()

    async def hear(self, seconds: float) -> Audio:
        """Wait until that much audio came back, and return all of it."""
        while sum(map(len, self.heard)) < seconds * 16_000:
            self.answered.clear()
            await self.answered.wait()
        return np.concatenate(self.heard)

    async def own_words(self, seconds: float = 2.0) -> float:
        """Wait for that much audio; how much of it is what was said: 1 is the same wave, 0 another one."""
        heard = await self.hear(seconds)
        known = self.words[: int(seconds * 16_000)]
        return find_speech(at_telephone_rate(known, 16_000), at_telephone_rate(heard, 16_000)).coefficient
