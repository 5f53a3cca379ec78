"""What one run of a mode sees of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from voip_engine.audio import Audio
from voip_engine.bus import Subscription
from voip_engine.calls.dialogue import DialogueReply
from voip_engine.calls.playouts import CallPlayout
from voip_engine.calls.voice import CallVoice, Hearing
from voip_engine.modes.base import Speech, Utterance
from voip_engine.speech.base import SpeechError, SpeechServices, Transcript
from voip_engine.speech_settings import AgentSettings


class ModeLeg:
    """One run's view (modes.base.VoiceLeg). `release` takes back all that the run began."""

    def __init__(self, voice: CallVoice) -> None:
        self._voice = voice
        self._subscriptions: list[Subscription[Utterance] | Subscription[Speech] | Subscription[str]] = []
        self._speech_subscriptions: list[Subscription[Utterance]] = []
        self._playouts: list[CallPlayout] = []
        self._hearing = Hearing.NOTHING

    @property
    def call_id(self) -> str:
        """The engine's name for the call."""
        return self._voice.call_id

    @property
    def outbound(self) -> bool:
        """Whether we placed the call."""
        return self._voice.host.outbound

    @property
    def agent(self) -> AgentSettings:
        """How an agent should behave on this call, as it is set now."""
        return self._voice.host.agent

    @property
    def services(self) -> SpeechServices:
        """Recognition, language model and synthesis."""
        return self._voice.host.speech_services

    @property
    def memory(self) -> dict[str, object]:
        """What modes want to find again when they come back to this call."""
        return self._voice.memory

    def utterances(self, *, speech_only: bool = False) -> AsyncIterator[Utterance]:
        """What the caller says from now on; of more than 16 unread utterances the oldest is dropped."""
        wanted = Hearing.SPEECH if speech_only else Hearing.SOUND
        if wanted > self._hearing:
            self._voice.want(wanted, instead_of=self._hearing)
            self._hearing = wanted
        subscription = self._voice.subscribe_utterances(wanted)
        self._subscriptions.append(subscription)
        if speech_only:
            self._speech_subscriptions.append(subscription)
        return subscription

    def speech(self) -> AsyncIterator[Speech]:
        """Onsets and ends of the caller's speech, from now on; begins with an onset if the caller is speaking."""
        subscription = self._voice.subscribe_speech()
        self._subscriptions.append(subscription)
        return subscription

    def digits(self) -> AsyncIterator[str]:
        """Keys that the caller presses, from now on."""
        subscription = self._voice.digits.subscribe()
        self._subscriptions.append(subscription)
        return subscription

    async def send_dtmf(self, digits: str) -> None:
        """Press keys, one after the other. Raises EngineError if the other side takes none."""
        await self._voice.host.send_dtmf(digits)

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """Have an utterance transcribed. Raises SpeechError."""
        return await self._voice.host.transcribe(utterance)

    def begin_reply(self, utterance: Utterance | None = None) -> DialogueReply:
        """Begin a line of the agent's in the dialogue."""
        return self._voice.host.dialogue.begin_reply(utterance)

    def troubled(self, error: SpeechError | None) -> None:
        """Say on the call's page what the mode lacks."""
        self._voice.host.mode_troubled(error)

    async def transfer(self, target: str) -> None:
        """Send the caller on to somebody else, and wait for the end of it. Raises EngineError; the call goes on then."""
        await self._voice.host.transfer(target)

    async def hang_up(self) -> None:
        """End the call."""
        await self._voice.host.hang_up()

    def start_playing(self, audio: Audio) -> CallPlayout:
        """Begin to play and return at once."""
        return self._remember(self._voice.start_playing(audio))

    def open_playout(self) -> CallPlayout:
        """Begin a playout whose audio is still to come."""
        return self._remember(self._voice.open_playout())

    async def play(self, audio: Audio) -> int:
        """Play audio to its end; returns the samples that went out. Cancelling fades it out."""
        playout = self.start_playing(audio)
        try:
            return await playout.wait()
        except asyncio.CancelledError:
            playout.stop()
            raise

    async def until_hung_up(self) -> None:
        """Wait for the end of the call."""
        await self._voice.hung_up.wait()

    def activity(self, word: str) -> None:
        """Say in a word what the mode is doing."""
        self._voice.host.activity_changed(word)

    def release(self) -> None:
        """Stop what the mode was playing and end its iterators."""
        for playout in self._playouts:
            playout.stop()
        for heard in self._speech_subscriptions:
            self._voice.leave_unread(heard.take_unread())
        for subscription in self._subscriptions:
            subscription.close()
        if self._hearing is not Hearing.NOTHING:
            self._voice.want(Hearing.NOTHING, instead_of=self._hearing)
            self._hearing = Hearing.NOTHING
        self._voice.host.dialogue.end_replies()
        self._voice.host.activity_changed("")

    def _remember(self, playout: CallPlayout) -> CallPlayout:
        self._playouts = [earlier for earlier in self._playouts if not earlier.done]
        self._playouts.append(playout)
        return playout
