"""Where each row was last loud, by its own measure: a model of speech is sure of an end a tenth of a second late or two."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_FALL_A_FRAME: Final = np.float32(0.99)
"""The measure of loud falls by half in 1.4 s."""
_SHARE: Final = np.float32(1e-3)
"""30 dB below the loudest frame of late, speech has ended; in a noisy room nothing ever does."""


class LastLoud:
    """Follows the loudness of all rows of a bank. Positions count samples."""

    def __init__(self, rows: int) -> None:
        self._loudest = np.zeros(rows, np.float32)
        self.positions = np.zeros(rows, np.int64)
        """Where each row's last loud frame ended, shape (rows,)."""

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - self._loudest.size
        self._loudest = np.append(self._loudest, np.zeros(more, np.float32))
        self.positions = np.append(self.positions, np.zeros(more, np.int64))

    def begin(self, row: int) -> None:
        """Follow a row anew."""
        self._loudest[row] = 0
        self.positions[row] = 0

    def hear(self, mean_square: NDArray[np.float32], end: int) -> None:
        """Take a frame's mean squares, shape (rows,), and where the frame ends."""
        np.maximum(self._loudest * _FALL_A_FRAME, mean_square, out=self._loudest)
        self.positions[mean_square > _SHARE * self._loudest] = end
