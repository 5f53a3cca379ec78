"""The speech of all calls: one recognizer, one synthesizer, a client for each Ollama server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voip_engine.speech.base import SpeechServices
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings

if TYPE_CHECKING:
    from voip_engine.speech.ollama import OllamaModel
    from voip_engine.speech.recognition import Recognition
    from voip_engine.speech.synthesis import Synthesis


class SpeechPlane:
    """Makes what modes hear, think and speak with. Nothing is loaded or started before a mode asks for it."""

    def __init__(self, transcription: TranscriptionSettings, speaking: SpeakingSettings) -> None:
        self._transcription = transcription
        self._speaking = speaking
        self._recognition: Recognition | None = None
        self._synthesis: Synthesis | None = None
        self._models: dict[tuple[object, ...], OllamaModel] = {}

    def services(self, agent: AgentSettings) -> SpeechServices:
        """What a call has whose agent is set up so."""
        return SpeechServices(self._recognizer(), self._model(agent), self._synthesizer())

    async def close(self) -> None:
        """End the worker processes and close the connections."""
        parts = [part for part in (self._recognition, self._synthesis, *self._models.values()) if part is not None]
        await asyncio.gather(*(part.close() for part in parts))

    def _recognizer(self) -> Recognition:
        from voip_engine.speech.recognition import Recognition

        if self._recognition is None:
            self._recognition = Recognition(self._transcription)
        return self._recognition

    def _synthesizer(self) -> Synthesis:
        from voip_engine.speech.synthesis import Synthesis

        if self._synthesis is None:
            self._synthesis = Synthesis(self._speaking)
        return self._synthesis

    def _model(self, agent: AgentSettings) -> OllamaModel:
        from voip_engine.speech.ollama import OllamaModel

        server = (
            agent.host,
            agent.keep_alive,
            agent.connect_timeout_s,
            agent.load_timeout_s,
            agent.token_timeout_s,
        )
        if server not in self._models:
            self._models[server] = OllamaModel(agent)
        return self._models[server]
