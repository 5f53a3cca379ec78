"""The one shape audio has inside the engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
FRAME_MS = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ * FRAME_MS // 1000

Audio = NDArray[np.float32]
"""Mono samples, 16 kHz, in [-1, 1], shape (samples,)."""
