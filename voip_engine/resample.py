"""Signals from one sample rate to another: whole ones, and streams that come bit by bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voip_engine.audio import Audio

if TYPE_CHECKING:
    from av import AudioFrame, AudioResampler

_FILTER_SAMPLES = 128
"""FFmpeg's filter gives nothing at all for a signal shorter than itself."""


def resample(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """Give `audio` at another rate, without delay: what was at second t stays at second t.

    audio: float32, shape (n,). The result has round(n * to_hz / from_hz) samples; equal rates give the input itself.
    Frequencies that the new rate cannot hold are filtered out by more than 90 dB.
    """
    if from_hz == to_hz:
        return audio
    samples = round(audio.size * to_hz / from_hz)
    resampled: Audio = np.zeros(samples, np.float32)
    if not samples:
        return resampled
    if audio.size < _FILTER_SAMPLES:
        audio = np.pad(audio, (0, _FILTER_SAMPLES - audio.size), mode="edge")

    import av  # FFmpeg's libraries are loaded by whoever resamples, not by whoever could

    resampler = av.AudioResampler(format="flt", layout="mono", rate=to_hz)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio, np.float32)[np.newaxis], format="flt", layout="mono")
    frame.sample_rate = from_hz
    start = 0
    # None drains what the filter still holds.
    for piece in (*resampler.resample(frame), *resampler.resample(None)):
        values = piece.to_ndarray()[0][: samples - start]
        resampled[start : start + values.size] = values
        start += values.size
    return resampled


class StreamResampler:
    """A signal that comes in pieces, at another rate, without a seam between them.

    What is pushed comes out up to 2 ms later, with the next piece or with `flush`; in all it is
    round(n * to_hz / from_hz) samples.
    """

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._resampler: AudioResampler | None = None
        self._taken = 0
        self._given = 0

    def push(self, audio: Audio) -> Audio:
        """Take more (float32, shape (n,)) and give what is ready."""
        if self._from_hz == self._to_hz or audio.size == 0:
            return audio
        import av  # FFmpeg's libraries are loaded by whoever resamples, not by whoever could

        if self._resampler is None:
            self._resampler = av.AudioResampler(format="flt", layout="mono", rate=self._to_hz)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(audio, np.float32)[np.newaxis], format="flt", layout="mono"
        )
        frame.sample_rate = self._from_hz
        self._taken += audio.size
        return self._joined(self._resampler.resample(frame))

    def flush(self) -> Audio:
        """Give the rest; nothing can be pushed after that."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        rest = self._joined(self._resampler.resample(None))
        missing = round(self._taken * self._to_hz / self._from_hz) - self._given
        if missing > 0:  # a signal shorter than the filter comes out short
            rest = np.pad(rest, (0, missing))
        return rest[: rest.size + min(missing, 0)]

    def _joined(self, frames: list[AudioFrame]) -> Audio:
        pieces = [frame.to_ndarray()[0] for frame in frames]
        joined: Audio = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
        self._given += joined.size
        return joined
