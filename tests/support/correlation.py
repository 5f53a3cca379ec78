"""Where known speech stands within a recording, and how much of it is there: normalized cross-correlation."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8_000
"""Everything is compared at telephone bandwidth, which all codecs carry."""

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """Known speech as found: seconds from the recording's start, and the correlation coefficient of each piece."""

    delay_s: float
    coefficients: tuple[float, ...]

    @property
    def coefficient(self) -> float:
        """The median over the pieces: 1 is the same wave, 0 another one."""
        return float(np.median(self.coefficients))


def find_speech(known: Samples, recording: Samples, after_s: float = 0.0, piece_s: float = 0.4) -> Match:
    """Find `known` in `recording`, both at RATE_HZ, from `after_s` on.

    The whole is placed first. Then each piece is placed anew within 60 ms, because jitter buffers and clocks shift
    speech by single milliseconds while it runs, which nobody hears. Pieces of silence don't count.
    """
    start = round(after_s * RATE_HZ)
    searched = recording[start:]
    if len(searched) < len(known):
        searched = np.pad(searched, (0, len(known) - len(searched)))
    delay = int(np.argmax(_coefficients(known, searched)))
    length, slack = round(piece_s * RATE_HZ), round(0.06 * RATE_HZ)
    loud = np.sqrt(np.mean(np.square(known))) / 4
    found = []
    for offset in range(0, len(known) - length + 1, length):
        piece = known[offset : offset + length]
        if np.sqrt(np.mean(np.square(piece))) < loud:
            continue
        first = max(0, delay + offset - slack)
        around = searched[first : delay + offset + length + slack]
        found.append(float(np.max(_coefficients(piece, around))) if len(around) >= length else 0.0)
    return Match(delay / RATE_HZ + after_s, tuple(found))


def at_telephone_rate(samples: NDArray[np.floating], rate_hz: int) -> Samples:
    """Bring a whole signal to RATE_HZ by dropping the frequencies above, zero delay."""
    spectrum = np.fft.rfft(samples)
    count = round(len(samples) * RATE_HZ / rate_hz)
    band = np.zeros(count // 2 + 1, dtype=np.complex128)
    kept = min(len(band), len(spectrum))
    band[:kept] = spectrum[:kept]
    return np.fft.irfft(band, count) * (count / len(samples))


def read_wave(path: Path, rate_hz: int | None = None) -> Samples:
    """A WAV file of 16-bit samples, its channels mixed, at RATE_HZ. Its writer need not have closed it.

    `rate_hz` is that of its samples where its header cannot be believed.
    """
    with wave.open(str(path), "rb") as file:
        channels, rate_hz = file.getnchannels(), rate_hz or file.getframerate()
        assert file.getsampwidth() == 2
    data = path.read_bytes()
    data = data[data.index(b"data") + 8 :]
    samples = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], dtype="<i2") / 32_768
    return at_telephone_rate(samples.reshape(-1, channels).mean(axis=1), rate_hz)


def write_wave(path: Path, samples: NDArray[np.floating], rate_hz: int) -> None:
    """Write mono samples in [-1, 1] as 16-bit WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())


def _coefficients(known: Samples, searched: Samples) -> Samples:
    """The correlation coefficient of `known` with `searched` at every lag that fits."""
    size = 1 << (len(searched) + len(known) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(searched, size) * np.conj(np.fft.rfft(known, size)), size)
    lags = len(searched) - len(known) + 1
    energy = np.concatenate(([0.0], np.cumsum(np.square(searched))))
    window = energy[len(known) :] - energy[:lags]
    # A window of mere rounding noise must not count as a perfect match.
    quiet = 1e-9 * len(known)
    scale = np.sqrt(np.maximum(window, quiet) * np.sum(np.square(known)))
    return products[:lags] / scale
