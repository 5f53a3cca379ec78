"""Voice activity by energy, for all legs of one audio rate at once.

It runs on the media clock: a frame that never came counts as silence, so an utterance ends even if the caller's line dies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.media.protocol import VoiceActivitySettings

FRAME_S: Final = 0.02
LONGEST_LEADING_S: Final = 0.5
TRAILING_S: Final = 0.1
"""Of the silence that ended an utterance, so much stays with it."""

_NEVER = np.float32(np.inf)


def frames(seconds: float) -> int:
    """Whole frames in a time, at least one."""
    return max(1, round(seconds / FRAME_S))


class VoiceActivity:
    """Onsets and ends of speech for rows of a matrix, one row a leg.

    Speech begins with `minimum_speech_s` of unbroken frames above the threshold and ends with `silence_s` of frames below.
    """

    def __init__(self, rows: int) -> None:
        self._threshold = np.full(rows, _NEVER, np.float32)
        self._onset_frames = np.ones(rows, np.int32)
        self._silence_frames = np.ones(rows, np.int32)
        self._loud_run = np.zeros(rows, np.int32)
        self._quiet_run = np.zeros(rows, np.int32)
        self._speaking = np.zeros(rows, np.bool_)

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - self._threshold.size
        self._threshold = np.append(self._threshold, np.full(more, _NEVER, np.float32))
        self._onset_frames = np.append(self._onset_frames, np.ones(more, np.int32))
        self._silence_frames = np.append(self._silence_frames, np.ones(more, np.int32))
        self._loud_run = np.append(self._loud_run, np.zeros(more, np.int32))
        self._quiet_run = np.append(self._quiet_run, np.zeros(more, np.int32))
        self._speaking = np.append(self._speaking, np.zeros(more, np.bool_))

    def set(self, row: int, settings: VoiceActivitySettings | None) -> None:
        """Watch a row, or stop to; its state begins anew."""
        self._threshold[row] = _NEVER if settings is None else settings.threshold_rms**2
        if settings is not None:
            self._onset_frames[row] = frames(settings.minimum_speech_s)
            self._silence_frames[row] = frames(settings.silence_s)
        self._loud_run[row] = self._quiet_run[row] = 0
        self._speaking[row] = False

    def speaking(self, row: int) -> bool:
        """Whether the row's caller speaks."""
        return bool(self._speaking[row])

    def all_speaking(self) -> list[bool]:
        """The same for every row."""
        speaking: list[bool] = self._speaking.tolist()
        return speaking

    def step(self, mean_square: NDArray[np.float32]) -> tuple[list[int], list[int]]:
        """Take one frame's mean square of every row; gives the rows where speech began and where it ended."""
        loud = mean_square >= self._threshold
        self._loud_run += 1
        self._loud_run *= loud
        self._quiet_run += 1
        self._quiet_run *= ~loud
        begun = (self._loud_run >= self._onset_frames) & ~self._speaking
        ended = (self._quiet_run >= self._silence_frames) & self._speaking
        changed = begun | ended
        if not changed.any():
            return [], []
        self._speaking ^= changed
        return np.flatnonzero(begun).tolist(), np.flatnonzero(ended).tolist()


class Capture:
    """One utterance as it grows: a list of frames, so that a frame costs the same however long the speech is."""

    __slots__ = ("_frames", "_longest_frames", "append", "started_frame")

    def __init__(self, leading: list[bytes], started_frame: int, longest_s: float) -> None:
        self._frames = leading
        self._longest_frames = frames(longest_s)
        self.append: Callable[[bytes], None] = leading.append
        """Adds a frame."""
        self.started_frame = started_frame

    @property
    def full(self) -> bool:
        """Whether the utterance is as long as it may be."""
        return len(self._frames) >= self._longest_frames

    def split(self) -> tuple[int, bytes]:
        """Give frame number and audio of what there is, and go on with an empty utterance right behind it."""
        started, self.started_frame = self.started_frame, self.started_frame + len(self._frames)
        pcm = b"".join(self._frames)
        self._frames.clear()
        return started, pcm

    def end(self, silence_frames: int) -> bytes:
        """Give the audio, less the silence that ended it but for a little."""
        surplus = silence_frames - frames(TRAILING_S)
        return b"".join(self._frames[: len(self._frames) - max(0, surplus)])
