"""How soon and how fast Pocket TTS speaks, and what we add to it. Run: python -m benchmarks.synthesis [--only-tiny]

No trained weights can be had here: the tiny model and the one in the size of `english` have random ones. Speed doesn't depend
on their values, except that a random model does not know when it is done: it babbles on to the length that the library
allows a text, about twice that of speech.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.support.tiny_pocket import TinyPocket, build_tiny_pocket
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.resample import StreamResampler
from voip_engine.speech.base import AtCapacity
from voip_engine.speech.synthesis import CallVoice, Synthesis
from voip_engine.speech_settings import SpeakingSettings

CLAUSE = "Yes, we are open at nine, and there is coffee for everybody."
CLAUSES = 4
MODEL_RATE_HZ = 24_000
CHUNK_S = 0.08


async def speak(voice: CallVoice) -> tuple[list[float], float]:
    """Say some clauses; gives the seconds to first audio of each, and the seconds of audio."""
    firsts: list[float] = []
    samples = 0
    for _ in range(CLAUSES):
        began_s = time.perf_counter()
        first_s = None
        async for chunk in voice.say(CLAUSE):
            first_s = first_s or time.perf_counter() - began_s
            samples += chunk.size
        firsts.append(first_s or 0.0)
    return firsts, samples / SAMPLE_RATE_HZ


async def measure(title: str, model: TinyPocket, workers: int) -> None:
    synthesis = Synthesis(SpeakingSettings(model=str(model.wordy), workers=workers))
    try:
        began_s = time.perf_counter()
        voices = [await synthesis.open_voice("call 0", str(model.voice))]
        opened_s = time.perf_counter() - began_s
        try:
            for number in range(1, workers):
                voices.append(await synthesis.open_voice(f"call {number}", str(model.voice)))
        except AtCapacity as error:
            print(f"  {error}")
        while len(synthesis.figures().process_ids) < len(voices):  # the further ones load while the first one works
            await speak(voices[0])
        began_s, busy_s = time.perf_counter(), time.process_time()
        results = await asyncio.gather(*(speak(voice) for voice in voices))
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - busy_s
        audio_s = sum(each for _, each in results)
        firsts_ms = [1000 * first_s for firsts, _ in results for first_s in firsts]
        print(
            f"{title:<24} {workers:>7} {opened_s:>7.1f} {statistics.median(firsts_ms):>10.0f} {max(firsts_ms):>8.0f} "
            f"{took_s * workers / audio_s:>8.2f} {synthesis.figures().capacity:>9} {1000 * cpu_s / audio_s:>12.2f}"
        )
    finally:
        await synthesis.close()


def resampling_ms() -> float:
    """CPU time to resample a second of audio as the worker does, and to make 16-bit samples of it."""
    chunk = np.random.default_rng(1).normal(0, 0.1, round(CHUNK_S * MODEL_RATE_HZ)).astype(np.float32)
    resampler = StreamResampler(MODEL_RATE_HZ, SAMPLE_RATE_HZ)
    resampler.push(chunk)
    times = 500
    began_s = time.thread_time()
    for _ in range(times):
        np.rint(np.clip(resampler.push(chunk), -1, 1) * 32_767).astype("<i2").tobytes()
    return 1000 * (time.thread_time() - began_s) / (times * CHUNK_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only-tiny", action="store_true", help="leave out the model in the size of `english` (0.4 GB)"
    )
    options = parser.parse_args()
    print("                                 load +        first audio, ms     s for a             our CPU, ms for")
    print("model, random weights    workers voice, s     p50      worst   s, each  capacity  a s, in the engine")
    with tempfile.TemporaryDirectory() as folder:
        sizes: list[str | None] = [None] if options.only_tiny else [None, "english"]
        for size in sizes:
            model = build_tiny_pocket(Path(folder) / (size or "tiny"), size)
            for workers in (1, 2):
                asyncio.run(measure(f"in the size of {size}" if size else "tiny", model, workers))
    print(f"\nResampling in the worker: {resampling_ms():.2f} ms of CPU for a second of audio")


if __name__ == "__main__":
    main()
