"""A call's media leg as its mode sees it: utterances come up, playouts go down.

media process ──reports──► CallVoice ──► ModeLeg (one a mode run) ──► the mode
media process ◄─commands── CallVoice ◄── ModeLeg.play …           ◄── the mode
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.bus import Bus, Subscription
from voip_engine.media import protocol
from voip_engine.modes.base import Speech, Utterance
from voip_engine.resample import resample

UTTERANCES_KEPT = 16
"""Utterances a mode may leave unread; after that the oldest is dropped."""


class VoiceObserver(Protocol):
    """Who wants to know what is said on a call (the call itself, for its events and its snapshot)."""

    def speech_changed(self, speech: Speech) -> None:
        """The caller began or stopped speaking."""
        ...

    def utterance_ended(self, utterance: Utterance) -> None:
        """A mode is handed an utterance."""
        ...

    def playout_started(self, duration_s: float) -> None:
        """Our side begins to speak."""
        ...

    def playout_ended(self, heard_s: float, complete: bool) -> None:
        """Our side stops speaking."""
        ...

    def activity_changed(self, word: str) -> None:
        """The mode says what it is doing."""
        ...


class CallPlayout:
    """Audio on its way to the caller (see modes.base.Playout)."""

    def __init__(self, voice: CallVoice, playout_id: int, rate_hz: int) -> None:
        self._voice = voice
        self.playout_id = playout_id
        self._rate_hz = rate_hz
        self._heard_samples = 0
        self._ended = asyncio.Event()

    @property
    def heard(self) -> int:
        """Samples that really went out, at 16 kHz; known when the playout is over."""
        return round(self._heard_samples * SAMPLE_RATE_HZ / self._rate_hz)

    @property
    def done(self) -> bool:
        """Whether it ended, whole or cut short."""
        return self._ended.is_set()

    def stop(self) -> None:
        """Fade out and drop the rest."""
        self._send(protocol.StopPlayout)

    def pause(self) -> None:
        """Hold at the sample reached."""
        self._send(protocol.PausePlayout)

    def resume(self) -> None:
        """Go on at that sample."""
        self._send(protocol.ResumePlayout)

    async def wait(self) -> int:
        """Wait for the end; returns the samples that went out, at 16 kHz."""
        await self._ended.wait()
        return self.heard

    def end(self, heard_samples: int) -> None:
        """Note that the media process is done with it, after `heard_samples` at the leg's rate."""
        self._heard_samples = heard_samples
        self._ended.set()

    def _send(self, command: Callable[[int, int], protocol.AnyCommand]) -> None:
        if not self.done:
            self._voice.send(command(self._voice.leg_id, self.playout_id))


