"""What voice activity by the model costs, whether packets stay on time beside it, and what it takes for speech that is none.

    python -m benchmarks.voice_activity

Costs and mistakes are those of the inside of the media process in simulated time. Packets are those of real calls whose callers
say a bundled sentence: once by loudness, once by the model, once by the model beside others that want the same core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks.media_load import LoadResult, measure
from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.media.protocol import AnyReport, SpeechStarted, UtteranceHeard, VoiceActivitySettings
from voip_engine.media.silero import Silero
from voip_engine.media.speech_watch import SpeechWatch
from voip_engine.media.windows import Judge
from voip_engine.resample import resample

RATE_HZ = 8000
SAMPLES = RATE_HZ // 50
SILERO = VoiceActivitySettings(detector="silero", minimum_utterance_s=1.0)
ENERGY = VoiceActivitySettings(detector="energy", minimum_utterance_s=1.0)
PAUSE_S = 1.0


def watch_of(legs: int, settings: VoiceActivitySettings, judge: Judge | None) -> tuple[SpeechWatch, list[AnyReport]]:
    reports: list[AnyReport] = []
    watch = SpeechWatch(RATE_HZ, legs, reports.append, judge)
    for row in range(legs):
        watch.listen(row, row, 0, settings, True)
    return watch, reports


def hear(watch: SpeechWatch, matrix: Audio, first_tick: int = 0) -> None:
    """Let every row hear its signal, shape (legs, samples)."""
    frames = np.ascontiguousarray(matrix.reshape(len(matrix), -1, SAMPLES).transpose(1, 0, 2))
    for number, frame in enumerate(frames, first_tick):
        watch.hear(frame, np.einsum("ij,ij->i", frame, frame) / SAMPLES, number)


def said(seconds: float) -> Audio:
    """The bundled sentences one after the other, with pauses."""
    parts: list[Audio] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        for sentence in SENTENCES:
            parts += [resample(load_speech(sentence.name), SAMPLE_RATE_HZ, RATE_HZ), np.zeros(RATE_HZ, np.float32)]
    return np.concatenate(parts)[: round(seconds * RATE_HZ)]


def cost_us(legs: int, settings: VoiceActivitySettings, judge: Judge | None, seconds: float) -> float:
    """CPU microseconds for a second of one leg."""
    watch, _ = watch_of(legs, settings, judge)
    speech = said(seconds)
    matrix = np.stack([np.roll(speech, row * 1601) for row in range(legs)])
    before_s = time.process_time()
    hear(watch, matrix)
    return (time.process_time() - before_s) * 1e6 / legs / seconds


def costs() -> None:
    model = Silero()
    for legs in (1, 10, 50, 200):
        seconds = max(4.0, 40.0 / legs)
        by_model, by_energy = cost_us(legs, SILERO, model, seconds), cost_us(legs, ENERGY, None, seconds)
        print(
            f"{legs:4} legs  {by_model:6.0f} µs a leg-second by the model, {by_energy:5.0f} by loudness: "
            f"{by_model * legs / 1e4:5.1f} % of a core"
        )


def sounds(seconds: float) -> dict[str, Audio]:
    chance = np.random.default_rng(9)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    hum = 0.05 * sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 9)) + chance.normal(0, 1e-3, len(time_s))
    return {
        "silence": np.zeros(len(time_s), np.float32),
        "hum": hum.astype(np.float32),
        "noise": chance.normal(0, 0.03, len(time_s)).astype(np.float32),
        "music on hold": music(time_s, chance),
    }


def music(time_s: Audio, chance: np.random.Generator) -> Audio:
    """A band: chords that change every two seconds, a bass, a melody of plucked notes, a drum; a new tune every half minute."""
    beat_s = 0.25
    beat = (time_s // beat_s).astype(int)
    scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    key = chance.integers(-5, 6, beat.max() // 120 + 1)[beat // 120]
    notes = scale[chance.integers(0, len(scale), beat.max() + 1)][beat] + key
    roots = np.array([0, 5, 7, 9])[chance.integers(0, 4, beat.max() // 8 + 1)][beat // 8] + key

    def voice(semitones: np.ndarray, base_hz: float, harmonics: int) -> np.ndarray:
        phase = 2 * np.pi * np.cumsum(base_hz * 2.0 ** (semitones / 12)) / RATE_HZ
        return sum(np.sin(phase * k) / k for k in range(1, harmonics + 1))

    since_s = time_s % beat_s
    chords = voice(roots, 220, 4) + voice(roots + 4, 220, 4) + voice(roots + 7, 220, 4)
    drum = chance.normal(0, 1, len(time_s)) * np.exp(-60 * since_s) * (beat % 2)
    sound = 0.03 * chords + 0.05 * voice(roots, 55, 3)
    sound += 0.12 * voice(notes, 440, 5) * np.exp(-6 * since_s) + 0.05 * drum
    return sound.astype(np.float32)


def mistakes(minutes: float) -> None:
    model = Silero()
    for name, sound in sounds(minutes * 60).items():
        found = []
        for settings, judge in ((SILERO, model), (ENERGY, None)):
            watch, reports = watch_of(1, settings, judge)
            hear(watch, sound[None, : len(sound) // SAMPLES * SAMPLES])
            found.append(
                tuple(sum(isinstance(one, kind) for one in reports) for kind in (SpeechStarted, UtteranceHeard))
            )
        (starts, utterances), (_, by_energy) = found
        print(
            f"{minutes:.0f} min of {name:14}  {utterances} utterances, {starts} onsets by the model; "
            f"{by_energy} utterances by loudness"
        )


def line(title: str, result: LoadResult) -> str:
    measured = result.measured
    return (
        f"{result.calls} calls {title:34}  p50 {measured.p50_ms:5.2f}  p99 {measured.p99_ms:5.2f}  "
        f"worst {measured.worst_ms:5.1f} ms  {measured.on_time_percent:6.2f} % within 5 ms  lost {measured.lost}  "
        f"{result.cpu_us:5.1f} µs a packet  {result.utterances} utterances  "
        f"{result.unjudged_windows} windows not judged in time"
    )


async def lateness(calls: int, seconds: float) -> None:
    sentence = np.concatenate((said(4.0), np.zeros(round(PAUSE_S * RATE_HZ), np.float32)))
    payloads = [row.tobytes() for row in g711.encode("PCMU", sentence.reshape(-1, SAMPLES))]
    for title, activity, burners in (
        ("by loudness", ENERGY, 0),
        ("by the model", SILERO, 0),
        ("by the model, the core wanted by 2", SILERO, 2),
    ):
        burning = [burner() for _ in range(burners)]
        try:
            print(line(title, await measure("PCMU", calls, seconds, activity=activity, payloads=payloads)), flush=True)
        finally:
            for process in burning:
                process.kill()
                process.wait()


def burner() -> subprocess.Popen[bytes]:
    """A process that does nothing but use the media process's core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    os.sched_setaffinity(process.pid, {0})
    return process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    costs()
    mistakes(arguments.minutes)
    asyncio.run(lateness(arguments.calls, arguments.seconds))


if __name__ == "__main__":
    main()
