"""What the phones of tests say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.correlation import Samples, at_telephone_rate, write_wave

from voip_engine.demo.speech import load_speech

RATE_HZ = 16_000
ENDPOINT_S = 0.5
"""How much silence tells the engine that somebody has finished, unless it is told otherwise."""
SLACK_S = 1.5
"""For both jitter buffers, and for a machine that does other things as well."""


@dataclass(frozen=True)
class SpokenFile:
    """A WAV file, 16 kHz: one sentence without a pause that would end an utterance, then silence to listen in."""

    path: Path
    known: Samples
    length_s: float


def speak_and_listen(path: Path, sentence: str = "ben_saturday", at_most_s: float = 60.0) -> SpokenFile:
    """Write a file that says a sentence, or its beginning, and is then silent for as long as its echo takes."""
    audio = load_speech(sentence)[: round(at_most_s * RATE_HZ)]
    length_s = len(audio) / RATE_HZ
    silence = np.zeros(round((ENDPOINT_S + length_s + SLACK_S) * RATE_HZ), dtype=np.float32)
    write_wave(path, np.concatenate([audio, silence]), RATE_HZ)
    return SpokenFile(path, at_telephone_rate(audio, RATE_HZ), length_s)
