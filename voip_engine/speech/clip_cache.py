"""Sentences that are said again and again, kept as audio."""

from __future__ import annotations

from collections import OrderedDict

from voip_engine.audio import SAMPLE_RATE_HZ, Audio


class ClipCache:
    """Audio by voice and text, at most `longest_s` in all: what was heard longest ago goes first."""

    def __init__(self, longest_s: float) -> None:
        self._longest_samples = round(longest_s * SAMPLE_RATE_HZ)
        self._clips: OrderedDict[tuple[str, str], list[Audio]] = OrderedDict()
        self._samples = 0

    @property
    def seconds(self) -> float:
        """How much is kept."""
        return self._samples / SAMPLE_RATE_HZ

    def get(self, voice: str, text: str) -> list[Audio] | None:
        """A clip's chunks, None if it isn't kept."""
        chunks = self._clips.get((voice, text))
        if chunks is not None:
            self._clips.move_to_end((voice, text))
        return chunks

    def put(self, voice: str, text: str, chunks: list[Audio]) -> None:
        """Keep a clip, unless it alone is too long."""
        samples = sum(chunk.size for chunk in chunks)
        if samples > self._longest_samples or (voice, text) in self._clips:
            return
        self._clips[voice, text] = chunks
        self._samples += samples
        while self._samples > self._longest_samples:
            _, dropped = self._clips.popitem(last=False)
            self._samples -= sum(chunk.size for chunk in dropped)