class CallVoice:
    """One call's leg, for as long as the call lives. Sends commands to the media process and takes its reports."""

    def __init__(
        self,
        call_id: str,
        leg_id: int,
        send: Callable[[protocol.AnyCommand], None],
        activity: protocol.VoiceActivitySettings,
        observer: VoiceObserver,
    ) -> None:
        self.call_id = call_id
        self.leg_id = leg_id
        self.send = send
        self.observer = observer
        self.hung_up = asyncio.Event()
        self.utterances: Bus[Utterance] = Bus()
        self.speech: Bus[Speech] = Bus()
        self._activity = activity
        self._audio_rate_hz: int | None = None
        self._playouts: dict[int, CallPlayout] = {}
        self._next_playout_id = 1
        self._hearers = 0

    def configure(self, audio_rate_hz: int) -> None:
        """Audio flows from now on, at the codec's rate; begins voice activity detection."""
        self._audio_rate_hz = audio_rate_hz
        self._listen()

    def want_utterances(self, change: int) -> None:
        """Count the modes that take whole utterances; the media process cuts none while there are none."""
        self._hearers += change
        if self._audio_rate_hz is not None and not self.hung_up.is_set():
            self._listen()

    def start_playing(self, audio: Audio) -> CallPlayout:
        """Queue audio (float32, 16 kHz) behind what is already playing."""
        rate_hz = self._audio_rate_hz or SAMPLE_RATE_HZ
        playout = CallPlayout(self, self._next_playout_id, rate_hz)
        self._next_playout_id += 1
        if self.hung_up.is_set() or len(audio) == 0:
            playout.end(0)
            return playout
        samples = resample(audio, SAMPLE_RATE_HZ, rate_hz)
        pcm = (np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        self._playouts[playout.playout_id] = playout
        self.send(protocol.Play(self.leg_id, playout.playout_id, pcm, rate_hz=rate_hz))
        self.observer.playout_started(len(audio) / SAMPLE_RATE_HZ)
        return playout

    def receive(self, report: protocol.AnyReport) -> None:
        """Take one report of this leg."""
        match report:
            case protocol.SpeechStarted(at_s=at_s):
                self._speech_changed(Speech(started=True, at_s=at_s))
            case protocol.SpeechStopped(at_s=at_s):
                self._speech_changed(Speech(started=False, at_s=at_s))
            case protocol.UtteranceHeard():
                samples = np.frombuffer(report.pcm, dtype="<i2").astype(np.float32) / 32768.0
                utterance = Utterance(resample(samples, report.rate_hz, SAMPLE_RATE_HZ), report.started_s)
                self.observer.utterance_ended(utterance)
                self.utterances.publish(utterance)
            case protocol.PlayoutEnded():
                playout = self._playouts.pop(report.playout_id, None)
                if playout is not None:
                    playout.end(report.heard_samples)
                    self.observer.playout_ended(playout.heard / SAMPLE_RATE_HZ, report.complete)
            case _:
                pass

    def hang_up(self) -> None:
        """End every iterator and playout; nothing is sent after this."""
        self.hung_up.set()
        self.utterances.close()
        self.speech.close()
        for playout in self._playouts.values():
            playout.end(0)
        self._playouts.clear()

    def _listen(self) -> None:
        self.send(protocol.Listen(self.leg_id, self._activity, utterances=self._hearers > 0))

    def _speech_changed(self, speech: Speech) -> None:
        self.observer.speech_changed(speech)
        self.speech.publish(speech)


class ModeLeg:
    """What one run of a mode sees of a call (modes.base.VoiceLeg). `release` takes back all that the run began."""

    def __init__(self, voice: CallVoice) -> None:
        self._voice = voice
        self._subscriptions: list[Subscription[Utterance] | Subscription[Speech]] = []
        self._playouts: list[CallPlayout] = []
        self._hearing = False

    @property
    def call_id(self) -> str:
        """The engine's name for the call."""
        return self._voice.call_id

    def utterances(self) -> AsyncIterator[Utterance]:
        """What the caller says from now on; of more than 16 unread utterances the oldest is dropped."""
        subscription = self._voice.utterances.subscribe(UTTERANCES_KEPT)
        self._subscriptions.append(subscription)
        if not self._hearing:
            self._hearing = True
            self._voice.want_utterances(+1)
        return subscription

    def speech(self) -> AsyncIterator[Speech]:
        """Onsets and ends of the caller's speech, from now on."""
        subscription = self._voice.speech.subscribe()
        self._subscriptions.append(subscription)
        return subscription

    def start_playing(self, audio: Audio) -> CallPlayout:
        """Begin to play and return at once."""
        playout = self._voice.start_playing(audio)
        self._playouts = [earlier for earlier in self._playouts if not earlier.done]
        self._playouts.append(playout)
        return playout

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
        self._voice.observer.activity_changed(word)

    def release(self) -> None:
        """Stop what the mode was playing and end its iterators."""
        for playout in self._playouts:
            playout.stop()
        for subscription in self._subscriptions:
            subscription.close()
        if self._hearing:
            self._hearing = False
            self._voice.want_utterances(-1)
        self._voice.observer.activity_changed("")
