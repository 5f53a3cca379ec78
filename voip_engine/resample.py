"""Whole signals from one sample rate to another. Live streams want `av.AudioResampler` itself."""

from __future__ import annotations

import numpy as np

from voip_engine.audio import Audio

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
