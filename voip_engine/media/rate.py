"""Twofold changes of audio rate for the rare frame that has another rate than its leg.

Normally none has: the engine hands audio over at the leg's rate. This keeps a leg audible through a change of codec, and a peer
that switches payload types; it is cheap, stateless and plain, a three-tap filter, not a resampler for whole signals.
"""

from __future__ import annotations

import numpy as np

from voip_engine.audio import Audio


def convert(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """Give the same time at another rate; shape (n,) becomes (n * to_hz // from_hz,)."""
    if from_hz == to_hz or audio.size == 0:
        return audio
    if from_hz == 2 * to_hz:
        padded = np.concatenate((audio[:1], audio, audio[-1:]))
        smooth: Audio = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
        return smooth[::2][: audio.size // 2]
    positions = np.arange(audio.size * to_hz // from_hz) * (from_hz / to_hz)
    between: Audio = np.interp(positions, np.arange(audio.size), audio).astype(np.float32)
    return between
