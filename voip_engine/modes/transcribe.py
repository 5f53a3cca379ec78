"""Transcribe: what the caller says is written down; nothing is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from voip_engine.modes.base import Speech, Utterance, VoiceLeg
from voip_engine.modes.conversation import conversation_of
from voip_engine.modes.hearing import hear
from voip_engine.modes.troubles import Troubles
from voip_engine.modes.turns import SAME_END_S
from voip_engine.speech.base import ModelMissing, SpeechError, SpeechServices
from voip_engine.speech_settings import AgentSettings


class TranscribeMode:
    """Has every utterance transcribed, and remembers the texts for an agent that may take over."""

    name = "transcribe"

    @staticmethod
    async def warm(services: SpeechServices, agent: AgentSettings) -> None:
        """Load what calls in this mode will need. Raises SpeechError."""
        await services.recognizer.prepare()

    async def run(self, leg: VoiceLeg) -> None:
        """Transcribe until cancelled or the call ends. Without a model it says so."""
        utterances, speech = leg.utterances(speech_only=True), leg.speech()
        writer = _Writer(leg)
        writer.show()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.follow(speech))
            try:
                await leg.services.recognizer.prepare()
            except SpeechError as error:
                writer.troubles.failed("hearing", error)  # what is said meanwhile gets a line that says so, too
            await hear(leg, utterances, writer)


class _Writer:
    """Follows the caller, and keeps what it said."""

    def __init__(self, leg: VoiceLeg) -> None:
        self.troubles = Troubles(leg)
        self._leg = leg
        self._conversation = conversation_of(leg.memory)
        self._speaking = False
        self._stopped_s = self._taken_s = float("-inf")
        """Where speech ended last, and where that of the last utterance did, on the media clock."""
        self._under_way = 0
        self._shown = ""

    async def follow(self, speech: AsyncIterator[Speech]) -> None:
        """Note when the caller speaks."""
        async for change in speech:
            self._speaking = change.started
            if not change.started and not change.fragment:
                self._stopped_s = change.at_s
            self.show()

    def utterance_taken(self, number: int, utterance: Utterance) -> None:
        """An utterance is being transcribed."""
        self._under_way += 1
        self._taken_s = utterance.ended_s
        self.show()

    def text_heard(self, number: int, utterance: Utterance, text: str) -> None:
        """A text is there."""
        self._under_way -= 1
        self.troubles.works("hearing")
        if text:
            self._conversation.caller_said(text)
        self.show()

    def text_lost(self, number: int, error: SpeechError) -> None:
        """A text will not come; its line in the dialogue says why."""
        self._under_way -= 1
        if isinstance(error, ModelMissing):
            self.troubles.failed("hearing", error)
        self.show()

    def show(self) -> None:
        """Say what goes on."""
        waiting = self._under_way > 0 or self._stopped_s > self._taken_s + SAME_END_S
        word = "hearing" if self._speaking else "transcribing" if waiting else "listening"
        if word != self._shown:
            self._shown = word
            self._leg.activity(word)
