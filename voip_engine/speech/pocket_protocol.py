"""What the engine and a Pocket TTS process say to each other.

A process has one job at a time: the engine sends the next when the last has `Ended` or `Failed`. Jobs are numbered upwards.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Problem = Literal["package", "model", "setting", "generation"]
"""What went wrong: the package can't be imported; files of the model aren't here; a setting is wrong; the model failed."""


class Command(msgspec.Struct, frozen=True, tag=True):
    """Goes to the process."""


class OpenVoice(Command, frozen=True, tag=True):
    """Load a voice, try it out, and keep it. Answered by VoiceOpened or Failed."""

    job: int
    voice: str


class Speak(Command, frozen=True, tag=True):
    """Say a text. Answered by any number of Spoken, then Ended or Failed."""

    job: int
    voice: str
    text: str


class Cancel(Command, frozen=True, tag=True):
    """Stop a Speak within a chunk; it still ends with Ended."""

    job: int


class Report(msgspec.Struct, frozen=True, tag=True):
    """Comes from the process."""


class Loaded(Report, frozen=True, tag=True):
    """The first report: the model is there."""

    took_s: float


class NotLoaded(Report, frozen=True, tag=True):
    """The first report instead, and the last: why there is no model."""

    problem: Problem
    detail: str


class VoiceOpened(Report, frozen=True, tag=True):
    """The voice is there. With the first one comes what a second of audio takes, in seconds."""

    job: int
    real_time_factor: float | None


class Spoken(Report, frozen=True, tag=True):
    """The next audio: 16-bit little-endian samples, mono, 16 kHz."""

    job: int
    pcm: bytes


class Ended(Report, frozen=True, tag=True):
    """Everything was said, or it was cancelled. `busy_s` is what it took to make `audio_s`."""

    job: int
    audio_s: float
    busy_s: float


class Failed(Report, frozen=True, tag=True):
    """The job came to nothing, in plain words without what was to be said."""

    job: int
    problem: Problem
    detail: str


AnyCommand = OpenVoice | Speak | Cancel
AnyReport = Loaded | NotLoaded | VoiceOpened | Spoken | Ended | Failed

decode_command: Final = msgspec.msgpack.Decoder(AnyCommand).decode
decode_report: Final = msgspec.msgpack.Decoder(AnyReport).decode
