"""What a leg plays: queued audio, handed out a frame at a time, that can be paused, resumed and stopped."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voip_engine.media.rate import convert

Pcm = NDArray[np.int16]
"""Samples as they cross the pipe, shape (samples,)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A playout that is over. `heard_samples` went out, counted at `rate_hz`, the rate it was given in."""

    playout_id: int
    heard_samples: int
    complete: bool
    rate_hz: int


@dataclass(slots=True)
class _Playout:
    playout_id: int
    rate_hz: int
    chunks: deque[Pcm] = field(default_factory=deque)
    offset: int = 0
    """Into the first chunk."""
    heard: int = 0
    final: bool = False
    paused: bool = False
    stopping: bool = False
    fade_in: bool = False
    sounding: bool = False


class PlayoutQueue:
    """The playouts of one leg, one after the other. Frames have the leg's audio rate, whatever rate was given."""

    __slots__ = ("_ended", "_frame_samples", "_queue", "_rate_hz", "active")

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._frame_samples = rate_hz // 50
        self._queue: deque[_Playout] = deque()
        self._ended: list[Ended] = []
        self.active = False
        """Whether `next_frame` may have something to give or to report."""

    @property
    def audible(self) -> bool:
        """Whether something is going out, neither paused nor run dry."""
        return bool(self._queue) and self._queue[0].sounding

    def set_rate(self, rate_hz: int) -> None:
        """Go on at another audio rate, after the codec changed. What was queued is converted as it is played."""
        self._rate_hz = rate_hz
        self._frame_samples = rate_hz // 50

    def play(self, playout_id: int, pcm: bytes, rate_hz: int, final: bool) -> None:
        """Queue audio, or append to the playout of that name. An odd byte at the end is dropped."""
        playout = self._find(playout_id)
        if playout is None:
            playout = _Playout(playout_id, rate_hz)
            self._queue.append(playout)
        if len(pcm) >= 2 and not playout.stopping:
            playout.chunks.append(np.frombuffer(pcm, "<i2", len(pcm) // 2))
        playout.final = final
        self.active = True

    def pause(self, playout_id: int) -> None:
        """Hold a playout at the sample it has reached."""
        playout = self._find(playout_id)
        if playout is not None:
            playout.paused = True

    def resume(self, playout_id: int) -> None:
        """Go on at that sample."""
        playout = self._find(playout_id)
        if playout is not None and playout.paused:
            playout.paused = False
            playout.fade_in = not playout.sounding

    def stop(self, playout_id: int) -> None:
        """Fade out within one frame and drop the rest; one that waits its turn is dropped at once."""
        playout = self._find(playout_id)
        if playout is None:
            return
        if playout.sounding:
            playout.stopping = True
        else:
            self._queue.remove(playout)
            self._end(playout, complete=False)

    def stop_all(self) -> None:
        """Drop everything at once, because the leg is closing."""
        while self._queue:
            self._end(self._queue.popleft(), complete=False)

    def ended(self) -> list[Ended]:
        """Give the playouts that ended since the last call."""
        ended, self._ended = self._ended, []
        self.active = bool(self._queue)
        return ended

    def next_frame(self) -> Pcm | None:
        """Give 20 ms, or None when nothing plays. A frame may join the end of one playout and the start of the next."""
        frame: Pcm | None = None
        filled = 0
        while self._queue and filled < self._frame_samples:
            playout = self._queue[0]
            if playout.paused and not playout.sounding:
                break
            piece = self._cut(playout, self._frame_samples - filled)
            if piece.size:
                if filled == 0 and piece.size == self._frame_samples:
                    frame, filled = piece, piece.size
                else:
                    if frame is None:
                        frame = np.zeros(self._frame_samples, np.int16)
                    frame[filled : filled + piece.size] = piece
                    filled += piece.size
            if playout.stopping:
                self._queue.popleft()
                self._end(playout, complete=False)
                break
            if playout.paused:
                playout.sounding = False
                break
            if playout.chunks:
                continue
            if not playout.final:
                playout.sounding = False  # dry until more comes
                break
            self._queue.popleft()
            self._end(playout, complete=True)
        return frame

    def _cut(self, playout: _Playout, samples: int) -> Pcm:
        """Take up to `samples` at the leg's rate from the head of a playout, faded as its state asks."""
        wanted = samples * playout.rate_hz // self._rate_hz
        start, chunk_count = playout.offset, len(playout.chunks)
        pieces: list[Pcm] = []
        for chunk in playout.chunks:
            pieces.append(chunk[start : start + wanted])
            wanted -= pieces[-1].size
            start = 0
            if wanted == 0:
                break
        piece = pieces[0] if len(pieces) == 1 else np.concatenate([*pieces, np.empty(0, np.int16)])
        playout.sounding = piece.size > 0
        if not playout.paused:
            self._consume(playout, piece.size, chunk_count)
        if playout.rate_hz != self._rate_hz and piece.size:
            piece = convert(piece.astype(np.float32), playout.rate_hz, self._rate_hz).astype(np.int16)[:samples]
        if playout.paused or playout.stopping:
            return (piece * np.linspace(1, 0, piece.size, dtype=np.float32)).astype(np.int16)
        if playout.fade_in:
            playout.fade_in = False
            return (piece * np.linspace(0, 1, piece.size, dtype=np.float32)).astype(np.int16)
        return piece

    @staticmethod
    def _consume(playout: _Playout, samples: int, chunk_count: int) -> None:
        playout.heard += samples
        playout.offset += samples
        for _ in range(chunk_count):
            if playout.offset < playout.chunks[0].size:
                break
            playout.offset -= playout.chunks.popleft().size

    def _find(self, playout_id: int) -> _Playout | None:
        return next((playout for playout in self._queue if playout.playout_id == playout_id), None)

    def _end(self, playout: _Playout, *, complete: bool) -> None:
        self._ended.append(Ended(playout.playout_id, playout.heard, complete, playout.rate_hz))
        self.active = True
