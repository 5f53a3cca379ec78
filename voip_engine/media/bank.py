"""All legs of one audio rate as rows of matrices: what each tick does for them, it does for all at once.

::

    jitter buffers ─► heard (rows, samples) ─► levels ─► voice activity ─► utterances
    playouts ───────► ours  (rows, samples) ─► levels ─► encoder ─────────► datagrams for the next tick

A row stays a leg's own while the leg is in the bank.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio
from voip_engine.codecs import g711
from voip_engine.media.inbound import Inbound
from voip_engine.media.lane import HearLane, SpeakLane
from voip_engine.media.outbound import Outbound
from voip_engine.media.playout import PlayoutQueue
from voip_engine.media.playout_reports import PlayoutReports
from voip_engine.media.protocol import AnyReport, Listen
from voip_engine.media.sockets import ArrivalClock
from voip_engine.media.source import FrameSource
from voip_engine.media.speech_watch import SpeechWatch
from voip_engine.media.windows import Judge

Send = Callable[[bytes | memoryview], object]
Outbox = list[tuple[Send, bytes | memoryview]]

_FIRST_ROWS: Final = 16
_RING: Final = 4
_SEARCHES_A_TICK: Final = 50
"""Concealing well takes a search for the pitch. When a network stalls, all calls need it at once: too much for a tick."""
_QUIET_MEAN_SQUARE: Final = 1e-5
"""−50 dBFS: a frame more or less is not noticed there."""
_FROM_INT16: Final = np.float32(1 / 32768)


@dataclass(slots=True)
class Seat:
    """One leg in a bank: where its audio comes from and where it goes to."""

    leg_id: int
    outbound: Outbound
    playout: PlayoutQueue
    send: Send
    opened_frame: int
    source: FrameSource | None = None
    row: int = -1
    listen: Listen | None = None
    protect: Callable[[bytes], bytes | None] | None = None
    """Encrypts a datagram; None for plain RTP."""


@dataclass(frozen=True, slots=True)
class BankFigures:
    """One bank's meters, by row: levels in dBFS (-100 is silence), who speaks, next sequence number and timestamp."""

    levels_in: list[float]
    levels_out: list[float]
    speaking: list[bool]
    next_packets: dict[int, tuple[int, int]]
    """Of the rows in the speak lane only."""


