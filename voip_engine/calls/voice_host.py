"""What a call's mode hears, says and lacks: the call's side of a voice, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from voip_engine import events
from voip_engine.calls.dialogue import Dialogue
from voip_engine.calls.transcription import CallTranscription
from voip_engine.errors import EngineError
from voip_engine.modes.base import Speech, Utterance
from voip_engine.snapshots import Trouble
from voip_engine.speech.base import ModelMissing, Recognizer, SpeechError, SpeechServices, Transcript
from voip_engine.speech_settings import AgentSettings


class CallVoiceHost:
    """The `VoiceHost` of one call.

    `agent()` tells how an agent behaves while `agent_settings` says nothing else; `hang_up`, `send_dtmf` and `transfer` are the
    call's.
    """

    def __init__(
        self,
        call_id: str,
        *,
        outbound: bool,
        agent: Callable[[], AgentSettings],
        speech: Callable[[AgentSettings], SpeechServices],
        language: str | None,
        publish: Callable[[events.AnyEvent], None],
        hang_up: Callable[[], Awaitable[None]],
        send_dtmf: Callable[[str], Awaitable[None]],
        transfer: Callable[[str], Awaitable[None]],
    ) -> None:
        self._call_id = call_id
        self._agent = agent
        self._speech = speech
        self._publish = publish
        self._hang_up = hang_up
        self._send_dtmf = send_dtmf
        self._transfer = transfer
        self.outbound = outbound
        """Whether we placed the call."""
        self.dialogue = Dialogue(call_id, publish)
        """What was said, as it grows."""
        self.transcription = CallTranscription(call_id, language, self.dialogue)
        self.agent_settings: AgentSettings | None = None
        """How an agent behaves on this call, if not as everywhere."""
        self.activity = ""
        """What the mode is doing, in a word."""
        self.trouble: Trouble | None = None
        """What the mode lacks."""

    @property
    def agent(self) -> AgentSettings:
        """How an agent behaves on this call."""
        return self.agent_settings or self._agent()

    @property
    def speech_services(self) -> SpeechServices:
        """Recognition, language model and synthesis."""
        return self._speech(self.agent)

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """Have an utterance transcribed."""
        return await self.transcription.transcribe(utterance, self._recognizer)

    def transcribe_last(self, utterance: Utterance) -> None:
        """Have an utterance transcribed that was cut off by the end of the call, or that no mode took."""
        self.transcription.begin(utterance, self._recognizer)

    async def send_dtmf(self, digits: str) -> None:
        """Press keys."""
        await self._send_dtmf(digits)

    async def transfer(self, target: str) -> None:
        """Send the caller on to somebody else."""
        await self._transfer(target)

    async def hang_up(self) -> None:
        """End the call."""
        await self._hang_up()

    def call_over(self) -> None:
        """Let go of the call, so that it is given back at once when nobody else holds it."""
        self._hang_up, self._send_dtmf, self._transfer = _over, _refuse, _refuse

    def mode_troubled(self, error: SpeechError | None) -> None:
        """Say what the mode lacks, or that it lacks it no longer."""
        if error is None:
            self.trouble = None
            return
        trouble = Trouble(what=str(error), detail=str(error))
        if isinstance(error, ModelMissing):
            trouble = Trouble(what=error.what, detail=str(error), mend=error.mend, model=error.model)
        if trouble != self.trouble:
            self.trouble = trouble
            self._publish(events.ModeTroubled(time.time(), self._call_id, trouble))

    def mode_failed(self, name: str, reason: str) -> None:
        """Say that the mode broke."""
        self.trouble = Trouble(what=f"mode {name}", detail=f"Mode {name} failed, the line is silent: {reason}")
        self._publish(events.ModeFailed(time.time(), self._call_id, name, reason))

    def speech_changed(self, speech: Speech) -> None:
        """Publish an onset or an end of the caller's speech."""
        kind = events.SpeechStarted if speech.started else events.SpeechStopped
        self._publish(kind(time.time(), self._call_id, speech.at_s))

    def utterance_ended(self, utterance: Utterance) -> None:
        """Publish that the mode is handed an utterance."""
        self._publish(events.UtteranceEnded(time.time(), self._call_id, utterance.started_s, utterance.duration_s))

    def playout_started(self, duration_s: float) -> None:
        """Publish that our side begins to speak."""
        self._publish(events.PlayoutStarted(time.time(), self._call_id, duration_s))

    def playout_ended(self, heard_s: float, complete: bool) -> None:
        """Publish that our side stopped speaking."""
        self._publish(events.PlayoutEnded(time.time(), self._call_id, heard_s, complete))

    def activity_changed(self, word: str) -> None:
        """Keep what the mode says it is doing."""
        self.activity = word

    def _recognizer(self) -> Recognizer:
        return self.speech_services.recognizer


async def _over() -> None:
    """There is nothing left to hang up."""


async def _refuse(_: str) -> None:
    raise EngineError("The call is over.")
