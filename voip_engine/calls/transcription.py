"""The transcripts of one call. They belong to the call, not to its mode: a switch loses none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from voip_engine.calls.dialogue import Dialogue
from voip_engine.modes.base import Utterance
from voip_engine.speech.base import Recognizer, SpeechError, Transcript

SETTLE_S: Final = 30.0
"""How long transcripts may take to come after the call is over."""

_log = logging.getLogger(__name__)


class CallTranscription:
    """Has utterances transcribed and writes them into the call's dialogue."""

    def __init__(self, call_id: str, language: str | None, dialogue: Dialogue) -> None:
        self._call_id = call_id
        self._language = language
        self._dialogue = dialogue
        self._tasks: set[asyncio.Task[Transcript]] = set()

    async def transcribe(self, utterance: Utterance, recognizer: Callable[[], Recognizer]) -> Transcript:
        """Transcribe an utterance. Raises SpeechError. Goes on when whoever waits is cancelled."""
        return await asyncio.shield(self.begin(utterance, recognizer))

    def begin(self, utterance: Utterance, recognizer: Callable[[], Recognizer]) -> asyncio.Task[Transcript]:
        """Start to transcribe an utterance; its line in the dialogue says how far it is."""
        number = self._dialogue.transcribing(utterance)
        task = asyncio.create_task(
            self._transcribe(number, utterance, recognizer), name=f"transcript of call {self._call_id}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def settle(self) -> None:
        """Wait for the transcripts that are still to come."""
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=SETTLE_S)

    async def _transcribe(self, number: int, utterance: Utterance, recognizer: Callable[[], Recognizer]) -> Transcript:
        try:
            transcript = await recognizer().transcribe(self._call_id, utterance.audio, language=self._language)
        except SpeechError as error:
            self._dialogue.lost(number, str(error))
            raise
        except asyncio.CancelledError:
            self._dialogue.lost(number, "The engine was closed before the utterance was transcribed.")
            raise
        self._dialogue.transcribed(number, transcript)
        return transcript

    def _ended(self, task: asyncio.Task[Transcript]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, SpeechError):
            _log.error("Transcribing on call %s failed: %s", self._call_id, type(error).__name__, exc_info=error)
