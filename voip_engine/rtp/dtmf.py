"""Keys as telephone-events (RFC 4733 §2)."""

from __future__ import annotations

import struct
from collections import deque
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
_SEGMENT_SLACK_MS: Final = 100
"""How much shorter than the longest a segment may be: some phones end it with a packet."""
_LOST_END_S: Final = 0.5
_STRAGGLES_S: Final = 10
"""Packets come late by no more than this. A timestamp farther back is that of a clock which was set anew."""


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


@dataclass(slots=True)
class _Press:
    """What is known of a press. `timestamp` is that of its present segment, `earlier_ms` how long those before it lasted."""

    event: TelephoneEvent
    timestamp: int
    earlier_ms: float = 0.0
    segment_ms: float = 0.0
    ended: bool = False
    told: bool = False

    def tell(self) -> list[KeyPress]:
        """Give it if it is a key, the first time."""
        digit, told, self.told = self.event.digit, self.told, True
        return [] if told or digit is None else [KeyPress(digit, round(self.earlier_ms + self.segment_ms))]


class DtmfReceiver:
    """Turns event packets into key presses, each once, whichever of its packets arrive.

    All packets of an event carry the timestamp of its start (§2.5.1.2), which tells presses apart. A press that lasts longer
    than 16 bits can say comes in segments, each where the one before it ended (§2.5.1.3), and is one press all the same.
    """

    __slots__ = ("_clock_rate_hz", "_press", "_updated_s")

    def __init__(self, clock_rate_hz: int) -> None:
        self._clock_rate_hz = clock_rate_hz
        self._press: _Press | None = None
        self._updated_s = 0.0

    def set_clock_rate(self, clock_rate_hz: int) -> None:
        """Count in another clock from now on. What is known of the last press stays: its packets may still come."""
        self._clock_rate_hz = clock_rate_hz

    def receive(self, payload: bytes, timestamp: int, now: float) -> list[KeyPress]:
        """File one event packet; gives the presses that it ends. Raises MalformedEvent."""
        event = TelephoneEvent.parse(payload)
        press, ended = self._press, list[KeyPress]()
        step = 0 if press is None else timestamp - press.timestamp & 0xFFFFFFFF
        if step >= (1 << 32) - _STRAGGLES_S * self._clock_rate_hz:
            return []  # a straggler of a press or a segment before the current one
        if press is not None and step and self._goes_on(press, event, step):
            press.earlier_ms += self._in_ms(step)
            press.segment_ms = 0.0
            press.timestamp = timestamp
        elif press is None or step:
            ended = self._tell()
            press = self._press = _Press(event, timestamp)
        press.segment_ms = max(press.segment_ms, self._in_ms(event.duration))
        press.ended = press.ended or event.end
        self._updated_s = now
        return ended + press.tell() if event.end else ended

    def expire(self, now: float) -> list[KeyPress]:
        """Give a press whose last packets were all lost, half a second after the last that came."""
        return self._tell() if now - self._updated_s > _LOST_END_S else []

    def restart(self) -> list[KeyPress]:
        """Begin anew with another source, whose timestamps have nothing to do with the last one's; gives what it left open."""
        ended = self._tell()
        self._press = None
        return ended

    def _tell(self) -> list[KeyPress]:
        return [] if self._press is None else self._press.tell()

    def _goes_on(self, press: _Press, event: TelephoneEvent, step: int) -> bool:
        """Whether this is the next segment of a press, `step` units after its last one."""
        if press.ended or event.event != press.event.event:
            return False
        short_ms, unheard_ms = self._in_ms(_LONGEST_SEGMENT - step), self._in_ms(step) - press.segment_ms
        return 0 <= short_ms <= _SEGMENT_SLACK_MS and unheard_ms <= _LOST_END_S * 1000

    def _in_ms(self, units: int) -> float:
        return units * 1000 / self._clock_rate_hz


@dataclass(frozen=True, slots=True)
class EventPacket:
    """One telephone-event packet to send. Its timestamp is that of the event's first packet, which `starts` tells of."""

    payload: bytes
    starts: bool


class DtmfSender:
    """Makes the packets of queued digits, one per packet time: updates while it lasts, then the end three times (§2.5.1.4)."""

    __slots__ = ("_elapsed_ms", "_ends", "_gap_ms", "_packet_ms", "_queue", "_units_per_ms")

    def __init__(self, clock_rate_hz: int, packet_ms: int) -> None:
        self._queue: deque[tuple[int, int]] = deque()
        self._elapsed_ms = 0
        self._ends = 0
        self._gap_ms = 0
        self.configure(clock_rate_hz, packet_ms)

    def configure(self, clock_rate_hz: int, packet_ms: int) -> None:
        """Go on with another clock or packet time: neither the digit that is on its way nor those that wait are lost."""
        self._units_per_ms = clock_rate_hz // 1000
        self._packet_ms = packet_ms

    def press(self, digit: str, duration_ms: int) -> None:
        """Queue a digit. Raises ValueError for what is no key; a length that 16 bits cannot say is cut."""
        event = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
        if event < 0:
            raise ValueError(f"{digit!r} is no key of a telephone")
        self._queue.append((event, duration_ms))

    def clear(self) -> None:
        """Forget all digits, because nobody takes them any more."""
        self._queue.clear()
        self._elapsed_ms = self._ends = self._gap_ms = 0

    @property
    def active(self) -> bool:
        """Whether digits, or the pause after one, keep audio from being sent."""
        return bool(self._queue) or self._gap_ms > 0

    def next_packet(self) -> EventPacket | None:
        """Give this packet time's packet; None in the pause between digits and when nothing is left."""
        if self._gap_ms > 0:
            self._gap_ms -= self._packet_ms
            return None
        if not self._queue:
            return None
        event, wanted_ms = self._queue[0]
        starts = self._elapsed_ms == 0
        self._elapsed_ms += self._packet_ms
        lasts_ms = min(max(self._packet_ms, wanted_ms), _LONGEST_SEGMENT // self._units_per_ms)
        ended = self._ends > 0 or self._elapsed_ms >= lasts_ms
        duration = min(self._elapsed_ms, lasts_ms) * self._units_per_ms
        if ended:
            self._ends += 1
            if self._ends == END_PACKETS:
                self._queue.popleft()
                self._elapsed_ms = self._ends = 0
                self._gap_ms = GAP_MS
        return EventPacket(TelephoneEvent(event, ended, VOLUME_DBM0, duration).serialize(), starts)
