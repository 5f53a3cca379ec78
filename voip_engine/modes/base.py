"""What a mode is, and what it sees of a call.

A mode is an async function over a voice leg. Switching the mode of a live call cancels one task, fades out what was playing
and starts the next; signalling, RTP and meters never notice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from voip_engine.audio import SAMPLE_RATE_HZ, Audio


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a caller said between two silences. `audio`: float32 mono 16 kHz; `started_s` on the call's media clock."""

    audio: Audio
    started_s: float

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.audio) / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Speech:
    """The caller began (`started`) or stopped speaking at `at_s` on the call's media clock."""

    started: bool
    at_s: float


class Playout(Protocol):
    """Audio on its way to the caller. Awaiting it waits until the last sample went out, it was stopped, or the call ended."""

    @property
    def heard(self) -> int:
        """Samples that really went out, at 16 kHz."""
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


class VoiceLeg(Protocol):
    """One call as a mode sees it: what the caller says, and a way to answer."""

    @property
    def call_id(self) -> str:
        """The engine's name for the call."""
        ...

    def utterances(self) -> AsyncIterator[Utterance]:
        """What the caller says from now on, whole utterances in order; ends with the call."""
        ...

    def speech(self) -> AsyncIterator[Speech]:
        """Onsets and ends of the caller's speech, from now on; ends with the call."""
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
    """What handles a call. `name` stands in the console's mode list."""

    name: str

    async def run(self, leg: VoiceLeg) -> None:
        """Handle the call until cancelled. Returning early leaves the call in silence."""
        ...
