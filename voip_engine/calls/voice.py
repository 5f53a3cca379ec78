"""A call's media leg as the control plane sees it: utterances come up, playouts go down.

media process ──reports──► CallVoice ──► ModeLeg (one a mode run) ──► the mode
media process ◄─commands── CallVoice ◄── ModeLeg.play …           ◄── the mode
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.bus import Bus, Subscription
from voip_engine.calls.dialogue import Dialogue
from voip_engine.calls.playouts import CallPlayout
from voip_engine.media import protocol
from voip_engine.modes.base import Speech, Utterance
from voip_engine.resample import resample
from voip_engine.speech.base import SpeechError, SpeechServices, Transcript
from voip_engine.speech_settings import AgentSettings, VoiceSettings

UTTERANCES_KEPT = 16
"""Utterances a mode may leave unread; after that the oldest is dropped."""
SWITCH_S = 1.0
"""So long the leg goes on hearing as it did when a mode ends: the next one may want the same, and nothing is to be lost."""


class Hearing(IntEnum):
    """What a mode wants of what the caller says."""

    NOTHING = 0
    SOUND = 1
    """Utterances, told from silence by their loudness."""
    SPEECH = 2
    """Utterances of speech, as the call's voice settings say."""


class VoiceHost(Protocol):
    """The call that a voice belongs to."""

    @property
    def outbound(self) -> bool:
        """Whether we placed the call."""
        ...

    @property
    def agent(self) -> AgentSettings:
        """How an agent should behave on this call."""
        ...

    @property
    def speech_services(self) -> SpeechServices:
        """Recognition, language model and synthesis."""
        ...

    @property
    def dialogue(self) -> Dialogue:
        """What was said."""
        ...

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """Have an utterance transcribed."""
        ...

    def transcribe_last(self, utterance: Utterance) -> None:
        """Have an utterance transcribed that came when the call was over, or that no mode took."""
        ...

    def mode_troubled(self, error: SpeechError | None) -> None:
        """The mode lacks something, or no longer."""
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys."""
        ...

    async def transfer(self, target: str) -> None:
        """Send the caller on to somebody else."""
        ...

    async def hang_up(self) -> None:
        """End the call."""
        ...

    def speech_changed(self, speech: Speech) -> None:
        """The caller began or stopped speaking."""
        ...

    def utterance_ended(self, utterance: Utterance) -> None:
        """A mode is handed an utterance."""
        ...

    def playout_started(self, duration_s: float) -> None:
        """Our side begins to speak; 0 if nobody knows yet for how long."""
        ...

    def playout_ended(self, heard_s: float, complete: bool) -> None:
        """Our side stops speaking."""
        ...

    def activity_changed(self, word: str) -> None:
        """The mode says what it is doing."""
        ...


class CallVoice:
    """One call's leg, for as long as the call lives. Sends commands to the media process and takes its reports."""

    def __init__(
        self,
        call_id: str,
        leg_id: int,
        send: Callable[[protocol.AnyCommand], None],
        settings: VoiceSettings,
        host: VoiceHost,
    ) -> None:
        self.call_id = call_id
        self.leg_id = leg_id
        self.send = send
        self.host = host
        self.hung_up = asyncio.Event()
        self.memory: dict[str, object] = {}
        self._utterances: Bus[Utterance] = Bus()
        self._speech: Bus[Speech] = Bus()
        self.digits: Bus[str] = Bus()
        """Keys that the caller pressed."""
        self._settings = settings
        self._audio_rate_hz: int | None = None
        self._playouts: dict[int, CallPlayout] = {}
        self._next_playout_id = 1
        self._wanted: Counter[Hearing] = Counter()
        self._hearing = Hearing.NOTHING
        self._lowering: asyncio.TimerHandle | None = None
        self._unclaimed: list[Utterance] = []
        self._speaking: Speech | None = None

    # ---- hearing ------------------------------------------------------------------------------------------------------

    def configure(self, audio_rate_hz: int) -> None:
        """Audio flows from now on, at the codec's rate; begins voice activity detection."""
        self._audio_rate_hz = audio_rate_hz
        self._listen()

    def set_voice(self, settings: VoiceSettings) -> None:
        """Tell speech from silence by other rules from now on."""
        self._settings = settings
        self._listen()

    def want(self, hearing: Hearing, *, instead_of: Hearing) -> None:
        """Hear what a mode wants. Hearing more begins at once, hearing less a second later."""
        self._wanted[instead_of] -= 1
        self._wanted[hearing] += 1
        self._cancel_lowering()
        if self._most_wanted() >= self._hearing:
            self._hearing = self._most_wanted()
            self._listen()
        else:
            self._lowering = asyncio.get_running_loop().call_later(SWITCH_S, self._lower)

    def subscribe_utterances(self, hearing: Hearing) -> Subscription[Utterance]:
        """Utterances from now on. Who wants speech gets what the mode before left unread, too."""
        subscription = self._utterances.subscribe(UTTERANCES_KEPT)
        if hearing is Hearing.SPEECH:
            for utterance in self._take_unclaimed():
                subscription.put(utterance)
        return subscription

    def leave_unread(self, utterances: list[Utterance]) -> None:
        """Take back what a mode that wanted speech left unread; what the next one does not take is transcribed."""
        self._unclaimed += utterances

    def subscribe_speech(self) -> Subscription[Speech]:
        """Onsets and ends from now on; the first is an onset if the caller is speaking."""
        subscription = self._speech.subscribe()
        if self._speaking is not None:
            subscription.put(self._speaking)
        return subscription

    def _most_wanted(self) -> Hearing:
        return max((hearing for hearing, count in self._wanted.items() if count > 0), default=Hearing.NOTHING)

    def _lower(self) -> None:
        self._lowering = None
        self._hearing = self._most_wanted()
        self._transcribe_unclaimed()
        if self._hearing is not Hearing.SPEECH:
            self.host.dialogue.caller_unheard()
        self._listen()

    def _take_unclaimed(self) -> list[Utterance]:
        unclaimed, self._unclaimed = self._unclaimed, []
        return unclaimed

    def _transcribe_unclaimed(self) -> None:
        for utterance in self._take_unclaimed():
            self.host.transcribe_last(utterance)

    def _cancel_lowering(self) -> None:
        if self._lowering is not None:
            self._lowering.cancel()
            self._lowering = None

    def _listen(self) -> None:
        if self._audio_rate_hz is None or self.hung_up.is_set():
            return
        settings = self._settings
        speech = self._hearing is Hearing.SPEECH
        activity = protocol.VoiceActivitySettings(
            detector=settings.detector if speech else "energy",
            threshold_rms=settings.threshold_rms,
            start_threshold=settings.start_threshold,
            stop_threshold=settings.stop_threshold,
            silence_s=settings.silence_s,
            minimum_utterance_s=settings.minimum_utterance_s if speech else 0.0,
            longest_utterance_s=settings.longest_utterance_s if speech else 60.0,
        )
        self.send(protocol.Listen(self.leg_id, activity, utterances=self._hearing is not Hearing.NOTHING))

    # ---- speaking -----------------------------------------------------------------------------------------------------

    def start_playing(self, audio: Audio) -> CallPlayout:
        """Queue audio (float32, 16 kHz) behind what is already playing."""
        playout = self._new_playout(streamed=False)
        if len(audio) and not playout.done:
            playout.play_whole(audio)
            self.host.playout_started(len(audio) / SAMPLE_RATE_HZ)
        else:
            playout.end(0)
        return playout

    def open_playout(self) -> CallPlayout:
        """Queue a playout whose audio is still to come."""
        return self._new_playout(streamed=True)

    def _new_playout(self, *, streamed: bool) -> CallPlayout:
        number = self._next_playout_id
        self._next_playout_id += 1
        rate_hz = self._audio_rate_hz or SAMPLE_RATE_HZ
        playout = CallPlayout(self.leg_id, number, rate_hz, self.send, self._begun, streamed=streamed)
        if self.hung_up.is_set():
            playout.end(0)
        return playout

    def _begun(self, playout: CallPlayout) -> None:
        self._playouts[playout.playout_id] = playout

    # ---- from the media process ---------------------------------------------------------------------------------------

    def receive(self, report: protocol.AnyReport) -> None:
        """Take one report of this leg."""
        match report:
            case protocol.SpeechStarted():
                self._speaking = Speech(started=True, at_s=report.at_s, decided_at=report.decided_s)
                if self._hearing is Hearing.SPEECH:
                    self.host.dialogue.caller_started(report.at_s)
                self._speech_changed(self._speaking)
            case protocol.SpeechStopped():
                self._speaking = None
                if report.fragment:
                    self.host.dialogue.caller_unheard()
                self._speech_changed(
                    Speech(started=False, at_s=report.at_s, fragment=report.fragment, decided_at=report.decided_s)
                )
            case protocol.UtteranceHeard():
                self._heard(report)
            case protocol.PlayoutProgress():
                playout = self._playouts.get(report.playout_id)
                if playout is not None:
                    if playout.first_packet_at is None:
                        self.host.playout_started(0.0)
                    playout.went_out(report.heard_samples, report.sent_s)
            case protocol.PlayoutEnded():
                playout = self._playouts.pop(report.playout_id, None)
                if playout is not None:
                    playout.end(report.heard_samples)
                    self.host.playout_ended(playout.heard / SAMPLE_RATE_HZ, report.complete)
            case _:
                pass

    def digit_pressed(self, digit: str) -> None:
        """Pass on a key that the caller pressed."""
        self.digits.publish(digit)

    def hang_up(self) -> None:
        """End every iterator and playout; nothing is sent after this."""
        self.hung_up.set()
        self._cancel_lowering()
        self._transcribe_unclaimed()
        self._utterances.close()
        self._speech.close()
        self.digits.close()
        for playout in self._playouts.values():
            playout.abandon()
        self._playouts.clear()

    def _heard(self, report: protocol.UtteranceHeard) -> None:
        samples = np.frombuffer(report.pcm, dtype="<i2").astype(np.float32) / 32768.0
        utterance = Utterance(
            resample(samples, report.rate_hz, SAMPLE_RATE_HZ),
            started_s=report.started_s,
            ended_s=report.ended_s,
            speech_ended_at=report.decided_s - report.silent_s,
            endpoint_at=report.decided_s,
        )
        if self.hung_up.is_set():
            if self._hearing is Hearing.SPEECH:
                self.host.transcribe_last(utterance)
            return
        self.host.utterance_ended(utterance)
        if self._hearing is Hearing.SPEECH and self._most_wanted() is not Hearing.SPEECH:
            self._unclaimed.append(utterance)
        self._utterances.publish(utterance)

    def _speech_changed(self, speech: Speech) -> None:
        self.host.speech_changed(speech)
        self._speech.publish(speech)
