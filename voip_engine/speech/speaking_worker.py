"""One Pocket TTS process as the engine sees it: started when it is needed, replaced when it dies or hangs."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final, NoReturn

import msgspec
import numpy as np

from voip_engine.installing import install_pocket_tts
from voip_engine.processes.backoff import CrashBackoff
from voip_engine.processes.child import ChildError, ChildProcess
from voip_engine.processes.framing import PipeError
from voip_engine.speech.base import ModelMissing, SpeechError
from voip_engine.speech.clause import Clause
from voip_engine.speech.pocket_protocol import (
    AnyReport,
    Cancel,
    Ended,
    Failed,
    Loaded,
    NotLoaded,
    OpenVoice,
    Problem,
    Speak,
    Spoken,
    VoiceOpened,
    decode_report,
)

_LOAD_TIMEOUT_S: Final = 180.0
"""Importing torch alone takes 10 s from a cold disk."""
_SILENT_S: Final = 30.0
"""A process from which nothing came for so long, while it had something to do, hangs."""

_log = logging.getLogger(__name__)


class SpeakingWorker:
    """A process that does one thing at a time. `model` is SpeakingSettings.model."""

    def __init__(self, model: str, number: int) -> None:
        self._model = model
        self._title = f"speaking process {number}"
        self._child: ChildProcess[AnyReport] | None = None
        self._job = 0
        self._saying: Clause | None = None
        self._backoff = CrashBackoff()
        self.crashes = 0
        self.voice: str | None = None
        """The one that was used last."""
        self.first_audio_s: float | None = None
        """From the last clause's being sent to its first audio."""

    @property
    def running(self) -> bool:
        """Whether there is a process with a loaded model."""
        return self._child is not None and self._child.process.returncode is None

    @property
    def process_id(self) -> int | None:
        """The process, if there is one."""
        return self._child.process.pid if self._child is not None else None

    @property
    def pause_s(self) -> float:
        """How long no process is started, after crashes."""
        return self._backoff.pause_s

    async def start(self) -> None:
        """Have a process with a loaded model. Raises ModelMissing or SpeechError."""
        if self.running:
            return
        if self._child is not None:
            await self._see_off("ended unexpectedly while it was idle")
        if pause_s := self.pause_s:
            raise SpeechError(
                f"Speech synthesis crashed {self._backoff.crashes_in_row} times in a row; "
                f"the next attempt is in {pause_s:.0f} s."
            )
        try:
            child, first = await ChildProcess.start(
                self._title, "voip_engine.speech.pocket_worker", decode_report, self._model, timeout_s=_LOAD_TIMEOUT_S
            )
        except ChildError as error:
            self._crashed()
            raise SpeechError(str(error)) from error
        except OSError as error:
            self._crashed()
            raise SpeechError(f"The {self._title} cannot be started: {error.strerror}.") from error
        if not isinstance(first, Loaded):
            await child.end()
            assert isinstance(first, NotLoaded)
            raise self._error(first.problem, first.detail)
        self._child = child
        _log.info("%s loaded %s in %.1f s", self._title, self._model, first.took_s)

    async def open_voice(self, voice: str) -> float | None:
        """Load a voice; gives the real-time factor, if this is the process's first. Raises ModelMissing or SpeechError."""
        await self.start()
        self._job += 1
        report = await self._answer(OpenVoice(self._job, voice), None)
        assert isinstance(report, VoiceOpened)
        self.voice = voice
        return report.real_time_factor

    async def speak(self, clause: Clause) -> Ended:
        """Say a clause, until it is over or was cancelled. Raises ModelMissing or SpeechError."""
        await self.start()
        self._job += 1
        self._saying = clause
        try:
            report = await self._answer(Speak(self._job, clause.voice, clause.text), clause)
        finally:
            self._saying = None
        assert isinstance(report, Ended)
        self.voice = clause.voice
        self._backoff.worked()
        return report

    def cancel(self, clause: Clause) -> None:
        """Stop saying this, if that's what is being said. `speak` ends when the process has, within a chunk."""
        if clause is self._saying and self._child is not None:
            self._child.send(Cancel(self._job))

    async def ended(self) -> None:
        """Wait until the process is gone, for as long as it has nothing to do."""
        if self._child is not None:
            await self._child.process.wait()

    async def end(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _answer(self, command: OpenVoice | Speak, clause: Clause | None) -> VoiceOpened | Ended:
        """Send a job and see it through."""
        child = self._child
        assert child is not None
        self.first_audio_s = None
        sent_s = time.monotonic()
        child.send(command)
        if clause is not None and clause.ended:  # while the process was being started
            child.send(Cancel(command.job))
        try:
            while True:
                async with asyncio.timeout(_SILENT_S):
                    reports = await child.reports()
                if not reports:
                    await self._replace("crashed")
                for report in reports:
                    if isinstance(report, Spoken):
                        self.first_audio_s = self.first_audio_s or time.monotonic() - sent_s
                        if clause is not None and not clause.ended:
                            clause.add(np.frombuffer(report.pcm, "<i2").astype(np.float32) / np.float32(32_768))
                    elif isinstance(report, Failed):
                        raise self._error(report.problem, report.detail)
                    elif isinstance(report, VoiceOpened | Ended):
                        return report
        except TimeoutError:
            await self._replace("hung")
        except (PipeError, msgspec.MsgspecError):
            await self._replace("sent nonsense")

    async def _replace(self, fault: str) -> NoReturn:
        """See off a process that was at work. Raises SpeechError."""
        await self._see_off(fault)
        raise SpeechError(f"Speech synthesis {fault}; a new process speaks from the next sentence on.")

    async def _see_off(self, fault: str) -> None:
        """End a process that is of no more use."""
        _log.warning("the %s %s and is replaced", self._title, fault)
        assert self._child is not None
        self._child.kill()
        await self.end()
        self._crashed()

    def _crashed(self) -> None:
        self.crashes += 1
        self._backoff.crashed()

    def _error(self, problem: Problem, detail: str) -> SpeechError:
        if problem == "package":
            return ModelMissing(detail, what="Pocket TTS", mend=install_pocket_tts())
        if problem == "model":
            model = f"pocket:{self._model}"
            return ModelMissing(detail, what="Pocket TTS", mend=f"voip-tui models pull {model}", model=model)
        return SpeechError(detail)
