"""What the engine and the speaker process say to each other: JSON, a message a line, on its stdin and stdout."""

from __future__ import annotations

from typing import Literal

import msgspec

Layout = Literal["split", "mixed"]
"""`split`: the caller left and our side right. `mixed`: both on both."""


class Open(msgspec.Struct, frozen=True, tag=True):
    """Open an output device by its name, or the system's default one. Said once, first."""

    device: str | None
    volume: float
    layout: Layout


class Adjust(msgspec.Struct, frozen=True, tag=True):
    """Change how it sounds. `volume` runs from 0 to 1 and scales samples linearly."""

    volume: float
    layout: Layout


class Playing(msgspec.Struct, frozen=True, tag=True):
    """The device is open; monitor packets are expected on this UDP port of 127.0.0.1."""

    port: int
    device: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Nothing can be heard (any more); the process ends. `reason` is a plain sentence that says what to do."""

    reason: str


class OutputDevice(msgspec.Struct, frozen=True):
    """A device that sound can be sent to."""

    name: str
    system: str
    """The sound system it belongs to, such as ALSA or Core Audio."""
    channels: int
    rate_hz: int
    default: bool


class Devices(msgspec.Struct, frozen=True, tag=True):
    """Every output device there is."""

    devices: tuple[OutputDevice, ...]


SpeakerCommand = Open | Adjust
SpeakerReport = Playing | Failed | Devices

_commands: msgspec.json.Decoder[SpeakerCommand] = msgspec.json.Decoder(SpeakerCommand)
_reports: msgspec.json.Decoder[SpeakerReport] = msgspec.json.Decoder(SpeakerReport)


def serialize(message: SpeakerCommand | SpeakerReport) -> bytes:
    """Give a message as a line."""
    return msgspec.json.encode(message) + b"\n"


def parse_command(line: bytes) -> SpeakerCommand:
    """Read a line of stdin; raises msgspec.DecodeError."""
    return _commands.decode(line)


def parse_report(line: bytes) -> SpeakerReport:
    """Read a line of stdout; raises msgspec.DecodeError."""
    return _reports.decode(line)
