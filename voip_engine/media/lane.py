"""The express lanes: G.711 streams that run as they should, kept as columns of arrays instead of as objects.

Of a thousand calls nearly all are in this state nearly always: the next packet in sequence, 20 ms, no key, no gap. For those a
tick is a few array operations for all legs together. Whatever is not exactly so leaves the lane: its state goes back into the
objects that handle every case (`Inbound` with its jitter buffer, `Outbound`), and it may enter again when all is well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio
from voip_engine.codecs import g711
from voip_engine.media.inbound import Inbound
from voip_engine.media.outbound import Outbound
from voip_engine.media.sockets import ArrivalClock
from voip_engine.rtp.packet import HEADER_BYTES

SAMPLES: Final = 160
PACKET_BYTES: Final = HEADER_BYTES + SAMPLES
CLOCK_RATE_HZ: Final = 8000
FRAME_S: Final = 0.02
WAITING: Final = 16
"""Packets of one leg that may wait; more than the jitter buffer's longest delay."""

_PACKET: Final = np.dtype(
    [
        ("first", "u1"),
        ("second", "u1"),
        ("sequence", ">u2"),
        ("timestamp", ">u4"),
        ("ssrc", ">u4"),
        ("payload", "u1", (SAMPLES,)),
    ]
)
_PLAIN: Final = 0x80
_MARKER: Final = 0x80
_STAMP: Final = np.dtype("l")
_NO_SLACK_S: Final = 1e9
_SHORTENED_A_TICK: Final = 20
"""After a stall that delayed all calls, all have delay to give back; not all in one tick."""
_FADE_OUT: Final = np.linspace(1, 0, SAMPLES, dtype=np.float32)

