"""Eight bundled sentences, two each of four callers. README.md beside this file says where they come from."""

from __future__ import annotations

from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.resample import resample

LEVEL_DBFS: Final = -20.0
"""The RMS level of every sentence."""


class Sentence(NamedTuple):
    """One recording: who speaks, and what is said."""

    name: str
    caller: str
    text: str


SENTENCES: Final[tuple[Sentence, ...]] = (
    Sentence("olga_piano", "Olga", "Hello, I ordered a piano stool, and a piano arrived."),
    Sentence("olga_lessons", "Olga", "No, please leave it here. I have started to take lessons."),
    Sentence("ben_saturday", "Ben", "Hi, this is Ben. Are you open on Saturday?"),
    Sentence("ben_coffee", "Ben", "Perfect. I will be there at nine, with coffee for everybody."),
    Sentence("victor_umbrellas", "Victor", "Good morning. I am calling about seventeen umbrellas."),
    Sentence("victor_rain", "Victor", "It has not rained since I paid. I suspect a connection."),
    Sentence("mia_echo", "Mia", "Can you hear me? I can hear myself, and I sound reasonable."),
    Sentence("mia_later", "Mia", "All right, I will call again later. You are a very good listener."),
)


def load_speech(name: str) -> Audio:
    """Give a sentence of `SENTENCES` by its name, 16 kHz, RMS at `LEVEL_DBFS`. Raises KeyError for an unknown name."""
    if all(sentence.name != name for sentence in SENTENCES):
        raise KeyError(f"No bundled sentence is called {name}")

    import av  # only a demo that speaks pays for FFmpeg

    with files(__package__).joinpath(f"{name}.ogg").open("rb") as file, av.open(file, "r") as container:
        stream = container.streams.audio[0]
        pieces = [frame.to_ndarray()[0] for frame in container.decode(stream)]
        rate_hz = stream.rate
    audio = resample(np.concatenate(pieces).astype(np.float32), rate_hz, SAMPLE_RATE_HZ)
    level = np.sqrt(np.mean(np.square(audio)))
    loud: Audio = audio * np.float32(10 ** (LEVEL_DBFS / 20) / level)
    return np.clip(loud, -1, 1)
