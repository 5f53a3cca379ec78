"""The messages between the engine and the process that runs Whisper.

Each crosses the pipe as MessagePack behind a 4-byte big-endian length. Audio crosses as little-endian int16, 16 kHz, mono: one
whole utterance a message.
"""

from __future__ import annotations

import msgspec

# ---- engine → worker --------------------------------------------------------------------------------------------------


class Load(msgspec.Struct, frozen=True, tag=True):
    """Load a model, by name or folder, unless it is loaded. Answered by Loaded or LoadFailed."""

    model: str
    threads: int


class Transcribe(msgspec.Struct, frozen=True, tag=True):
    """Transcribe an utterance of at most 30 s. Answered by Transcribed, Failed or Cancelled.

    Without a `language` (an ISO 639-1 code) the model detects it.
    """

    request_id: int
    pcm: bytes
    language: str | None = None


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Nobody waits for that utterance any more: leave out what of the work is still to come."""

    request_id: int


WhisperCommand = Load | Transcribe | Cancel

# ---- worker → engine --------------------------------------------------------------------------------------------------


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process runs; nothing is loaded yet."""


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is there. `languages`: the codes that it knows."""

    languages: tuple[str, ...]


class LoadFailed(msgspec.Struct, frozen=True, tag=True):
    """The model is not there, or is none: what `ModelMissing` says. The worker stays, and can be told to load again."""

    what: str
    detail: str
    mend: str
    model: str | None = None


class Transcribed(msgspec.Struct, frozen=True, tag=True):
    """What was said; empty if the gates found no speech. `busy_s`: features, encoder and decoder together."""

    request_id: int
    text: str
    language: str
    confidence: float
    no_speech: float
    logprob: float
    busy_s: float


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The model could not make anything of an utterance; `detail` is a plain sentence without what was said."""

    request_id: int
    detail: str


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """An utterance was given up, as asked."""

    request_id: int


WhisperReport = Ready | Loaded | LoadFailed | Transcribed | Failed | Cancelled

_command_decoder = msgspec.msgpack.Decoder(WhisperCommand)
_report_decoder = msgspec.msgpack.Decoder(WhisperReport)


def decode_command(body: bytes) -> WhisperCommand:
    """Read a command. Raises msgspec's errors."""
    command: WhisperCommand = _command_decoder.decode(body)
    return command


def decode_report(body: bytes) -> WhisperReport:
    """Read a report. Raises msgspec's errors."""
    report: WhisperReport = _report_decoder.decode(body)
    return report
