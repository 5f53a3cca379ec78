"""One utterance as it grows."""

from __future__ import annotations

from collections.abc import Callable

BYTES_A_SAMPLE = 2


class Capture:
    """int16 audio from a position on: a list of frames, so that a frame costs the same however long the speech is."""

    __slots__ = ("_frames", "_skipped", "append", "position")

    def __init__(self, frames: list[bytes], position: int, begin: int) -> None:
        """Begin with `frames`, the first of which starts at `position`; audio before `begin` is left out."""
        self._frames = frames
        self.append: Callable[[bytes], None] = frames.append
        """Adds a frame."""
        self.position = max(begin, position)
        """Where what is here begins."""
        self._skipped = (self.position - position) * BYTES_A_SAMPLE

    def take(self, until: int | None = None) -> bytes:
        """Give the audio up to a position, or all; what follows begins right behind all that was here."""
        pcm = b"".join(self._frames)[self._skipped :]
        begin = self.position
        self._frames.clear()
        self._skipped = 0
        self.position += len(pcm) // BYTES_A_SAMPLE
        return pcm if until is None else pcm[: max(0, until - begin) * BYTES_A_SAMPLE]
