"""Recordings out of files, in whatever format FFmpeg reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio


def load_recording(path: Path) -> Audio:
    """A file's first sound track as mono at 16 kHz. Raises OSError, and ValueError if there is no sound in it."""
    import av  # FFmpeg is loaded by whoever reads a recording

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces: list[Audio] = []
    try:
        with path.open("rb") as file, av.open(file, "r") as container:
            if not container.streams.audio:
                raise ValueError("holds no sound")
            for frame in container.decode(container.streams.audio[0]):
                pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    except av.error.InvalidDataError:
        raise ValueError("is no recording that can be read") from None
    audio: Audio = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not audio.size:
        raise ValueError("holds no sound")
    return np.clip(audio, -1, 1)
