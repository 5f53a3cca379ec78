"""Has what the caller says transcribed, for the modes that want its text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Protocol

from voip_engine.modes.base import Utterance, VoiceLeg
from voip_engine.speech.base import SpeechError

AT_ONCE: Final = 8
"""Utterances of one call under way; further ones wait in the leg, which drops the oldest of too many."""


class Hearer(Protocol):
    """Who wants to know what the caller said."""

    def utterance_taken(self, number: int, utterance: Utterance) -> None:
        """An utterance is being transcribed. Numbers count up from 1."""
        ...

    def text_heard(self, number: int, utterance: Utterance, text: str) -> None:
        """Its text, without space around it; empty if nothing was said."""
        ...

    def text_lost(self, number: int, error: SpeechError) -> None:
        """It will have no text."""
        ...


async def hear(leg: VoiceLeg, utterances: AsyncIterator[Utterance], hearer: Hearer) -> None:
    """Have utterances transcribed, several at a time; their texts are told in the order in which they were said."""
    limit = asyncio.Semaphore(AT_ONCE)
    before: asyncio.Event | None = None
    number = 0
    async with asyncio.TaskGroup() as tasks:
        async for utterance in utterances:
            await limit.acquire()
            number += 1
            told = asyncio.Event()
            hearer.utterance_taken(number, utterance)
            tasks.create_task(_transcribe(leg, number, utterance, hearer, before, told, limit))
            before = told


async def _transcribe(
    leg: VoiceLeg,
    number: int,
    utterance: Utterance,
    hearer: Hearer,
    before: asyncio.Event | None,
    told: asyncio.Event,
    limit: asyncio.Semaphore,
) -> None:
    text, lost = "", None
    try:
        text = (await leg.transcribe(utterance)).text.strip()
    except SpeechError as error:
        lost = error
    if before is not None:
        await before.wait()
    if lost is None:
        hearer.text_heard(number, utterance, text)
    else:
        hearer.text_lost(number, lost)
    told.set()
    limit.release()
