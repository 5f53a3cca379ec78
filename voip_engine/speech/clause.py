"""A clause while it is being said: audio that grows, and those who listen to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from voip_engine.audio import Audio
from voip_engine.speech.base import SpeechError


class Clause:
    """What is to be said in one go. Several calls may listen to the same; each hears all of it.

    It keeps its audio until nobody holds it, which the length of its text bounds.
    """

    def __init__(self, call_id: str, voice: str, text: str) -> None:
        self.call_id = call_id
        self.voice = voice
        self.text = text
        self.chunks: list[Audio] = []
        self.ended = False
        self.error: SpeechError | None = None
        self.listeners = 0
        self._news = asyncio.Event()

    def add(self, audio: Audio) -> None:
        """Append audio."""
        audio.setflags(write=False)  # several may hold it
        self.chunks.append(audio)
        self._tell()

    def end(self, error: SpeechError | None = None) -> None:
        """Say that nothing more follows, and why, if that is an error. Only the first time counts."""
        if not self.ended:
            self.ended, self.error = True, error
            self._tell()

    async def listen(self) -> AsyncGenerator[Audio, None]:
        """All audio from the beginning, as it comes. Raises the error it ended with."""
        self.listeners += 1
        try:
            heard = 0
            while heard < len(self.chunks) or not self.ended:
                while heard < len(self.chunks):
                    heard += 1
                    yield self.chunks[heard - 1]
                if not self.ended:
                    await self._news.wait()
        finally:
            self.listeners -= 1
        if self.error is not None:
            raise self.error

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
