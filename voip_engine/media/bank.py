"""All legs of one audio rate as rows of matrices: what each tick does for them, it does for all at once.

::

    jitter buffers ─► heard (rows, samples) ─► levels ─► voice activity ─► utterances
    playouts ───────► ours  (rows, samples) ─► levels ─► encoder ─────────► datagrams for the next tick

A row stays a leg's own while the leg is in the bank.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio
from voip_engine.codecs import g711
from voip_engine.media.outbound import Outbound
from voip_engine.media.playout import PlayoutQueue
from voip_engine.media.protocol import (
    AnyReport,
    SpeechStarted,
    SpeechStopped,
    UtteranceHeard,
    VoiceActivitySettings,
)
from voip_engine.media.source import FrameSource
from voip_engine.media.vad import FRAME_S, LONGEST_LEADING_S, Capture, VoiceActivity, frames

Send = Callable[[bytes], object]
Outbox = list[tuple[Send, bytes]]

_FIRST_ROWS: Final = 16
_RING: Final = 4
_QUIET_MEAN_SQUARE: Final = 1e-5
"""−50 dBFS: a frame more or less is not noticed there."""
_INT16_SCALE: Final = np.float32(32767)
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
    seated_frame: int = 0
    coded_type: int = -1
    """The G.711 payload type that `inbox` takes, or -1."""
    inbox: tuple[list[int], list[bytes]] = field(default_factory=lambda: ([], []))
    listen: VoiceActivitySettings | None = None
    wants_utterances: bool = False
    capture: Capture | None = None


class Bank:
    """The legs of one audio rate."""

    def __init__(self, rate_hz: int, report: Callable[[AnyReport], None]) -> None:
        self.rate_hz = rate_hz
        self.samples = rate_hz // 50
        self.seats: dict[int, Seat] = {}
        self._report = report
        self._rows = _FIRST_ROWS
        self._free = list(range(_FIRST_ROWS))
        self._by_row: dict[int, Seat] = {}
        self._ring = [np.zeros((_FIRST_ROWS, self.samples), np.float32) for _ in range(_RING)]
        self.heard = self._ring[0]
        """What came in, this tick: float32, shape (rows, samples)."""
        self.ours = np.zeros((_FIRST_ROWS, self.samples), np.float32)
        """What goes out, this tick."""
        self._loud_rows: list[int] = []
        self._activity = VoiceActivity(_FIRST_ROWS)
        self._mean_square = np.zeros(_FIRST_ROWS, np.float32)
        self._sum_in = np.zeros(_FIRST_ROWS, np.float32)
        self._sum_out = np.zeros(_FIRST_ROWS, np.float32)
        self._summed = 0
        self._pcm_history: deque[bytes] = deque(maxlen=frames(LONGEST_LEADING_S) + 25)
        self._capturing: dict[int, Seat] = {}
        self._recorded: set[int] = set()
        self._inboxes: dict[g711.G711Name, tuple[list[int], list[bytes]]] = {"PCMU": ([], []), "PCMA": ([], [])}

    # ---- who is here -------------------------------------------------------------------------------------------------

    def seat(self, seat: Seat, frame_number: int) -> None:
        """Give a leg a row."""
        if not self._free:
            self._grow()
        row = heapq.heappop(self._free)
        seat.row = row
        seat.seated_frame = frame_number
        self.seats[seat.leg_id] = self._by_row[row] = seat
        self.listen(seat, seat.listen, seat.wants_utterances)

    def unseat(self, seat: Seat, frame_number: int) -> None:
        """Free a leg's row; speech that is going on ends here."""
        row = seat.row
        if self._activity.speaking(row):
            self._end_speech(seat, frame_number, 0)
        self._activity.set(row, None)
        self._recorded.discard(row)
        for matrix in (*self._ring, self.ours):
            matrix[row] = 0
        for vector in (self._mean_square, self._sum_in, self._sum_out):
            vector[row] = 0
        self._loud_rows = [loud for loud in self._loud_rows if loud != row]
        del self.seats[seat.leg_id], self._by_row[row]
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
        self._activity.grow(rows)
        self._free.extend(range(self._rows, rows))
        self._rows = rows

    def take_coded(self, seat: Seat, codec: g711.G711Name | None, payload_type: int) -> None:
        """Let the packets of one G.711 payload type be decoded together with all others'; None for no such type."""
        if codec is not None:
            seat.inbox = self._inboxes[codec]
        seat.coded_type = -1 if codec is None else payload_type

    def listen(self, seat: Seat, settings: VoiceActivitySettings | None, utterances: bool) -> None:
        """Watch a leg for speech, or stop to; an utterance that is going on is dropped."""
        seat.listen = settings
        seat.wants_utterances = utterances
        seat.capture = None
        self._capturing.pop(seat.leg_id, None)
        self._activity.set(seat.row, settings)
        if settings is not None and utterances:
            self._recorded.add(seat.row)
        else:
            self._recorded.discard(seat.row)

    def speaking(self, seat: Seat) -> bool:
        """Whether a leg's caller speaks."""
        return self._activity.speaking(seat.row)

    def history(self, seat: Seat) -> Audio:
        """What a leg heard last, before this tick: some 60 ms."""
        return np.concatenate([matrix[seat.row] for matrix in self._ring[1:][::-1]])

    def is_quiet(self, seat: Seat) -> bool:
        """Whether a leg's last frame was near silence."""
        return bool(self._mean_square[seat.row] < _QUIET_MEAN_SQUARE)

    # ---- one tick ----------------------------------------------------------------------------------------------------

    def hear(self, frame_number: int) -> None:
        """Take every leg's due frame, decode, measure, and watch for speech."""
        self._ring.insert(0, self._ring.pop())
        heard = self.heard = self._ring[0]
        heard.fill(0)
        for seat in self.seats.values():
            source = seat.source
            if source is None:
                continue
            jitter = source.jitter
            if source.plain and not jitter.surplus and not jitter.scarce:
                due = jitter.take()
                if due is not None and due[0] == seat.coded_type and due[2] == self.samples:
                    rows, payloads = seat.inbox
                    rows.append(seat.row)
                    payloads.append(due[1])
                    continue
                frame = source.frame_from(due)
            else:
                frame = source.frame()
            if frame is not None:
                heard[seat.row] = frame
        for codec, (rows, payloads) in self._inboxes.items():
            if rows:
                codes = np.frombuffer(b"".join(payloads), np.uint8).reshape(len(rows), self.samples)
                heard[rows] = g711.decode(codec, codes)
                rows.clear()
                payloads.clear()
        mean_square = self._mean_square = np.einsum("ij,ij->i", heard, heard) / self.samples
        self._sum_in += mean_square
        self._summed += 1
        self._watch(heard, mean_square, frame_number)

    def _watch(self, heard: Audio, mean_square: NDArray[np.float32], frame_number: int) -> None:
        begun, ended = self._activity.step(mean_square)
        if self._recorded:
            pcm = (np.clip(heard, -1, 1) * _INT16_SCALE).astype("<i2").tobytes()
            self._pcm_history.append(pcm)
            size = 2 * self.samples
            for seat in self._capturing.values():
                capture = seat.capture
                if capture is not None and capture.append(pcm[seat.row * size : (seat.row + 1) * size]):
                    self._report_utterance(seat, *capture.split())
        for row in begun:
            self._begin_speech(self._by_row[row], frame_number)
        for row in ended:
            seat = self._by_row[row]
            if seat.listen is not None:
                self._end_speech(seat, frame_number, frames(seat.listen.silence_s))

    def _begin_speech(self, seat: Seat, frame_number: int) -> None:
        settings = seat.listen
        if settings is None:
            return
        onset = frames(settings.minimum_speech_s)
        started = frame_number + 1 - onset
        self._report(SpeechStarted(seat.leg_id, (started - seat.opened_frame) * FRAME_S))
        if not seat.wants_utterances:
            return
        size = 2 * self.samples
        wanted = onset + round(min(settings.leading_s, LONGEST_LEADING_S) / FRAME_S)
        wanted = min(wanted, frame_number + 1 - seat.seated_frame, len(self._pcm_history))
        recent = list(self._pcm_history)[-wanted:] if wanted > 0 else []
        leading = [pcm[seat.row * size : (seat.row + 1) * size] for pcm in recent]
        leading = [pcm for pcm in leading if len(pcm) == size]  # rows that the bank didn't have yet
        seat.capture = Capture(leading, frame_number + 1 - len(leading), settings.longest_utterance_s)
        self._capturing[seat.leg_id] = seat

    def _end_speech(self, seat: Seat, frame_number: int, silence_frames: int) -> None:
        stopped = frame_number + 1 - silence_frames
        self._report(SpeechStopped(seat.leg_id, (stopped - seat.opened_frame) * FRAME_S))
        capture, seat.capture = seat.capture, None
        if capture is not None:
            del self._capturing[seat.leg_id]
            self._report_utterance(seat, capture.started_frame, capture.end(silence_frames))

    def _report_utterance(self, seat: Seat, started_frame: int, pcm: bytes) -> None:
        if pcm:
            started_s = (started_frame - seat.opened_frame) * FRAME_S
            self._report(UtteranceHeard(seat.leg_id, started_s, pcm, self.rate_hz))

    def speak(self, outbox: Outbox) -> None:
        """Take every leg's next frame to play, encode, and put the datagrams into the outbox for the next tick."""
        if self._loud_rows:
            self.ours[self._loud_rows] = 0
        playing: list[tuple[Seat, bytes]] = []
        for seat in self.seats.values():
            outbound = seat.outbound
            if not outbound.sending:
                outbound.skip(1)
                continue
            if outbound.keying:
                datagram = outbound.key_frame()
            else:
                pcm = seat.playout.next_frame() if seat.playout.active else None
                if pcm is not None:
                    playing.append((seat, pcm))
                    continue
                datagram = outbound.coded_frame(None) if outbound.batched else outbound.audio_frame(None)
            if datagram is not None:
                outbox.append((seat.send, datagram))
        self._loud_rows = [seat.row for seat, _ in playing]
        if playing:
            self._encode(playing, outbox)

    def _encode(self, playing: list[tuple[Seat, bytes]], outbox: Outbox) -> None:
        samples, rows = self.samples, self._loud_rows
        pcm = np.frombuffer(b"".join([pcm for _, pcm in playing]), "<i2").reshape(len(playing), samples)
        audio = pcm * _FROM_INT16
        self.ours[rows] = audio
        self._sum_out[rows] += np.einsum("ij,ij->i", audio, audio) / samples
        coded: dict[g711.G711Name, bytes] = {}
        for index, (seat, _) in enumerate(playing):
            outbound = seat.outbound
            codec = outbound.codec
            if codec == "PCMU" or codec == "PCMA":
                payloads = coded.get(codec)
                if payloads is None:  # all rows in one call; a call that mixes both laws encodes some rows in vain
                    payloads = coded[codec] = g711.encode(codec, audio).tobytes()
                datagram = outbound.coded_frame(payloads[index * samples : (index + 1) * samples])
            else:
                datagram = outbound.audio_frame(audio[index])
            if datagram is not None:
                outbox.append((seat.send, datagram))

    def levels_dbfs(self) -> tuple[list[float], list[float]]:
        """The levels of every row, in and out, since the last call; -100 is silence."""
        count = max(1, self._summed)
        levels = [
            np.maximum(10 * np.log10(total / count + 1e-12), -100.0).round(1).tolist()
            for total in (self._sum_in, self._sum_out)
        ]
        self._sum_in.fill(0)
        self._sum_out.fill(0)
        self._summed = 0
        return levels[0], levels[1]


def _taller(array: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """The same array with more rows, zero."""
    grown = np.zeros((rows, *array.shape[1:]), np.float32)
    grown[: len(array)] = array
    return grown
