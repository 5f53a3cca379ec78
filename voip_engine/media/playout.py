"""What a leg plays: queued audio, handed out a frame at a time, that can be paused, resumed and stopped."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from voip_engine.media.rate import convert

BYTES_A_SAMPLE: Final = 2


@dataclass(frozen=True, slots=True)
class Ended:
    """A playout that is over. `heard_samples` went out, counted at `rate_hz`, the rate it was given in."""

    playout_id: int
    heard_samples: int
    complete: bool
    rate_hz: int
    progress: bool = False
    """Whether its progress was wanted."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the playout at the head of a queue is. `paused`: it has stopped there."""

    playout_id: int
    heard_samples: int
    rate_hz: int
    paused: bool


@dataclass(slots=True)
class _Playout:
    playout_id: int
    rate_hz: int
    progress: bool = False
    chunks: deque[bytes] = field(default_factory=deque)
    """int16 audio as it came through the pipe."""
    offset: int = 0
    """In bytes, into the first chunk."""
    heard: int = 0
    """In samples."""
    final: bool = False
    paused: bool = False
    stopping: bool = False
    fade_in: bool = False
    sounding: bool = False
    """Whether its last frame was heard, so that breaking off needs a fade."""


class PlayoutQueue:
    """The playouts of one leg, one after the other. Frames are int16 at the leg's audio rate, whatever rate was given."""

    __slots__ = ("_ended", "_frame_bytes", "_queue", "_ran", "_rate_hz", "run")

    def __init__(self, rate_hz: int, ended: Callable[[Ended], None]) -> None:
        """`ended` is told of every playout that is over."""
        self._rate_hz = rate_hz
        self._frame_bytes = rate_hz // 50 * BYTES_A_SAMPLE
        self._queue: deque[_Playout] = deque()
        self._ended = ended
        self.run: deque[bytes] = deque()
        """The next frames, if they are known; whoever is in a hurry takes them from here instead of from `next_frame`."""
        self._ran = 0

    @property
    def active(self) -> bool:
        """Whether `next_frame` may have something to give."""
        return bool(self._queue)

    @property
    def audible(self) -> bool:
        """Whether something is going out, neither paused nor run dry."""
        return bool(self._queue) and self._queue[0].sounding

    @property
    def reports_progress(self) -> bool:
        """Whether one of the playouts wants its progress told."""
        return any(playout.progress for playout in self._queue)

    @property
    def position(self) -> Position | None:
        """Where the first playout is, if it wants its progress told."""
        if not self._queue or not self._queue[0].progress:
            return None
        playout = self._queue[0]
        ahead = (self._ran - len(self.run)) * self._frame_bytes // BYTES_A_SAMPLE
        return Position(
            playout.playout_id, playout.heard + ahead, playout.rate_hz, playout.paused and not playout.sounding
        )

    def set_rate(self, rate_hz: int) -> None:
        """Go on at another audio rate, after the codec changed. What was queued is converted as it is played."""
        self._settle()
        self._rate_hz = rate_hz
        self._frame_bytes = rate_hz // 50 * BYTES_A_SAMPLE

    def play(self, playout_id: int, pcm: bytes, rate_hz: int, final: bool, *, progress: bool = False) -> None:
        """Queue audio, or append to the playout of that name. An odd byte at the end is dropped."""
        self._settle()
        playout = self._find(playout_id)
        if playout is None:
            playout = _Playout(playout_id, rate_hz, progress)
            self._queue.append(playout)
        if len(pcm) >= BYTES_A_SAMPLE and not playout.stopping:
            playout.chunks.append(pcm if len(pcm) % BYTES_A_SAMPLE == 0 else pcm[:-1])
        playout.final = final

    def pause(self, playout_id: int) -> None:
        """Hold a playout at the sample it has reached."""
        self._settle()
        playout = self._find(playout_id)
        if playout is not None:
            playout.paused = True

    def resume(self, playout_id: int) -> None:
        """Go on at that sample."""
        self._settle()
        playout = self._find(playout_id)
        if playout is not None and playout.paused:
            playout.paused = False
            playout.fade_in = not playout.sounding and playout.heard > 0

    def stop(self, playout_id: int) -> None:
        """Fade out within one frame and drop the rest; one that waits its turn is dropped at once."""
        self._settle()
        playout = self._find(playout_id)
        if playout is None:
            return
        if playout.sounding:
            playout.stopping = True
        else:
            self._queue.remove(playout)
            self._end(playout, complete=False)

    def stop_all(self) -> None:
        """Drop everything at once, because the leg is closing, and let go of who is told."""
        self._settle()
        while self._queue:
            self._end(self._queue.popleft(), complete=False)
        self._ended = _tell_nobody

    def next_frame(self) -> bytes | None:
        """Give 20 ms, or None when nothing plays. A frame may join the end of one playout and the start of the next."""
        if self.run:
            return self.run.popleft()
        self._settle()
        if not self._queue:
            return None
        frame = self._composed_frame()
        if self._queue:
            self._run_ahead(self._queue[0])
        return frame

    def _run_ahead(self, playout: _Playout) -> None:
        """Cut what lies ahead in the first chunk into frames, up to the one before its last: nothing can happen in those."""
        if not playout.sounding or playout.paused or playout.stopping or playout.rate_hz != self._rate_hz:
            return
        chunk, size = playout.chunks[0], self._frame_bytes
        last = len(chunk) - size
        self.run.extend([chunk[at : at + size] for at in range(playout.offset, last, size)])
        self._ran = len(self.run)

    def _settle(self) -> None:
        """Note what was played of the run, and forget the rest of it: something else than the next frame is about to happen."""
        if self._ran:
            playout, played = self._queue[0], self._ran - len(self.run)
            playout.offset += played * self._frame_bytes
            playout.heard += played * self._frame_bytes // BYTES_A_SAMPLE
            self.run.clear()
            self._ran = 0

    def _composed_frame(self) -> bytes | None:
        frame = b""
        while self._queue and len(frame) < self._frame_bytes:
            playout = self._queue[0]
            if playout.paused and not playout.sounding:
                break
            frame += self._cut(playout, self._frame_bytes - len(frame))
            if playout.stopping:
                self._queue.popleft()
                self._end(playout, complete=False)
                break
            if playout.paused:
                playout.sounding = False
                break
            if playout.chunks:
                playout.sounding = True
                continue
            playout.sounding = False
            if not playout.final:
                break  # dry until more comes
            self._queue.popleft()
            self._end(playout, complete=True)
        return frame.ljust(self._frame_bytes, b"\0") if frame else None

    def _cut(self, playout: _Playout, size: int) -> bytes:
        """Take up to `size` bytes at the leg's rate from the head of a playout, faded as its state asks."""
        piece = self._at_leg_rate(playout, size)
        if playout.paused or playout.stopping:
            return _faded(piece, 1, 0)
        if playout.fade_in:
            playout.fade_in = False
            return _faded(piece, 0, 1)
        return piece

    def _at_leg_rate(self, playout: _Playout, size: int) -> bytes:
        # At least a sample: half of one, where the rate is half as high, would never fill the frame.
        wanted = max(1, size * playout.rate_hz // self._rate_hz // BYTES_A_SAMPLE) * BYTES_A_SAMPLE
        piece, start = b"", playout.offset
        for chunk in playout.chunks:
            piece += chunk[start : start + wanted - len(piece)]
            start = 0
            if len(piece) == wanted:
                break
        if not playout.paused:
            self._consume(playout, len(piece))
        if playout.rate_hz == self._rate_hz:
            return piece
        audio = convert(np.frombuffer(piece, "<i2").astype(np.float32), playout.rate_hz, self._rate_hz)
        return audio.astype("<i2").tobytes()[:size]

    @staticmethod
    def _consume(playout: _Playout, size: int) -> None:
        playout.heard += size // BYTES_A_SAMPLE
        playout.offset += size
        while playout.chunks and playout.offset >= len(playout.chunks[0]):
            playout.offset -= len(playout.chunks.popleft())

    def _find(self, playout_id: int) -> _Playout | None:
        return next((playout for playout in self._queue if playout.playout_id == playout_id), None)

    def _end(self, playout: _Playout, *, complete: bool) -> None:
        self._ended(Ended(playout.playout_id, playout.heard, complete, playout.rate_hz, playout.progress))


def _tell_nobody(_: Ended) -> None:
    return


def _faded(piece: bytes, start: float, end: float) -> bytes:
    samples = np.frombuffer(piece, "<i2")
    return (samples * np.linspace(start, end, samples.size, dtype=np.float32)).astype("<i2").tobytes()
