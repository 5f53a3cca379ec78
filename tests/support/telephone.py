"""A telephone line in virtual time: what a mode says goes out in 20 ms packets, and the test is the caller.

It stands for the line and the media plane behind `VoiceLeg`, and keeps what a mode did.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from voip_engine.audio import FRAME_SAMPLES, SAMPLE_RATE_HZ, Audio
from voip_engine.bus import Bus
from voip_engine.modes.base import Mode, Speech, Stage, Utterance
from voip_engine.speech.base import Message, SpeechError, SpeechServices, Transcript
from voip_engine.speech_settings import AgentSettings

SECOND = SAMPLE_RATE_HZ
LETTER_S = 0.06
"""How long the voice takes for a character."""


def tone(seconds: float) -> Audio:
    return (0.3 * np.sin(np.arange(int(seconds * SECOND)) * 0.3)).astype(np.float32)


@dataclass
class Line:
    """A line of the dialogue."""

    utterance: Utterance | None
    text: str = ""
    characters: int = 0
    stages: list[Stage] = field(default_factory=list)
    pauses: list[bool] = field(default_factory=list)
    outcome: str = ""

    def add(self, text: str) -> None:
        self.text += text

    def heard(self, characters: int) -> None:
        self.characters = max(self.characters, characters)

    def pause(self, paused: bool) -> None:
        self.pauses.append(paused)

    def reached(self, stage: Stage, at: float) -> None:
        if stage not in self.stages:
            self.stages.append(stage)

    def end(self, *, cut: bool) -> None:
        self.outcome = self.outcome or ("cut" if cut else "spoken")

    def discard(self) -> None:
        self.outcome = "discarded"


class Playing:
    """A streamed playout: sends 20 ms every 20 ms, unless paused."""

    def __init__(self) -> None:
        self.first_packet_at: float | None = None
        self.queued = self.heard = 0
        self.done = self.paused = self.finished = self.stopped = False
        self.sent: list[Audio] = []
        self._audio = np.zeros(0, np.float32)
        self._told = 0
        self._changed = asyncio.Event()

    def append(self, audio: Audio) -> None:
        if not self.done:
            self._audio = np.concatenate([self._audio, audio])
            self.queued += len(audio)

    def finish(self) -> None:
        self.finished = True

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.stopped = True

    def tick(self) -> None:
        if self.stopped:
            self.done = True
        elif not self.paused:
            frame, self._audio = self._audio[:FRAME_SAMPLES], self._audio[FRAME_SAMPLES:]
            self.heard += len(frame)
            self.sent.append(frame)
            if self.heard and self.first_packet_at is None:
                self.first_packet_at = asyncio.get_running_loop().time()
            self.done = self.finished and not len(self._audio)
        self._changed.set()

    async def wait(self) -> int:
        while not self.done:
            self._changed.clear()
            await self._changed.wait()
        return self.heard

    async def progress(self) -> int:
        while self.heard == self._told and not self.done:
            self._changed.clear()
            await self._changed.wait()
        self._told = self.heard
        return self.heard


class Ears:
    """Recognition that takes `takes_s`, or lacks its model."""

    def __init__(self) -> None:
        self.missing: SpeechError | None = None
        self.takes_s = 0.2

    async def prepare(self) -> None:
        if self.missing is not None:
            raise self.missing

    async def transcribe(self, call_id: str, audio: Audio, *, language: str | None = None) -> Transcript:
        raise NotImplementedError("the telephone transcribes by itself")


class Mind:
    """Answers with what `answers` holds, the last one again and again."""

    def __init__(self, *answers: str | SpeechError) -> None:
        self.answers: list[str | SpeechError] = list(answers) or ["Sure."]
        self.missing: SpeechError | None = None
        self.asked: list[tuple[Message, ...]] = []
        self.closed = 0
        self.first_token_s = 0.3
        self.token_s = 0.02

    async def prepare(self, model: str) -> None:
        if self.missing is not None:
            raise self.missing

    async def reply(self, messages: tuple[Message, ...], *, model: str) -> AsyncGenerator[str, None]:
        self.asked.append(messages)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        try:
            await asyncio.sleep(self.first_token_s)
            if isinstance(answer, SpeechError):
                raise answer
            for number, word in enumerate(answer.split(" ")):
                yield f" {word}" if number else word
                await asyncio.sleep(self.token_s)
        finally:
            self.closed += 1


class Mouth:
    """A voice that takes `LETTER_S` a letter, and makes it five times as fast."""

    def __init__(self) -> None:
        self.missing: SpeechError | None = None
        self.opens_s = 0.0
        self.opened = 0
        self.released = 0
        self.said: list[tuple[str, bool]] = []
        self.fails_on: dict[str, SpeechError] = {}
        self.speaking = 0

    async def prepare(self, voice: str, sentences: Iterable[str] = ()) -> None:
        if self.missing is not None:
            raise self.missing
        self.said += [(text, True) for text in sentences]

    async def open_voice(self, call_id: str, voice: str) -> Mouth:
        await asyncio.sleep(self.opens_s)
        if self.missing is not None:
            raise self.missing
        self.opened += 1
        return self

    async def __aenter__(self) -> Mouth:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()

    async def say(self, text: str, *, cached: bool = False) -> AsyncGenerator[Audio, None]:
        self.said.append((text, cached))
        self.speaking += 1
        try:
            if text in self.fails_on:
                raise self.fails_on[text]
            left_s = len(text) * LETTER_S
            while left_s > 0:
                await asyncio.sleep(0.016)
                yield tone(min(0.08, left_s))
                left_s -= 0.08
        finally:
            self.speaking -= 1

    async def release(self) -> None:
        self.released += 1


class Telephone:
    """A `VoiceLeg`. Utterances are transcribed to the text they were `said` with, after `ears.takes_s`."""

    def __init__(self, agent: AgentSettings | None = None, *, outbound: bool = False) -> None:
        self.call_id = "1"
        self.outbound = outbound
        self.agent = agent or AgentSettings()
        self.ears, self.mind, self.mouth = Ears(), Mind(), Mouth()
        self.services = SpeechServices(self.ears, self.mind, self.mouth)
        self.memory: dict[str, object] = {}
        self.lines: list[Line] = []
        self.playouts: list[Playing] = []
        self.activities: list[str] = []
        self.troubles: list[SpeechError | None] = []
        self.hung_up = asyncio.Event()
        self._utterances: Bus[Utterance] = Bus()
        self._speech: Bus[Speech] = Bus()
        self._texts: dict[int, str | SpeechError] = {}
        self._onset_s = 0.0

    # ---- what the mode sees -------------------------------------------------------------------------------------------

    def utterances(self, *, speech_only: bool = False) -> AsyncIterator[Utterance]:
        assert speech_only
        return self._utterances.subscribe(16)

    def speech(self) -> AsyncIterator[Speech]:
        return self._speech.subscribe()

    def digits(self) -> AsyncIterator[str]:
        raise NotImplementedError("nobody presses keys on this line")

    async def transfer(self, target: str) -> None:
        raise NotImplementedError("nobody can be reached from this line")

    async def send_dtmf(self, digits: str) -> None:
        raise NotImplementedError("nobody presses keys on this line")

    async def transcribe(self, utterance: Utterance) -> Transcript:
        if self.ears.missing is not None:
            raise self.ears.missing
        await asyncio.sleep(self.ears.takes_s)
        text = self._texts.pop(id(utterance))
        if isinstance(text, SpeechError):
            raise text
        return Transcript(text, 0.9, "en", 0.1, 0.0)

    def begin_reply(self, utterance: Utterance | None = None) -> Line:
        self.lines.append(Line(utterance))
        return self.lines[-1]

    def open_playout(self) -> Playing:
        self.playouts.append(Playing())
        return self.playouts[-1]

    def start_playing(self, audio: Audio) -> Playing:
        playout = self.open_playout()
        playout.append(audio)
        playout.finish()
        return playout

    async def play(self, audio: Audio) -> int:
        return await self.start_playing(audio).wait()

    def troubled(self, error: SpeechError | None) -> None:
        self.troubles.append(error)

    def activity(self, word: str) -> None:
        self.activities.append(word)

    async def hang_up(self) -> None:
        self.hung_up.set()
        self._utterances.close()
        self._speech.close()

    async def until_hung_up(self) -> None:
        await self.hung_up.wait()

    # ---- what the caller does -----------------------------------------------------------------------------------------

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def start_speaking(self) -> None:
        self._onset_s = self.now()
        self._speech.publish(Speech(started=True, at_s=self._onset_s))

    def stop_speaking(self, text: str | SpeechError | None) -> None:
        """The end is noticed; None: it was a fragment."""
        ended_s = self.now()
        self._speech.publish(Speech(started=False, at_s=ended_s, fragment=text is None))
        if text is not None:
            utterance = Utterance(tone(0.1), self._onset_s, ended_s, speech_ended_at=ended_s - 0.5, endpoint_at=ended_s)
            self._texts[id(utterance)] = text
            self._utterances.publish(utterance)

    async def say(self, text: str | SpeechError | None, seconds: float = 1.0) -> None:
        """Speak for so long; None is a cough."""
        self.start_speaking()
        await asyncio.sleep(seconds)
        self.stop_speaking(text)

    # ---- the line -----------------------------------------------------------------------------------------------------

    async def carry(self) -> None:
        """Send what is played, a packet every 20 ms, one playout after the other."""
        while True:
            await asyncio.sleep(0.02)
            playing = next((playout for playout in self.playouts if not playout.done), None)
            if playing is not None:
                playing.tick()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until it holds, looking every 20 ms of virtual time."""
        async with asyncio.timeout(300):
            while not condition():
                await asyncio.sleep(0.02)

    @property
    def last(self) -> Line:
        return self.lines[-1]

    @property
    def sent(self) -> Audio:
        """All that went out."""
        return np.concatenate(
            [np.zeros(0, np.float32), *(frame for playout in self.playouts for frame in playout.sent)]
        )


class OnCall:
    """Runs a mode on a telephone, for `async with`."""

    def __init__(self, telephone: Telephone, mode: Mode) -> None:
        self.telephone = telephone
        self.mode = mode

    async def __aenter__(self) -> Telephone:
        self._carrying = asyncio.create_task(self.telephone.carry())
        self.running = asyncio.create_task(self.mode.run(self.telephone))
        await asyncio.sleep(0)
        return self.telephone

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})
        self._carrying.cancel()
        await asyncio.wait({self._carrying})
        if not self.running.cancelled():
            self.running.result()
