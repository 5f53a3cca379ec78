"""What Whisper makes up on silence, hum and music, told from what was said.

Whisper was trained on subtitled videos: on audio without speech it writes what their subtitles hold there ("Thank you.",
"[Music]"), or one word for ever. Three figures tell: the probability of its no-speech token, the mean log-probability of the
tokens it chose (both as in Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, §4.5), and how
well its text can be compressed. The last alone proves nothing: people repeat themselves on the telephone. The limits are set
between speech and noise as measured with tiny.en and base on telephone audio (`python -m benchmarks.recognition_noise`).
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from voip_engine.audio import FRAME_SAMPLES, Audio

_SILENCE_RMS: Final = 0.001
_NO_SPEECH: Final = 0.8
_LOWEST_LOGPROB: Final = -1.0

_COMPRESSION: Final = 2.4
_WORDS_A_SECOND: Final = 8.0
"""Nobody talks faster; a loop does."""
_LOOP_NO_SPEECH: Final = 0.35
"""A loop above this began on noise, which gives 0.58 and more. Below, it is what was said, and speech gives 0.12 and less."""
_REPEATED_LOGPROB: Final = -0.5
"""Repeated text below this is not believed; what callers really repeat has -0.2 and more."""
_REPEATS: Final = 3
_SHORTEST_LOOP_WORDS: Final = 8
"""A run of fewer words that has an end is what was said: "five five five", "no, no, no"."""
_LOOP_IN_WORD = re.compile(r"(\S+?)\1{2,}")
_LONGEST_WORD: Final = 40
"""Characters: a longer word that repeats itself is a loop, in scripts without spaces as well."""

_DIRECTIONS = re.compile(
    r"\[[^\]]*(?:\]|$)|【[^】]*(?:】|$)|\((?!\d)[^)]*(?:\)|$)|（[^）]*(?:）|$)|\*[^*]+\*|♪[^♪]*(?:♪|$)|[♩-♯]"
)
_SPACE = re.compile(r"\s+")

# What callers say, too. Without punctuation, in small letters.
_SAYABLE = re.compile(
    r"you|thank you|thank you very much|thank you so much|thanks|the end|"
    r"danke|vielen dank|vielen dank fürs zuhören|merci|gracias|grazie|obrigado|bedankt|dank u wel|спасибо|dziękuję|tack"
)
# What stands in subtitles and is not said into telephones.
_SUBTITLES = re.compile(
    r"(?:thanks|thank you)(?: so much| very much)? for (?:watching|listening|viewing)(?: .*)?|"
    r"(?:please )?(?:like and )?subscribe(?: .*)?|see you (?:in the )?next (?:video|time)|"
    r"subtitles? .*|subtitled by .*|transcri(?:bed|ption|pt) by .*|captions? by .*|music|applause|laughter|foreign|"
    r"untertitel(?:ung)? .*|(?:vielen )?dank für ?s zuschauen(?: .*)?|copyright .*|.*amara ?org.*|"
    r"sous titr(?:es|age) .*|merci d avoir regardé(?: .*)?|"
    r"subtítulos? .*|gracias por ver(?: .*)?|legendas? .*|obrigado por assistir(?: .*)?|"
    r"sottotitoli .*|grazie per (?:la visione|aver guardato)(?: .*)?|"
    r"ondertitel(?:ing|d) .*|bedankt voor het kijken(?: .*)?|tv gelderland.*|napisy .*|dziękuję za uwagę|"
    r"субтитры .*|продолжение следует|спасибо за (?:просмотр|внимание)|altyazı .*|izlediğiniz için teşekkür(?: .*)?|"
    r"ご視聴ありがとうございました|字幕.*|請不吝點贊.*|谢谢(?:大家)?(?:观看|收看)|시청해주셔서 감사합니다"
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the model wrote for an utterance, and how sure it was.

    `no_speech`: probability that there is none, 0 to 1; `logprob`: mean natural logarithm of a token's probability; `cut`: it
    was still writing when it was stopped.
    """

    text: str
    no_speech: float
    logprob: float
    cut: bool = False


def is_silent(audio: Audio) -> bool:
    """Whether not even the loudest 20 ms of `audio` (float32, 16 kHz) could be heard: -60 dBFS, as loud as line noise."""
    frames = audio[: audio.size // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    return not frames.size or bool(np.square(frames).mean(axis=1).max() < _SILENCE_RMS**2)


def spoken_text(decoded: Decoded, length_s: float) -> str:
    """Give what was really said in an utterance of `length_s` seconds; empty if it was nothing."""
    if decoded.no_speech > _NO_SPEECH or decoded.logprob < _LOWEST_LOGPROB:
        return ""
    text = _SPACE.sub(" ", _DIRECTIONS.sub(" ", decoded.text)).strip()
    near_speech = decoded.no_speech <= _LOOP_NO_SPEECH
    if decoded.cut or len(text.split()) > 2 + _WORDS_A_SECOND * length_s:
        if not near_speech:
            return ""
        text = _collapse(text)
    # Who says a number three times is clearly heard three times.
    believed = near_speech and decoded.logprob >= _REPEATED_LOGPROB
    if not believed and _compression(text) > _COMPRESSION:
        return ""
    if not any(letter.isalnum() for letter in text) or _invented(text, decoded):
        return ""
    return text


def _invented(text: str, decoded: Decoded) -> bool:
    """Whether the text is one of those that the model is known to make up, and the audio doesn't say it clearly."""
    single = _words(text)
    if len(single) >= _REPEATS and len(set(single)) == 1 and decoded.no_speech > _LOOP_NO_SPEECH:
        return True  # a ringing tone is written "BEEP BEEP BEEP"
    words = " ".join(single)
    if _SUBTITLES.fullmatch(words):
        return decoded.no_speech > 0.1 or decoded.logprob < -0.25
    return bool(_SAYABLE.fullmatch(words)) and (decoded.no_speech > 0.4 or decoded.logprob < -0.8)


def _words(text: str) -> list[str]:
    return re.sub(r"\W+", " ", text.casefold()).split()


def _compression(text: str) -> float:
    data = text.encode()
    return len(data) / len(zlib.compress(data))


def _collapse(text: str) -> str:
    """Keep one of what a runaway model wrote three times or more in a row, however long; the last may have broken off."""
    kept = [_LOOP_IN_WORD.sub(r"\1", word) if len(word) > _LONGEST_WORD else word for word in text.split()]
    plain = [re.sub(r"\W+", "", word.casefold()) for word in kept]
    at = 0
    while at < len(kept):
        size, end = _longest_run(plain, at)
        if end == len(plain) or end - at > _SHORTEST_LOOP_WORDS:
            del kept[at + size : end], plain[at + size : end]
        at += size
    return " ".join(kept)


def _longest_run(words: list[str], at: int) -> tuple[int, int]:
    """How many words the unit has whose repetition from `at` on goes furthest, and where that ends; else one word."""
    best = (1, at + 1)
    for size in range(1, (len(words) - at) // _REPEATS + 1):
        unit = words[at : at + size]
        end = at + size
        while words[end : end + size] == unit:
            end += size
        if end - at < _REPEATS * size:
            continue
        if end < len(words) <= end + size and _continues(unit, words[end:]):
            end = len(words)
        if end > best[1]:
            best = (size, end)
    return best


def _continues(unit: list[str], rest: list[str]) -> bool:
    """Whether `rest` is a beginning of `unit`, perhaps broken off in a word."""
    return unit[: len(rest) - 1] == rest[:-1] and unit[len(rest) - 1].startswith(rest[-1])
