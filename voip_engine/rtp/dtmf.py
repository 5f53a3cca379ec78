"""Keys as telephone-events (RFC 4733 §2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

DIGITS: Final = "0123456789*#ABCD"
END_PACKETS: Final = 3
VOLUME_DBM0: Final = 10
"""Sent as a positive number: −10 dBm0."""
GAP_MS: Final = 60
"""Silence between two digits; receivers need some 40 ms."""

_EVENT = struct.Struct("!BBH")
_LONGEST_SEGMENT: Final = 0xFFFF
_LOST_END_S: Final = 0.5


class MalformedEvent(ValueError):
    """A telephone-event payload that is too short."""


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One event payload (§2.3). `duration` is in timestamp units since the event's timestamp; `volume` is in −dBm0."""

    event: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """Read a payload; of several reports in one packet, the first. Raises MalformedEvent."""
        if len(payload) < 4:
            raise MalformedEvent(f"{len(payload)} bytes are too few for a telephone-event")
        event, flags, duration = _EVENT.unpack_from(payload)
        return cls(event, flags >= 0x80, flags & 0x3F, duration)

    def serialize(self) -> bytes:
        """Give the four bytes."""
        return _EVENT.pack(self.event, (0x80 if self.end else 0) | self.volume, self.duration)

    @property
    def digit(self) -> str | None:
        """The key, or None for an event that is none (a flash, a tone)."""
        return DIGITS[self.event] if self.event < len(DIGITS) else None


@dataclass(frozen=True, slots=True)
class KeyPress:
    """A key that the other side pressed and let go."""

    digit: str
    duration_ms: int


class DtmfReceiver:
    """Turns event packets into key presses, each once, whichever of its packets arrive.

    All packets of an event carry the timestamp of its start (§2.5.1.2), which tells presses apart.
    """

    __slots__ = ("_clock_rate_hz", "_current", "_reported_timestamp", "_timestamp", "_updated_s")

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._timestamp: int | None = None
        self._reported_timestamp: int | None = None
        self._current: TelephoneEvent | None = None
        self._updated_s = 0.0

    def receive(self, payload: bytes, timestamp: int, now: float) -> list[KeyPress]:
        """File one event packet; gives the presses that it ends. Raises MalformedEvent."""
        event = TelephoneEvent.parse(payload)
        if timestamp == self._reported_timestamp:
            return []
        ended = []
        if timestamp != self._timestamp:
            if self._timestamp is not None and timestamp - self._timestamp & 0xFFFFFFFF >= 1 << 31:
                return []  # a straggler of an event before the current one
            ended = self._finish()
            self._timestamp = timestamp
        if self._current is None or event.duration >= self._current.duration:
            self._current = event
        self._updated_s = now
        return ended + self._finish() if event.end else ended

    def expire(self, now: float) -> list[KeyPress]:
        """Give a press whose last packets were all lost, half a second after the last that came."""
        return self._finish() if self._current is not None and now - self._updated_s > _LOST_END_S else []

    def _finish(self) -> list[KeyPress]:
        event, self._current = self._current, None
        if event is None:
            return []
        self._reported_timestamp = self._timestamp
        if event.digit is None:
            return []
        return [KeyPress(event.digit, round(event.duration * 1000 / self._clock_rate_hz))]


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One telephone-event packet to send. Its timestamp is that of the event's start, `timestamp_offset` units ago."""

    payload: bytes
    marker: bool
    timestamp_offset: int


class DtmfSender:
    """Makes the packets of queued digits, one per packet time: updates while it lasts, then the end three times (§2.5.1.4)."""

    __slots__ = ("_elapsed", "_ends", "_gap", "_queue", "_step", "_units_per_ms")

    def __init__(self, clock_rate_hz: int, packet_ms: int) -> None:
        self._units_per_ms = clock_rate_hz // 1000
        self._step = packet_ms * self._units_per_ms
        self._queue: list[tuple[int, int]] = []
        self._elapsed = 0
        self._ends = 0
        self._gap = 0

    def press(self, digit: str, duration_ms: int) -> None:
        """Queue a digit. Raises ValueError for what is no key; a length beyond 16 bits is cut."""
        event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
        if event < 0:
            raise ValueError(f"{digit!r} is no key of a telephone")
        duration = min(_LONGEST_SEGMENT, max(self._step, duration_ms * self._units_per_ms))
        self._queue.append((event, duration))

    @property
    def active(self) -> bool:
        """Whether digits, or the pause after one, keep audio from being sent."""
        return bool(self._queue) or self._gap > 0

    def next_packet(self) -> EventPacket | None:
        """Give this packet time's packet; None in the pause between digits and when nothing is left."""
        if self._gap > 0:
            self._gap -= self._step
            return None
        if not self._queue:
            return None
        event, duration = self._queue[0]
        offset = self._elapsed
        self._elapsed += self._step
        if self._elapsed < duration:
            return EventPacket(
                TelephoneEvent(event, False, VOLUME_DBM0, self._elapsed).serialize(), offset == 0, offset
            )
        self._ends += 1
        packet = EventPacket(TelephoneEvent(event, True, VOLUME_DBM0, duration).serialize(), offset == 0, offset)
        if self._ends == END_PACKETS:
            del self._queue[0]
            self._elapsed = self._ends = 0
            self._gap = GAP_MS * self._units_per_ms
        return packet