class Bank:
    """The legs of one audio rate. At 8 kHz most of them run in the express lanes."""

    def __init__(
        self, rate_hz: int, report: Callable[[AnyReport], None], clock: ArrivalClock, judge: Judge | None
    ) -> None:
        self.rate_hz = rate_hz
        self.samples = rate_hz // 50
        self.seats: dict[int, Seat] = {}
        self.playouts = PlayoutReports(report)
        self.speech = SpeechWatch(rate_hz, _FIRST_ROWS, report, judge)
        self._rows = _FIRST_ROWS
        self._free = list(range(_FIRST_ROWS))
        self._ring = [np.zeros((_FIRST_ROWS, self.samples), np.float32) for _ in range(_RING)]
        self.heard = self._ring[0]
        """What came in, this tick: float32, shape (rows, samples)."""
        self.ours = np.zeros((_FIRST_ROWS, self.samples), np.float32)
        """What goes out, this tick."""
        self._loud_rows: list[int] = []
        self._mean_square = np.zeros(_FIRST_ROWS, np.float32)
        self._sum_in = np.zeros(_FIRST_ROWS, np.float32)
        self._sum_out = np.zeros(_FIRST_ROWS, np.float32)
        self._summed = 0
        self._searches_left = 0
        self._players: dict[int, Seat] = {}
        self._slow_hearers: dict[int, Seat] = {}
        self._slow_speakers: dict[int, Seat] = {}
        self.hear_lane = HearLane(clock, _FIRST_ROWS)
        self.speak_lane = SpeakLane(_FIRST_ROWS)

    # ---- who is here -------------------------------------------------------------------------------------------------

    def seat(self, seat: Seat) -> None:
        """Give a leg a row."""
        if not self._free:
            self._grow()
        row = heapq.heappop(self._free)
        seat.row = row
        self.seats[seat.leg_id] = seat
        self._slow_hearers[seat.leg_id] = self._slow_speakers[seat.leg_id] = seat
        if seat.listen is not None:
            self.listen(seat, seat.listen)
        if seat.playout.active:
            self.play(seat)

    def unseat(self, seat: Seat) -> None:
        """Free a leg's row; speech that is going on ends here."""
        row = seat.row
        self.leave_lanes(seat)
        self._players.pop(seat.leg_id, None)
        self.playouts.forget(seat.leg_id)
        self.speech.leave(row)
        for matrix in (*self._ring, self.ours):
            matrix[row] = 0
        for vector in (self._mean_square, self._sum_in, self._sum_out):
            vector[row] = 0
        self._loud_rows = [loud for loud in self._loud_rows if loud != row]
        del self.seats[seat.leg_id]
        del self._slow_hearers[seat.leg_id], self._slow_speakers[seat.leg_id]
        heapq.heappush(self._free, row)
        seat.row = -1

    def _grow(self) -> None:
        rows = 2 * self._rows
        self._ring = [_taller(matrix, rows) for matrix in self._ring]
        self.heard = self._ring[0]
        self.ours = _taller(self.ours, rows)
        self._mean_square = _taller(self._mean_square, rows)
        self._sum_in = _taller(self._sum_in, rows)
        self._sum_out = _taller(self._sum_out, rows)
        self.speech.grow(rows)
        self.hear_lane.grow(rows)
        self.speak_lane.grow(rows)
        self._free.extend(range(self._rows, rows))
        self._rows = rows

    def enter_hear_lane(
        self, seat: Seat, inbound: Inbound, codec: g711.G711Name, number: int, left: Callable[[], None]
    ) -> bool:
        """Let a leg's inbound stream run in the express lane, if it is in order; `left` is called when it no longer does."""

        def leaves() -> None:
            self._slow_hearers[seat.leg_id] = seat
            left()

        if not self.hear_lane.enter(seat.row, inbound, codec, number, leaves):
            return False
        del self._slow_hearers[seat.leg_id]
        return True

    def enter_speak_lane(self, seat: Seat) -> None:
        """Let a leg's outbound stream run in the express lane."""
        if self.speak_lane.fits(seat.outbound) and seat.leg_id in self._slow_speakers:
            self.speak_lane.enter(seat.row, seat.outbound, seat.send, seat.protect)
            del self._slow_speakers[seat.leg_id]

    def slow_legs(self) -> set[int]:
        """The legs that have a stream outside the express lanes."""
        return self._slow_hearers.keys() | self._slow_speakers.keys()

    def leave_lanes(self, seat: Seat) -> None:
        """Take a leg out of the express lanes, because it is about to change."""
        if seat.row in self.hear_lane:
            self.hear_lane.leave(seat.row)
        if seat.row in self.speak_lane:
            self.speak_lane.leave(seat.row)
            self._slow_speakers[seat.leg_id] = seat

    def settle(self, seat: Seat) -> None:
        """Bring the objects of a leg in the express lanes up to date."""
        if seat.row in self.hear_lane:
            self.hear_lane.settle(seat.row)
        if seat.row in self.speak_lane:
            self.speak_lane.settle(seat.row)

    def skip(self, frames: int) -> None:
        """Pass over ticks that were missed: outbound timestamps stay true to time."""
        self.speak_lane.skip(frames)
        for seat in self._slow_speakers.values():
            seat.outbound.skip(frames)

    def play(self, seat: Seat) -> None:
        """Take notice that a leg has something to play."""
        self._players[seat.leg_id] = seat
        if seat.playout.reports_progress:
            self.playouts.follow(seat.leg_id, seat.outbound, seat.playout)

    def listen(self, seat: Seat, command: Listen) -> None:
        """Watch a leg for speech, go on with other settings, or stop to."""
        seat.listen = command
        self.speech.listen(seat.row, seat.leg_id, seat.opened_frame, command.settings, command.utterances)

    def history(self, seat: Seat) -> Audio:
        """What a leg heard last, before this tick: some 60 ms."""
        return np.concatenate([matrix[seat.row] for matrix in self._ring[1:][::-1]])

    def may_search(self) -> bool:
        """Whether there is time left in this tick to conceal one more gap well."""
        self._searches_left -= 1
        return self._searches_left >= 0

    def is_quiet(self, seat: Seat) -> bool:
        """Whether a leg's last frame was near silence."""
        return bool(self._mean_square[seat.row] < _QUIET_MEAN_SQUARE)

    # ---- one tick ----------------------------------------------------------------------------------------------------

    def hear(self, frame_number: int) -> None:
        """Take every leg's due frame, decode, measure, and watch for speech."""
        self._ring.insert(0, self._ring.pop())
        heard = self.heard = self._ring[0]
        heard.fill(0)
        self.hear_lane.take(heard, self._mean_square < _QUIET_MEAN_SQUARE)
        self._searches_left = _SEARCHES_A_TICK
        for seat in self._slow_hearers.values():
            frame = seat.source.frame() if seat.source is not None else None
            if frame is not None:
                heard[seat.row] = frame
        mean_square = self._mean_square = np.einsum("ij,ij->i", heard, heard) / self.samples
        self._sum_in += mean_square
        self._summed += 1
        self.speech.hear(heard, mean_square, frame_number)

    def speak(self, outbox: Outbox) -> None:
        """Take every leg's next frame to play and encode it; the datagrams go into the outbox and the speak lane's mail."""
        if self._loud_rows:
            self.ours[self._loud_rows] = 0
        playing = self._next_frames()
        self._loud_rows = [seat.row for seat, _ in playing]
        coded: dict[int, bytes] = {}
        if playing:
            pcm = np.frombuffer(b"".join([pcm for _, pcm in playing]), "<i2").reshape(len(playing), self.samples)
            audio = pcm * _FROM_INT16
            self.ours[self._loud_rows] = audio
            self._sum_out[self._loud_rows] += np.einsum("ij,ij->i", audio, audio) / self.samples
            coded = self._encode([seat for seat, _ in playing], audio)
        self.speak_lane.speak()
        for seat in self._slow_speakers.values():
            datagram = self._datagram(seat, coded)
            if datagram is not None and seat.protect is not None:
                datagram = seat.protect(datagram)
            if datagram is not None:
                outbox.append((seat.send, datagram))

    def _next_frames(self) -> list[tuple[Seat, bytes]]:
        playing = []
        for seat in list(self._players.values()):
            outbound, playout = seat.outbound, seat.playout
            if not outbound.sending or outbound.keying:
                continue  # what is played waits
            if playout.run:
                playing.append((seat, playout.run.popleft()))
                continue
            pcm = playout.next_frame()
            if pcm is not None:
                playing.append((seat, pcm))
            if not playout.active:
                del self._players[seat.leg_id]
        return playing

    def _encode(self, seats: list[Seat], audio: Audio) -> dict[int, bytes]:
        """Encode G.711 for all who play: into the speak lane, and by row for those that are not in it."""
        slow: dict[int, bytes] = {}
        by_codec: dict[g711.G711Name, list[int]] = {}
        for index, seat in enumerate(seats):
            codec = seat.outbound.codec
            if codec == "PCMU" or codec == "PCMA":
                by_codec.setdefault(codec, []).append(index)
        for codec, indices in by_codec.items():
            codes = g711.encode(codec, audio[indices])
            rows = [seats[index].row for index in indices]
            in_lane = [row in self.speak_lane for row in rows]
            if all(in_lane):
                self.speak_lane.play(rows, codes)
                continue
            for row, inside, payload in zip(rows, in_lane, codes, strict=True):
                if inside:
                    self.speak_lane.play([row], payload)
                else:
                    slow[row] = payload.tobytes()
        return slow

    def _datagram(self, seat: Seat, coded: dict[int, bytes]) -> bytes | None:
        """One tick of a leg that is not in the speak lane."""
        outbound = seat.outbound
        if not outbound.sending:
            outbound.skip(1)
            return None
        if outbound.keying:
            return outbound.key_frame()
        if outbound.batched:
            return outbound.coded_frame(coded.get(seat.row))
        return outbound.audio_frame(self.ours[seat.row])

    def figures(self) -> BankFigures:
        """What the meters show: levels since the last call, and who speaks now."""
        count = max(1, self._summed)
        levels_in, levels_out = (
            np.maximum(10 * np.log10(total / count + 1e-12), -100.0).round(1).tolist()
            for total in (self._sum_in, self._sum_out)
        )
        self._sum_in.fill(0)
        self._sum_out.fill(0)
        self._summed = 0
        return BankFigures(levels_in, levels_out, self.speech.all_speaking, self.speak_lane.next_packets())


def _taller(array: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """The same array with more rows, zero."""
    grown = np.zeros((rows, *array.shape[1:]), np.float32)
    grown[: len(array)] = array
    return grown