Send = Callable[[bytes | memoryview], object]
Protect = Callable[[bytes], bytes | None]
Mail = list[tuple[Send, bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class _Hearer:
    inbound: Inbound
    codec: g711.G711Name
    left: Callable[[], None]


class HearLane:
    """Inbound streams. Rows are those of the 8 kHz bank."""

    def __init__(self, clock: ArrivalClock, rows: int) -> None:
        self._clock = clock
        self._members: dict[int, _Hearer] = {}
        self._rows: dict[g711.G711Name, NDArray[np.intp]] = {}
        self._changed = False
        self._surplus: dict[int, bool] = {}
        """Streams that can give a frame of delay back, and whether they have waited for a quiet moment long enough."""
        self._codes = np.zeros((rows, WAITING, SAMPLES), np.uint8)
        self._expected = np.zeros(rows, _PACKET)
        self._head = np.zeros(rows, np.intp)
        self._waiting = np.zeros(rows, np.intp)
        self._taken = np.zeros(rows, np.intp)
        self._received = np.zeros(rows, np.intp)
        self._jitter = np.zeros(rows)
        self._transit = np.zeros(rows)
        self._least_slack_s = np.zeros(rows)
        self._heard_s = np.zeros(rows)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        for name in ("_codes", "_expected", "_head", "_waiting", "_taken", "_received"):
            setattr(self, name, _taller(getattr(self, name), rows))
        for name in ("_jitter", "_transit", "_least_slack_s", "_heard_s"):
            setattr(self, name, _taller(getattr(self, name), rows))

    def __contains__(self, row: int) -> bool:
        return row in self._members

    def enter(self, row: int, inbound: Inbound, codec: g711.G711Name, number: int, left: Callable[[], None]) -> bool:
        """Take over a stream, if it is in order; `left` is called when it goes back to its objects."""
        statistics = inbound.statistics
        if statistics is None or statistics.transit is None:
            return False
        lent = inbound.jitter.lend(number, SAMPLES, WAITING - 2)
        if lent is None:
            return False
        payloads, timestamp = lent
        count = len(payloads)
        if count:
            self._codes[row, :count] = np.frombuffer(b"".join(payloads), np.uint8).reshape(count, SAMPLES)
        expected = self._expected
        expected["first"][row] = _PLAIN
        expected["second"][row] = number
        expected["ssrc"][row] = statistics.ssrc
        expected["sequence"][row] = statistics.extended_highest + 1 & 0xFFFF
        expected["timestamp"][row] = timestamp & 0xFFFFFFFF
        self._head[row] = self._taken[row] = self._received[row] = 0
        self._waiting[row] = count
        self._jitter[row] = statistics.jitter
        self._transit[row] = statistics.transit
        self._least_slack_s[row] = _NO_SLACK_S
        self._heard_s[row] = inbound.last_heard_s
        self._members[row] = _Hearer(inbound, codec, left)
        self._changed = True
        return True

    def leave(self, row: int) -> None:
        """Give a stream back to its objects."""
        self.settle(row)
        member = self._members.pop(row)
        self._surplus.pop(row, None)
        self._changed = True
        places = (self._head[row] + np.arange(self._waiting[row])) % WAITING
        payloads = [codes.tobytes() for codes in self._codes[row, places]]
        member.inbound.jitter.take_back(int(self._expected["second"][row]), payloads, SAMPLES)
        member.left()

    def settle(self, row: int) -> None:
        """Bring the objects of a stream up to date, so that its figures can be read."""
        inbound = self._members[row].inbound
        if inbound.statistics is not None:
            inbound.statistics.advance(int(self._received[row]), float(self._jitter[row]), float(self._transit[row]))
        inbound.jitter.played_elsewhere(
            int(self._taken[row]), int(self._waiting[row]), SAMPLES, float(self._least_slack_s[row])
        )
        inbound.last_heard_s = float(self._heard_s[row])
        self._received[row] = self._taken[row] = 0
        self._least_slack_s[row] = _NO_SLACK_S

    def second(self, row: int) -> None:
        """Once a second: see whether the delay has to change."""
        self.settle(row)
        jitter = self._members[row].inbound.jitter
        jitter.close_block()
        if jitter.scarce:
            self.leave(row)
        elif jitter.surplus:
            self._surplus[row] = jitter.overdue
        else:
            self._surplus.pop(row, None)

    def dry(self) -> set[int]:
        """The streams that have no packet to play in this tick."""
        if self._changed:
            self._list_rows()
        return {row for rows in self._rows.values() for row in rows[self._waiting[rows] == 0].tolist()}

    def _list_rows(self) -> None:
        self._changed = False
        rows: dict[g711.G711Name, list[int]] = {}
        for row, member in self._members.items():
            rows.setdefault(member.codec, []).append(row)
        self._rows = {codec: np.array(sorted(members), np.intp) for codec, members in rows.items()}

    # ---- every tick --------------------------------------------------------------------------------------------------

    def file(self, rows: list[int], datagrams: list[bytes], stamps: list[bytes]) -> None:
        """File one datagram of `PACKET_BYTES` a row, each from its peer's socket, with the kernel's receive stamps."""
        at = np.array(rows, np.intp)
        packets = np.frombuffer(b"".join(datagrams), _PACKET)
        arrived_s = self._clock.all_arrived_s(np.frombuffer(b"".join(stamps), _STAMP).reshape(-1, 2))
        expected = self._expected[at]
        orderly = self._waiting[at] < WAITING
        for name in ("first", "second", "sequence", "timestamp", "ssrc"):
            orderly &= packets[name] == expected[name]
        if not orderly.all():
            for index in np.flatnonzero(~orderly).tolist():
                self._file_elsewhere(rows[index], datagrams[index], float(arrived_s[index]))
            at, packets, arrived_s = at[orderly], packets[orderly], arrived_s[orderly]
        self._measure(at, packets["timestamp"], arrived_s)
        waiting = self._waiting[at]
        self._codes[at, (self._head[at] + waiting) % WAITING] = packets["payload"]
        self._waiting[at] = waiting + 1
        self._received[at] += 1
        self._expected["sequence"][at] = packets["sequence"] + np.uint16(1)
        self._expected["timestamp"][at] = packets["timestamp"] + np.uint32(SAMPLES)

    def _measure(self, at: NDArray[np.intp], timestamps: NDArray[np.uint32], arrived_s: NDArray[np.float64]) -> None:
        """Jitter as `SourceStatistics` measures it (RFC 3550 A.8), and slack as the jitter buffer does."""
        transit = arrived_s * CLOCK_RATE_HZ - timestamps
        difference = np.abs(transit - self._transit[at])
        jitter = self._jitter[at]
        self._jitter[at] = jitter + np.where(difference < CLOCK_RATE_HZ, (difference - jitter) / 16, 0.0)
        self._transit[at] = transit
        slack_s = self._waiting[at] * FRAME_S + self._clock.due_s - arrived_s
        self._least_slack_s[at] = np.minimum(self._least_slack_s[at], slack_s)
        self._heard_s[at] = arrived_s

    def _file_elsewhere(self, row: int, datagram: bytes, arrived_s: float) -> None:
        if row in self._members:
            inbound = self._members[row].inbound
            self.leave(row)
            inbound.receive_from_peer(datagram, arrived_s)

    def take(self, heard: Audio, quiet: NDArray[np.bool_]) -> None:
        """Decode every stream's due packet into its row; a stream that has none leaves the lane before its gap is heard.

        `quiet` says by row whether the last frame was near silence; there, delay can be given back.
        """
        if self._changed:
            self._list_rows()
        for codec, rows in self._rows.items():
            waiting = self._waiting[rows]
            if not waiting.all():
                for row in rows[waiting == 0].tolist():
                    self.leave(row)
                rows = rows[waiting > 0]
            if not rows.size:
                continue
            head = self._head[rows]
            heard[rows] = g711.decode(codec, self._codes[rows, head])
            self._head[rows] = (head + 1) % WAITING
            self._waiting[rows] -= 1
            self._taken[rows] += 1
        if self._surplus:
            self._shorten(heard, quiet)

    def _shorten(self, heard: Audio, quiet: NDArray[np.bool_]) -> None:
        """Play two frames in the time of one where there is too much delay: the first fades into the second."""
        due = [row for row, overdue in self._surplus.items() if self._waiting[row] and (overdue or quiet[row])]
        for row in due[:_SHORTENED_A_TICK]:
            del self._surplus[row]
            second = g711.decode(self._members[row].codec, self._codes[row, self._head[row]])
            heard[row] = heard[row] * _FADE_OUT + second * (1 - _FADE_OUT)
            self._head[row] = (self._head[row] + 1) % WAITING
            self._waiting[row] -= 1
            self._taken[row] += 1
            self.settle(row)
            self._members[row].inbound.jitter.shortened()


class SpeakLane:
    """Outbound streams of 20 ms packets. Rows are those of the 8 kHz bank; each has its datagram made in place."""

    def __init__(self, rows: int) -> None:
        self._members: dict[int, tuple[Outbound, Send, Protect | None]] = {}
        self._at = np.zeros(0, np.intp)
        self._packets = np.zeros(rows, _PACKET)
        self._second = np.zeros(rows, np.uint8)
        self._sequence = np.zeros(rows, np.uint16)
        self._timestamp = np.zeros(rows, np.uint32)
        self._sent = np.zeros(rows, np.intp)
        self._entered: list[int] = []
        self._changed = False
        self._playing: list[int] = []
        self._played: list[int] = []
        self._plain: Mail = []
        self._encrypted: list[tuple[Send, memoryview, Protect]] = []
        self.mail: Mail = []
        """What the last tick made, and how to send it."""

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        for name in ("_packets", "_second", "_sequence", "_timestamp", "_sent"):
            setattr(self, name, _taller(getattr(self, name), rows))
        self._changed = True

    def __contains__(self, row: int) -> bool:
        return row in self._members

    @staticmethod
    def fits(outbound: Outbound) -> bool:
        """Whether a stream can run here."""
        return outbound.express

    def enter(self, row: int, outbound: Outbound, send: Send, protect: Protect | None) -> None:
        """Take over a stream that sends G.711 in packets of 20 ms; `protect` encrypts them."""
        self._sequence[row] = outbound.sequence
        self._timestamp[row] = outbound.timestamp
        self._second[row] = outbound.second_byte
        self._sent[row] = 0
        self._members[row] = outbound, send, protect
        self._entered.append(row)

    def leave(self, row: int) -> None:
        """Give a stream back to its object. A datagram that was made and not sent yet still goes out."""
        self.settle(row)
        outbound, _, _ = self._members.pop(row)
        outbound.second_byte = int(self._second[row])
        self._changed = True

    def settle(self, row: int) -> None:
        """Bring the object of a stream up to date, so that its figures can be read."""
        outbound, _, _ = self._members[row]
        sent = int(self._sent[row])
        outbound.sequence, outbound.timestamp = int(self._sequence[row]), int(self._timestamp[row])
        outbound.packets += sent
        outbound.octets += sent * SAMPLES
        self._sent[row] = 0

    def next_packets(self) -> dict[int, tuple[int, int]]:
        """The sequence number and timestamp that each stream's next packet has, by row."""
        at = np.array(list(self._members), np.intp)
        numbers = zip(self._sequence[at].tolist(), self._timestamp[at].tolist(), strict=True)
        return dict(zip(at.tolist(), numbers, strict=True))

    def _list_members(self) -> None:
        # The datagrams are touched here only, when those of the last tick have been sent: a row may change hands in between.
        for row in self._entered:
            if row in self._members:
                outbound, _, _ = self._members[row]
                packet = self._packets[row : row + 1]
                packet["first"] = _PLAIN
                packet["ssrc"] = outbound.ssrc
                packet["payload"] = np.frombuffer(outbound.silence, np.uint8)
        self._entered.clear()
        self._changed = False
        self._at = np.array(list(self._members), np.intp)
        self._plain, self._encrypted = [], []
        for row, (_, send, protect) in self._members.items():
            datagram = self._packets[row : row + 1].view(np.uint8).data
            if protect is None:
                self._plain.append((send, datagram))
            else:
                self._encrypted.append((send, datagram, protect))

    def skip(self, frames: int) -> None:
        """Let the timestamps pass over ticks in which nothing was sent; the next packets get the marker."""
        members = np.array(list(self._members), np.intp)
        self._timestamp[members] += np.uint32(frames * SAMPLES & 0xFFFFFFFF)
        self._second[members] |= _MARKER

    def play(self, rows: list[int], codes: NDArray[np.uint8]) -> None:
        """Put audio into the next datagrams of some streams: shape (rows, 160)."""
        if self._changed or self._entered:
            self._list_members()
        self._packets["payload"][rows] = codes
        self._playing += rows

    def speak(self) -> None:
        """Make the datagrams of a tick, with silence for those that `play` was not called for."""
        if self._changed or self._entered:
            self._list_members()
        at = self._at
        for row in set(self._played) - set(self._playing):
            if row in self._members:
                self._packets["payload"][row] = np.frombuffer(self._members[row][0].silence, np.uint8)
        self._played, self._playing = self._playing, []
        self._packets["second"][at] = self._second[at]
        self._second[at] &= ~_MARKER & 0xFF  # a marker belongs to one packet only
        self._packets["sequence"][at] = self._sequence[at]
        self._packets["timestamp"][at] = self._timestamp[at]
        self._sequence[at] += np.uint16(1)
        self._timestamp[at] += np.uint32(SAMPLES)
        self._sent[at] += 1
        self.mail = self._plain
        if self._encrypted:
            protected = [(send, protect(datagram.tobytes())) for send, datagram, protect in self._encrypted]
            self.mail = [*self._plain, *((send, datagram) for send, datagram in protected if datagram is not None)]


def _taller(array: NDArray[Any], rows: int) -> NDArray[Any]:
    """The same array with more rows, zero."""
    grown = np.zeros((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown
