"""What recognition is tested with: telephone audio, noise, and how many words of a text are wrong."""

from __future__ import annotations

import re

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.resample import resample

_TELEPHONE_HZ = 8_000
_SPELLINGS = {"9": "nine", "17": "seventeen", "alright": "all right"}


def over_telephone(audio: Audio) -> Audio:
    """Audio as G.711 µ-law leaves it, again at 16 kHz."""
    codes = g711.encode("PCMU", resample(audio, SAMPLE_RATE_HZ, _TELEPHONE_HZ))
    return resample(g711.decode("PCMU", codes), _TELEPHONE_HZ, SAMPLE_RATE_HZ)


def at_level(signal: np.ndarray, level_dbfs: float) -> Audio:
    """A signal with an RMS level."""
    loud = signal / np.sqrt(np.mean(np.square(signal))) * 10 ** (level_dbfs / 20)
    return np.clip(loud, -1, 1).astype(np.float32)


def words(text: str) -> list[str]:
    """The words of a text without case, punctuation and figures."""
    plain = re.sub(r"[^\w\s]", " ", text.lower())
    return " ".join(_SPELLINGS.get(word, word) for word in plain.split()).split()


def word_errors(said: str, heard: str) -> int:
    """Words that are wrong, missing or too many (Levenshtein distance)."""
    truth, found = words(said), words(heard)
    distances = list(range(len(found) + 1))
    for row, word in enumerate(truth, 1):
        diagonal, distances[0] = distances[0], row
        for column, other in enumerate(found, 1):
            diagonal, distances[column] = (
                distances[column],
                min(distances[column] + 1, distances[column - 1] + 1, diagonal + (word != other)),
            )
    return distances[-1]


def noises(length_s: float, seed: int = 1) -> dict[str, Audio]:
    """What lines carry when nobody speaks, each of a length."""
    random = np.random.default_rng(seed)
    at_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    white = random.standard_normal(at_s.size)
    hum = sum(np.sin(2 * np.pi * 50 * harmonic * at_s) / harmonic for harmonic in (1, 3, 5, 7))
    ringing = (np.sin(2 * np.pi * 440 * at_s) + np.sin(2 * np.pi * 480 * at_s)) * (at_s % 6 < 2)
    return {
        "silence": np.zeros(at_s.size, np.float32),
        "hum": at_level(hum + white / 100, -30),
        "white noise": at_level(white, -25),
        "ringing": at_level(ringing, -20),
        "music": at_level(_music(at_s, random), -20),
    }


def _music(at_s: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A tune over chords, with a beat: eight notes of a scale, 120 a minute."""
    scale_hz = 261.6 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    note = np.floor(at_s * 4).astype(int)
    since_s = at_s % 0.25
    tune_hz = random.choice(scale_hz, note[-1] + 1)[note] * 2
    chord = [scale_hz[(note // 8 + step) % 7] / 2 for step in (0, 2, 4)]
    tune = np.exp(-since_s * 6) * sum(np.sin(2 * np.pi * tune_hz * over * since_s) / over for over in (1, 2, 3, 4))
    chords = sum(np.sin(2 * np.pi * hz * over * at_s) / over for hz in chord for over in (1, 2, 3, 5))
    beat = np.exp(-(at_s % 0.5) * 40) * np.sin(2 * np.pi * 60 * (at_s % 0.5))
    return tune + chords / 3 + beat
