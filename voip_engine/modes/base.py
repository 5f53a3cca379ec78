"""What a mode is, and what it sees of a call.

A mode is an async function over a voice leg. Switching the mode of a live call cancels one task, fades out what was playing
and starts the next; signalling, RTP and meters never notice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.speech.base import SpeechError, SpeechServices, Transcript
from voip_engine.speech_settings import AgentSettings


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a caller said between two silences, with its inner pauses. `audio`: float32 mono 16 kHz.

    `started_s` and `ended_s` (the end of the speech in it) are on the call's media clock. `speech_ended_at` and
    `endpoint_at`, when its end was settled, are on `time.monotonic`.
    """

    audio: Audio
    started_s: float
    ended_s: float = 0.0
    speech_ended_at: float = 0.0
    endpoint_at: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.audio) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Speech:
    """The caller began (`started`) or stopped speaking at `at_s` on the call's media clock.

    `fragment`: what stopped was too short to count, and no utterance follows. `decided_at`, on `time.monotonic`, is when
    the change was known.
    """

    started: bool
    at_s: float
    fragment: bool = False
    decided_at: float = 0.0


class Playout(Protocol):
    """Audio on its way to the caller. Awaiting it waits until the last sample went out, it was stopped, or the call ended."""

    @property
    def heard(self) -> int:
        """Samples that really went out, at 16 kHz; exact once it paused or ended, a tenth of a second old before."""
        ...

    @property
    def done(self) -> bool:
        """Whether it ended, whole or cut short."""
        ...

    def stop(self) -> None:
        """Fade out and drop the rest."""
        ...

    def pause(self) -> None:
        """Hold at the sample reached."""
        ...

    def resume(self) -> None:
        """Go on at that sample."""
        ...

    async def wait(self) -> int:
        """Wait for the end; returns the samples that went out."""
        ...


class StreamedPlayout(Playout, Protocol):
    """A playout whose audio comes bit by bit. It is over when `finish` was called and the last sample went out."""

    @property
    def first_packet_at(self) -> float | None:
        """When its first packet went out, on `time.monotonic`."""
        ...

    @property
    def queued(self) -> int:
        """Samples given so far, at 16 kHz."""
        ...

    def append(self, audio: Audio) -> None:
        """Add audio behind what there is. Ignored once it is over."""
        ...

    def finish(self) -> None:
        """Say that nothing more follows."""
        ...

    async def progress(self) -> int:
        """Wait until more has been heard than when this was last asked, or the end; returns `heard`."""
        ...


Stage = Literal["endpoint", "text", "first_token", "first_audio", "first_packet"]
"""What a reply goes through after the caller's speech ended."""


class Reply(Protocol):
    """One reply of the agent, as a line of the dialogue that the operator sees grow."""

    def add(self, text: str) -> None:
        """Append to the text."""
        ...

    def heard(self, characters: int) -> None:
        """So much of the text was heard by now."""
        ...

    def pause(self, paused: bool) -> None:
        """The reply is held, or goes on."""
        ...

    def reached(self, stage: Stage, at: float) -> None:
        """Note when a stage was reached, on `time.monotonic`; only the first time counts."""
        ...

    def end(self, *, cut: bool) -> None:
        """All of it was heard, or it was cut where `heard` says. A reply of which nothing was heard stays, struck out."""
        ...

    def discard(self) -> None:
        """Take the line back, as if the reply had never been begun."""
        ...


class VoiceLeg(Protocol):
    """One call as a mode sees it: what the caller says, and a way to answer."""

    @property
    def call_id(self) -> str:
        """The engine's name for the call."""
        ...

    @property
    def outbound(self) -> bool:
        """Whether we placed the call."""
        ...

    @property
    def agent(self) -> AgentSettings:
        """How an agent should behave on this call, as it is set now."""
        ...

    @property
    def services(self) -> SpeechServices:
        """Recognition, language model and synthesis."""
        ...

    @property
    def memory(self) -> dict[str, object]:
        """What modes want to find again when they come back to this call; by mode name."""
        ...

    def utterances(self, *, speech_only: bool = False) -> AsyncIterator[Utterance]:
        """What the caller says from now on, whole utterances in order; ends with the call.

        With `speech_only` a model tells speech from noise and short fragments are left out; without, loudness decides.
        """
        ...

    async def transcribe(self, utterance: Utterance) -> Transcript:
        """Have an utterance transcribed; its line appears in the call's dialogue. Raises SpeechError.

        Goes on when the mode is switched, so that no transcript is lost.
        """
        ...

    def begin_reply(self, utterance: Utterance | None = None) -> Reply:
        """Begin a line of the agent's in the dialogue, as the answer to `utterance` if there is one."""
        ...

    def troubled(self, error: SpeechError | None) -> None:
        """Say on the call's page what the mode lacks; None when that is over."""
        ...

    async def transfer(self, target: str) -> None:
        """Send the caller on to somebody else: a SIP address, or a number at the call's account.

        The caller is on hold meanwhile. When it works the call ends, and the mode with it; else raises EngineError, and the
        call goes on.
        """
        ...

    async def hang_up(self) -> None:
        """End the call."""
        ...

    def open_playout(self) -> StreamedPlayout:
        """Begin a playout whose audio is still to come."""
        ...

    def speech(self) -> AsyncIterator[Speech]:
        """Onsets and ends of the caller's speech, from now on; ends with the call."""
        ...

    def digits(self) -> AsyncIterator[str]:
        """Keys that the caller presses (0-9, *, #, A-D), from now on; ends with the call."""
        ...

    async def send_dtmf(self, digits: str) -> None:
        """Press keys, one after the other. Raises EngineError if the other side takes none."""
        ...

    async def play(self, audio: Audio) -> int:
        """Play audio to its end; returns the samples that went out. Cancelling fades it out."""
        ...

    def start_playing(self, audio: Audio) -> Playout:
        """Begin to play and return at once. Several playouts queue up."""
        ...

    async def until_hung_up(self) -> None:
        """Wait for the end of the call."""
        ...

    def activity(self, word: str) -> None:
        """Say in a word what the mode is doing, for the operator: `listening`, `speaking`."""
        ...


@runtime_checkable
class Mode(Protocol):
    """What handles a call. `name` stands in the console's mode list.

    A mode may have a static method `async def warm(services: SpeechServices, agent: AgentSettings)`, too: it loads what the
    mode will need, when the engine starts with it and so before the first call comes.
    """

    name: str

    async def run(self, leg: VoiceLeg) -> None:
        """Handle the call until cancelled. Returning early leaves the call in silence."""
        ...
