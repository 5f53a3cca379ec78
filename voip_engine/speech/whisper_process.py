"""The speech worker as recognition sees it: started when needed, replaced when it dies, left alone when it dies too often."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import msgspec

from voip_engine.processes.backoff import CrashBackoff
from voip_engine.processes.child import ChildError, ChildProcess
from voip_engine.processes.framing import PipeError
from voip_engine.speech.base import ModelMissing, SpeechError
from voip_engine.speech.whisper_protocol import (
    Cancel,
    Cancelled,
    Failed,
    Load,
    Loaded,
    LoadFailed,
    Ready,
    Transcribe,
    Transcribed,
    WhisperReport,
    decode_report,
)

_MODULE: Final = "voip_engine.speech.whisper_worker"
_START_TIMEOUT_S: Final = 30.0
_LOAD_TIMEOUT_S: Final = 300.0

_log = logging.getLogger(__name__)


class WhisperProcess:
    """At most one worker. `load` and `transcribe` are called one after the other, never at once."""

    def __init__(self, model: str, threads: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._threads = threads
        self._child: ChildProcess[WhisperReport] | None = None
        self._requests = 0
        self._backoff = CrashBackoff(clock)
        self.languages: tuple[str, ...] = ()
        """The codes that the model knows; empty while none is loaded."""

    @property
    def process_id(self) -> int | None:
        """The worker's process, while it runs."""
        return self._child.process.pid if self._child is not None and self._child.process.returncode is None else None

    @property
    def ready(self) -> bool:
        """Whether the worker runs and has its model."""
        return bool(self.languages) and self.process_id is not None

    async def load(self) -> None:
        """Start the worker and load the model, if that isn't done. Raises ModelMissing or SpeechError."""
        if self._child is not None and self.process_id is None:
            await self._crashed("while it was idle")
        if self.ready:
            return
        child = self._child or await self._start()
        child.send(Load(self._model, self._threads))
        match await self._report(child, _LOAD_TIMEOUT_S, "while it loaded its model"):
            case Loaded(languages):
                self.languages = languages
            case LoadFailed(what, detail, mend, model):
                raise ModelMissing(detail, what=what, mend=mend, model=model)
            case report:
                raise await self._confused(report)

    async def transcribe(self, pcm: bytes, language: str | None, timeout_s: float) -> Transcribed | None:
        """Have an utterance (int16, 16 kHz) transcribed by the loaded model; None if it was given up. Raises SpeechError."""
        child = self._child
        assert child is not None
        self._requests += 1
        child.send(Transcribe(self._requests, pcm, language))
        match await self._report(child, timeout_s, "in the middle of an utterance"):
            case Transcribed() as transcribed:
                self._backoff.worked()
                return transcribed
            case Cancelled():
                return None
            case Failed(_, detail):
                raise SpeechError(detail)
            case report:
                raise await self._confused(report)

    def give_up(self) -> None:
        """Say that nobody waits for the utterance any more that is being transcribed."""
        if self._child is not None:
            self._child.send(Cancel(self._requests))

    async def end(self) -> None:
        """End the worker, even in the middle of an utterance."""
        child, self._child = self._child, None
        self.languages = ()
        if child is not None:
            child.kill()
            await child.end()

    async def _start(self) -> ChildProcess[WhisperReport]:
        if pause_s := self._backoff.pause_s:
            raise SpeechError(
                f"Speech recognition ended unexpectedly {self._backoff.crashes_in_row} times in a row; "
                f"it is started again in {pause_s:.0f} s. `voip-tui doctor` says what may be wrong."
            )
        try:
            child, first = await ChildProcess.start(
                "speech recognition", _MODULE, decode_report, timeout_s=_START_TIMEOUT_S
            )
        except ChildError as error:
            self._backoff.crashed()
            raise SpeechError(str(error)) from error
        self._child = child
        if not isinstance(first, Ready):
            raise await self._confused(first)
        return child

    async def _report(self, child: ChildProcess[WhisperReport], timeout_s: float, when: str) -> WhisperReport:
        try:
            async with asyncio.timeout(timeout_s):
                reports = await child.reports()
        except TimeoutError:
            raise await self._crashed(f"{when}: it had not answered for {timeout_s:g} s") from None
        except (PipeError, msgspec.MsgspecError) as error:
            raise await self._confused(error) from error
        if not reports:
            raise await self._crashed(when)
        return reports[0]

    async def _confused(self, answer: object) -> SpeechError:
        return await self._crashed(f"with an answer that makes no sense ({type(answer).__name__})")

    async def _crashed(self, when: str) -> SpeechError:
        """See off a worker that is of no use any more; gives the error to raise."""
        self._backoff.crashed()
        await self.end()
        error = SpeechError(f"Speech recognition ended unexpectedly {when}; it is started anew.")
        _log.warning("%s", error)
        return error
