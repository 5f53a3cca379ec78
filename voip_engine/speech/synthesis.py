"""Speech synthesis for all calls: who may speak, whose turn it is, and what is kept of what was said.

```
 say() ──► clip cache ──► WaitingLine, a clause at a time ──► SpeakingWorker 1 … n ──► Clause ──► its listeners
```
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Coroutine, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from voip_engine.audio import Audio
from voip_engine.speech.base import AtCapacity, SpeechError
from voip_engine.speech.clause import Clause
from voip_engine.speech.clip_cache import ClipCache
from voip_engine.speech.speaking_figures import SpeakingFigures, SpeakingSpeed
from voip_engine.speech.speaking_worker import SpeakingWorker
from voip_engine.speech.waiting_line import WaitingLine
from voip_engine.speech_settings import SpeakingSettings

_KEPT_S: Final = 300.0
"""Of sentences that are said again: 19 MB."""
_LONGEST_TEXT: Final = 5_000
"""Characters: five to ten minutes of speech, which is kept until it was heard."""
_NOBODY: Final = "no call"
"""For whom is spoken beforehand."""
_HELPER_RETRY_S: Final = 5.0
"""Pause before a worker that cannot start tries again while others do the work."""


@dataclass(eq=False)
class _VoiceWish:
    """A voice that a call wants to speak with."""

    voice: str
    opened: asyncio.Future[None]


class Synthesis:
    """Speaks for all calls with Pocket TTS. Processes are started when the first call wants a voice."""

    def __init__(self, settings: SpeakingSettings) -> None:
        self._settings = settings
        self._line: WaitingLine[_VoiceWish | Clause] = WaitingLine()
        self._workers: list[SpeakingWorker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._opened: set[str] = set()
        self._calls: Counter[str] = Counter()
        self._speed = SpeakingSpeed(settings.workers)
        self._clips = ClipCache(_KEPT_S)
        self._in_making: dict[tuple[str, str], Clause] = {}
        self._closed = False

    async def prepare(self, voice: str, sentences: Iterable[str] = ()) -> None:
        """Load what the voice needs, and make fixed sentences beforehand. Admits no call. Raises SpeechError."""
        if voice not in self._opened:
            await self._open(_NOBODY, voice)
        for text in sentences:
            async with aclosing(self.say(_NOBODY, voice, text, cached=True)) as chunks:
                async for _ in chunks:
                    pass

    async def open_voice(self, call_id: str, voice: str) -> CallVoice:
        """Load what the voice needs and admit a call. Raises AtCapacity, ModelMissing or SpeechError."""
        self._check_room(call_id)
        if voice not in self._opened:
            await self._open(call_id, voice)
            self._check_room(call_id)
        self._calls[call_id] += 1
        # The further calls get, the more processes they need; those load while the first one speaks.
        self._employ(min(self._settings.workers, len(self._calls)))
        return CallVoice(self, call_id, voice)

    def figures(self) -> SpeakingFigures:
        """How it stands."""
        return SpeakingFigures(
            calls=len(self._calls),
            capacity=self._speed.capacity,
            real_time_factor=self._speed.real_time_factor,
            first_audio_ms=self._speed.first_audio_ms,
            waiting=len(self._line),
            crashes=sum(worker.crashes for worker in self._workers),
            process_ids=tuple(worker.process_id for worker in self._workers if worker.process_id is not None),
        )

    async def close(self) -> None:
        """End the processes. What is being said ends with a SpeechError."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._refuse_waiting(SpeechError("Speech synthesis was closed."))
        await asyncio.gather(*(worker.end() for worker in self._workers))

    # ---- for CallVoice -----------------------------------------------------------------------------------------------

    async def say(self, call_id: str, voice: str, text: str, *, cached: bool) -> AsyncGenerator[Audio, None]:
        """As `Voice.say`, on behalf of a call."""
        if len(text) > _LONGEST_TEXT:
            raise SpeechError(f"A text of {len(text)} characters cannot be said in one go; {_LONGEST_TEXT} can.")
        if cached and (clip := self._clips.get(voice, text)) is not None:
            for chunk in clip:
                yield chunk
            return
        clause = self._in_making.get((voice, text)) if cached else None
        if clause is None:
            clause = self._ask(Clause(call_id, voice, text), cached=cached)
        try:
            async with aclosing(clause.listen()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            if not clause.listeners and not clause.ended:
                self._abandon(clause)

    def release(self, call_id: str) -> None:
        """Take back the right to speak that `open_voice` gave."""
        self._calls[call_id] -= 1
        if not self._calls[call_id]:
            del self._calls[call_id]

    # ---- admission ---------------------------------------------------------------------------------------------------

    def _check_room(self, call_id: str) -> None:
        capacity = self._speed.capacity
        if self._closed:
            raise SpeechError("Speech synthesis was closed.")
        if capacity is None or call_id in self._calls or len(self._calls) < capacity:
            return
        calls = "1 call" if capacity == 1 else f"{capacity} calls"
        raise AtCapacity(
            f"This machine speaks on {calls} at a time (real-time factor {self._speed.real_time_factor:.2g}, speaking.workers "
            f"= {self._settings.workers}); hang up one, or choose a smaller speaking.model."
        )

    async def _open(self, call_id: str, voice: str) -> None:
        wish = _VoiceWish(voice, asyncio.get_running_loop().create_future())
        self._line.put(call_id, wish)
        self._employ(1)
        try:
            await wish.opened
        finally:
            self._line.remove(call_id, wish)

    # ---- clauses -----------------------------------------------------------------------------------------------------

    def _ask(self, clause: Clause, *, cached: bool) -> Clause:
        if self._closed:
            raise SpeechError("Speech synthesis was closed.")
        if cached:
            self._in_making[clause.voice, clause.text] = clause
        self._line.put(clause.call_id, clause)
        self._employ(1)
        return clause

    def _abandon(self, clause: Clause) -> None:
        """Stop making what nobody listens to any more."""
        clause.end()
        self._forget(clause)
        self._line.remove(clause.call_id, clause)
        for worker in self._workers:
            worker.cancel(clause)

    def _forget(self, clause: Clause) -> bool:
        """Whether it was one that is to be kept; it is no longer in the making."""
        key = (clause.voice, clause.text)
        if self._in_making.get(key) is not clause:
            return False
        del self._in_making[key]
        return True

    def _refuse(self, job: _VoiceWish | Clause, error: SpeechError) -> None:
        if isinstance(job, Clause):
            self._forget(job)
            job.end(error)
        elif not job.opened.done():
            job.opened.set_exception(error)

    def _refuse_waiting(self, error: SpeechError) -> None:
        for job in self._line.clear():
            self._refuse(job, error)

    # ---- workers -----------------------------------------------------------------------------------------------------

    def _employ(self, wanted: int) -> None:
        while len(self._workers) < wanted:
            worker = SpeakingWorker(self._settings.model, len(self._workers) + 1)
            self._workers.append(worker)
            self._tasks.append(asyncio.create_task(self._work(worker), name=f"speaking {len(self._workers)}"))

    async def _work(self, worker: SpeakingWorker) -> None:
        while True:
            # A model is loaded before a clause is taken: another worker may be through with its own sooner.
            while not worker.running:
                try:
                    await self._start(worker)
                except SpeechError as error:
                    await self._endure(worker, error)
            # A process that dies meanwhile is replaced at once: loading takes longer than a caller should wait.
            await _first_of(self._line.filled(), worker.ended())
            if not len(self._line) or not worker.running:
                continue
            job = await self._line.take()
            try:
                if isinstance(job, Clause):
                    await self._speak(worker, job)
                else:
                    await self._open_with(worker, job)
            except SpeechError as error:
                self._refuse(job, error)
            except asyncio.CancelledError:
                self._refuse(job, SpeechError("Speech synthesis was closed."))
                raise

    async def _start(self, worker: SpeakingWorker) -> None:
        await worker.start()
        if worker.voice is not None and not len(self._line):
            # It takes another's place, and nobody waits for it yet. Whoever speaks with the voice next is told what is wrong.
            with suppress(SpeechError):
                await worker.open_voice(worker.voice)

    async def _endure(self, worker: SpeakingWorker, error: SpeechError) -> None:
        """A worker cannot start: those who wait are told so unless another one works.

        The next attempt is the next wish, or after crashes the end of the pause.
        """
        if any(worker.running for worker in self._workers):
            await asyncio.sleep(_HELPER_RETRY_S)
            return
        self._refuse_waiting(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(worker.pause_s or None):
                await self._line.filled()

    async def _open_with(self, worker: SpeakingWorker, wish: _VoiceWish) -> None:
        if wish.voice not in self._opened:
            self._speed.measured(await worker.open_voice(wish.voice))
            self._opened.add(wish.voice)
        if not wish.opened.done():
            wish.opened.set_result(None)

    async def _speak(self, worker: SpeakingWorker, clause: Clause) -> None:
        done = await worker.speak(clause)
        if clause.ended:  # nobody wanted to hear the rest
            return
        clause.end()
        if done.audio_s:
            self._speed.measured(done.busy_s / done.audio_s, worker.first_audio_s)
        if self._forget(clause):
            self._clips.put(clause.voice, clause.text, clause.chunks)


async def _first_of(*waits: Coroutine[Any, Any, None]) -> None:
    """Wait until one of them is through."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class CallVoice:
    """A call's right to speak, until it is released, or the `async with` of it is left. Made by `Synthesis.open_voice`."""

    def __init__(self, synthesis: Synthesis, call_id: str, voice: str) -> None:
        self._synthesis = synthesis
        self._call_id = call_id
        self._voice = voice
        self._released = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.release()

    async def say(self, text: str, *, cached: bool = False) -> AsyncGenerator[Audio, None]:
        """Stream a clause's audio (float32, mono, 16 kHz) as it is made; closing the iterator stops the synthesis.

        `cached`: a fixed sentence, made once and kept. Chunks are read-only. Raises SpeechError.
        """
        if self._released:
            raise SpeechError("The right to speak on this call was given back.")
        text = " ".join(text.split())
        if not text:
            return
        async with aclosing(self._synthesis.say(self._call_id, self._voice, text, cached=cached)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def release(self) -> None:
        """Give the right back."""
        if not self._released:
            self._released = True
            self._synthesis.release(self._call_id)
