"""Speech to text for all calls: one worker, one model, a queue in which calls take turns.

transcribe() ─► Backlog ─► _serve(), one task ─► WhisperProcess ═pipe═► whisper_worker ─► whisper ─► gates
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.speech.backlog import Backlog
from voip_engine.speech.base import Dropped, SpeechError, Transcript
from voip_engine.speech.whisper_process import WhisperProcess
from voip_engine.speech_settings import TranscriptionSettings

LONGEST_S: Final = 30.0
"""The longest utterance that can be transcribed."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """An utterance in the queue, and the one who waits for its text."""

    audio: Audio
    language: str | None
    since_s: float
    text: asyncio.Future[Transcript]


class Recognition:
    """Whisper, shared by all calls. Nothing is started before the first `prepare` or `transcribe`.

    At most `settings.backlog` utterances wait: the oldest is dropped for a new one. A worker that dies costs the utterance it
    was on; the next one gets a new worker.
    """

    def __init__(
        self,
        settings: TranscriptionSettings,
        *,
        longest_run_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """A worker that takes longer than `longest_run_s` for one utterance hangs; `clock` times the pauses after crashes."""
        self._settings = settings
        self._longest_run_s = longest_run_s
        self._process = WhisperProcess(settings.model, settings.threads, clock)
        self._queue: Backlog[_Waiting] = Backlog(settings.backlog)
        self._preparing: list[asyncio.Future[None]] = []
        self._running: _Waiting | None = None
        self._wanted = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many utterances wait for the model."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """Whether the model is at work on one."""
        return self._running is not None

    @property
    def process_id(self) -> int | None:
        """The worker's process, while there is one."""
        return self._process.process_id

    async def prepare(self) -> None:
        """Load the model, if that isn't done. Raises ModelMissing or SpeechError."""
        if self._process.ready:
            return
        self._serve_on()
        loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._preparing.append(loaded)
        try:
            await loaded
        finally:
            if loaded in self._preparing:
                self._preparing.remove(loaded)

    async def transcribe(self, call_id: str, audio: Audio, *, language: str | None = None) -> Transcript:
        """Transcribe one utterance of at most 30 s; calls take turns. Without a language the settings' one, or detected.

        Cancelling takes it back. Raises Dropped when too many wait or `settings.deadline_s` is over, ModelMissing, SpeechError.
        """
        if audio.size > LONGEST_S * SAMPLE_RATE_HZ:
            raise SpeechError(
                f"An utterance of {audio.size / SAMPLE_RATE_HZ:.0f} s is too long: {LONGEST_S:.0f} s at most."
            )
        self._serve_on()
        language = language or self._settings.language
        text: asyncio.Future[Transcript] = asyncio.get_running_loop().create_future()
        mine = _Waiting(audio, language, time.monotonic(), text)
        waiting = self.waiting
        oldest = self._queue.put(call_id, mine)
        if oldest is not None:
            _fail(oldest.text, Dropped(f"{_utterances(waiting)} waiting to be transcribed, and this was the oldest."))
        try:
            async with asyncio.timeout(self._settings.deadline_s):
                return await text
        except TimeoutError:
            self._queue.remove(call_id, mine)
            raise Dropped(
                f"Speech recognition is more than {self._settings.deadline_s:g} s behind; "
                f"{_utterances(self.waiting)} waiting besides this one."
            ) from None
        finally:
            if self._running is mine and text.cancelled():
                self._process.give_up()
            self._queue.remove(call_id, mine)

    async def close(self) -> None:
        """End the worker. Who still waits gets a SpeechError."""
        self._closed = True
        self._fail_all(SpeechError("Speech recognition was closed."))
        server, self._server = self._server, None
        if server is not None:
            server.cancel()
            await asyncio.wait([server])
        await self._process.end()

    def _serve_on(self) -> None:
        if self._closed:
            raise SpeechError("Speech recognition was closed.")
        if self._server is None:
            self._server = asyncio.create_task(self._serve(), name="speech recognition")
        self._wanted.set()

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._preparing or self._queue:
                try:
                    await self._process.load()
                except SpeechError as error:
                    self._fail_all(error)
                    continue
                while self._preparing:
                    _succeed(self._preparing.pop(), None)
                if self._queue:
                    await self._serve_one(self._queue.take())

    async def _serve_one(self, item: _Waiting) -> None:
        """Transcribe one utterance; errors go to the one who waits."""
        if item.text.done():
            return
        began_s = time.monotonic()
        self._running = item
        try:
            self._check(item.language)
            transcribed = await self._process.transcribe(_pcm(item.audio), item.language, self._longest_run_s)
        except SpeechError as error:
            _fail(item.text, error)
        else:
            if transcribed is not None:
                waited_s = began_s - item.since_s
                _succeed(
                    item.text,
                    Transcript(
                        transcribed.text, transcribed.confidence, transcribed.language, transcribed.busy_s, waited_s
                    ),
                )
        finally:
            self._running = None

    def _check(self, language: str | None) -> None:
        known = self._process.languages
        if language is not None and language not in known:
            only = "only English" if known == ("en",) else f"{len(known)} others"
            raise SpeechError(
                f"The Whisper model {self._settings.model} does not know the language {language!r}, but {only}: "
                "change `language` or `model` under [transcription]."
            )

    def _fail_all(self, error: SpeechError) -> None:
        while self._preparing:
            _fail(self._preparing.pop(), error)
        while self._queue:
            _fail(self._queue.take().text, error)
        if self._running is not None:
            _fail(self._running.text, error)


def _pcm(audio: Audio) -> bytes:
    return (np.clip(audio, -1, 1) * np.float32(32767)).astype("<i2").tobytes()


def _utterances(count: int) -> str:
    return "1 utterance is" if count == 1 else f"{count} utterances are"


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: SpeechError) -> None:
    if not future.done():
        future.set_exception(error)
