"""What to play when a packet is missing: the last pitch periods again, fading to silence.

The idea is that of ITU-T G.711 Appendix I, but nothing is delayed: the seams are closed by bending the start of a
repeated piece to where the audio before it ended, instead of by an overlap that would have to be held back.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from voip_engine.audio import Audio

HISTORY_S: Final = 0.04
"""How much good audio before a gap is looked at; more does no harm, less gives a poorer guess."""

_SHORTEST_PERIOD_S: Final = 0.0025
_LONGEST_PERIOD_S: Final = 0.015
_WINDOW_S: Final = 0.02
_SHORTEST_LOOP_S: Final = 0.01
_FULL_S: Final = 0.01
_SILENT_S: Final = 0.06
_MERGE_S: Final = 0.005
_QUIET: Final = 1e-9


def conceal(history: Audio, samples: int, already_concealed: int, rate_hz: int) -> Audio:
    """Make up the audio of a gap.

    history: the good audio right before the gap, shape (n,), about `HISTORY_S` of it; stays the same during the gap.
    samples: how many to make; already_concealed: how many were made in this gap before.
    Gives shape (samples,): full level for 10 ms, silence from 60 ms on.
    """
    start, end = already_concealed, already_concealed + samples
    if start >= _SILENT_S * rate_hz or history.size < 2 * _LONGEST_PERIOD_S * rate_hz:
        return np.zeros(samples, np.float32)
    loop = _loop(history, rate_hz)
    position = np.arange(start, end)
    fade = (_SILENT_S - position / rate_hz) / (_SILENT_S - _FULL_S)
    return loop[position % loop.size] * np.clip(fade, 0, 1).astype(np.float32)


def resume(history: Audio, frame: Audio, already_concealed: int, rate_hz: int) -> Audio:
    """Blend from concealed audio into the first good frame after a gap, over 5 ms. Gives a new array like `frame`."""
    length = min(frame.size, round(_MERGE_S * rate_hz))
    weight = (np.arange(1, length + 1) / (length + 1)).astype(np.float32)
    merged = frame.copy()
    merged[:length] *= weight
    merged[:length] += conceal(history, length, already_concealed, rate_hz) * (1 - weight)
    return merged


def _loop(history: Audio, rate_hz: int) -> Audio:
    """A piece of whole pitch periods that continues the history and, repeated, itself without a step."""
    period = _pitch_period(history, rate_hz)
    size = period * max(1, round(_SHORTEST_LOOP_S * rate_hz / period))
    loop = history[-size:].copy()
    # The step from the last sample to the loop's first becomes the one that was there when the loop was first heard.
    bend = period // 4
    loop[:bend] += (history[-1] - history[-size - 1]) * np.linspace(1, 0, bend, endpoint=False, dtype=np.float32)
    return loop


def _pitch_period(history: Audio, rate_hz: int) -> int:
    """The lag, in samples, at which the last 20 ms resemble what came before most (normalised cross-correlation)."""
    shortest, longest = round(_SHORTEST_PERIOD_S * rate_hz), round(_LONGEST_PERIOD_S * rate_hz)
    window = min(round(_WINDOW_S * rate_hz), history.size - longest)
    recent, searched = history[-window:], history[-window - longest :]
    likeness = np.correlate(searched, recent, "valid")[: longest - shortest + 1]
    energy = np.cumsum(np.concatenate(([0.0], np.square(searched, dtype=np.float64))))
    energies = (energy[window:] - energy[:-window])[: longest - shortest + 1]
    return longest - int(np.argmax(likeness / np.sqrt(np.maximum(energies, _QUIET))))


class Concealer:
    """Conceals one stream. Good frames are kept by reference, so that nothing is computed until one is missing."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._recent: deque[Audio] = deque()
        self._recent_samples = 0
        self._history: Audio | None = None
        self._concealed = 0

    def good(self, frame: Audio) -> Audio:
        """Take a frame that arrived; gives what to play: the frame itself, or after a gap one that is blended in.

        The frame must not be written to afterwards.
        """
        if self._history is not None:
            frame = resume(self._history, frame, self._concealed, self._rate_hz)
            self._history = None
            self._concealed = 0
        recent = self._recent
        recent.append(frame)
        self._recent_samples += frame.size
        while self._recent_samples - recent[0].size >= HISTORY_S * self._rate_hz:
            self._recent_samples -= recent.popleft().size
        return frame

    def conceal(self, samples: int) -> Audio:
        """Give the next `samples` of the gap."""
        if self._history is None:
            self._history = np.concatenate(self._recent) if self._recent else np.zeros(0, np.float32)
        audio = conceal(self._history, samples, self._concealed, self._rate_hz)
        self._concealed += samples
        return audio
