"""Whisper on one utterance: short-window, greedy decoding straight through CTranslate2. Runs in the speech worker.

    int16 → pad with silence to max(8 s, length + 1 s) → log-Mel → encoder ─┬─► language, if not given
                                                                            └─► decoder ─► gates ─► text

`WhisperModel.transcribe` of faster-whisper always encodes 30 s; the encoder takes any even number of frames, and an utterance
of a few seconds costs a third so. The silence is added before the log-Mel features, as in training: with zeros
added behind them, speech and noise are told apart less well.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.speech.base import ModelMissing
from voip_engine.speech.gates import Decoded, is_silent, spoken_text
from voip_engine.speech.model_folders import (
    WHISPER_FILES,
    WHISPER_REPOSITORIES,
    lacking,
    whisper_folder,
    whisper_repository,
)

LONGEST_S: Final = 30.0
"""What Whisper's encoder takes (Radford et al. 2022, §2.2)."""
_SHORTEST_WINDOW_S: Final = 8.0
_SILENCE_BEHIND_S: Final = 1.0
_FIRST_SOUND: Final[Audio] = np.full(SAMPLE_RATE_HZ, 0.01, np.float32)
"""No speech, but loud enough to be looked at."""

# Without a bound the small models can go on for ever. English has 3 to 6 tokens a second; scripts that Whisper's vocabulary
# doesn't hold have one for every byte or two.
_TOKENS: Final = 10
_TOKENS_A_SECOND: Final = 8
_TOKENS_A_SECOND_IN_ANY_SCRIPT: Final = 20
_MOST_TOKENS: Final = 224

_CHANGE_SETTING: Final = (
    "set `model` under [transcription] to a folder that holds a Whisper model, or to a name such as base"
)


class UtteranceCancelled(Exception):
    """Nobody waits for the utterance any more."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance transcribed. `text` has passed the gates; `confidence` is the (geometric) mean probability of a token."""

    text: str
    language: str
    confidence: float
    no_speech: float
    logprob: float
    busy_s: float


def threads_for(setting: int) -> int:
    """How many threads the model computes with: the setting, or all cores but one."""
    if setting:
        return setting
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def find_model(model: str) -> Path:
    """Give the folder of a model: a path, a name as faster-whisper has them, or a Hugging Face repository.

    Looks on this machine only, and fetches nothing. Raises ModelMissing.
    """
    if (folder := whisper_folder(model)) is not None:
        return folder
    path = Path(model).expanduser()
    if path.is_absolute() or model.startswith((".", "~")):
        how = f"lacks {', '.join(lacking(path, WHISPER_FILES))}" if path.is_dir() else "is not a folder on this machine"
        raise _missing(model, how, pull=False)
    if whisper_repository(model) is None:
        raise _missing(model, f"is unknown. There are {', '.join(WHISPER_REPOSITORIES)}", pull=False)
    raise _missing(model, "is not on this machine", pull=True)


def _missing(model: str, how: str, *, pull: bool) -> ModelMissing:
    full = f"whisper:{model}"
    mend = f"voip-tui models pull {full}" if pull else _CHANGE_SETTING
    what = f"Whisper model {model}"
    return ModelMissing(f"The {what} {how}.", what=what, mend=mend, model=full if pull else None)


class Whisper:
    """A loaded model. One utterance at a time."""

    def __init__(self, model: str, threads: int) -> None:
        """Load a model onto the processor, with 8-bit weights. Raises ModelMissing."""
        folder = find_model(model)

        from faster_whisper import WhisperModel

        try:
            loaded = WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=threads_for(threads), local_files_only=True
            )
            # None of these four has an underscore, and none is documented: the model in CTranslate2, the tokenizer of Hugging
            # Face, the log-Mel features, and the codes of the languages.
            self._model = loaded.model
            self._tokens = loaded.hf_tokenizer
            self._features = loaded.feature_extractor
            self.languages: tuple[str, ...] = tuple(loaded.supported_languages)
            # The first utterance takes 0.15 s longer than the same one later, and no caller should wait for that.
            self.transcribe(_FIRST_SOUND, None)
        except Exception as error:
            # The files are damaged or something else: CTranslate2 raises RuntimeError, the tokenizer a bare Exception.
            pull = folder != Path(model).expanduser()
            raise _missing(model, f"cannot be loaded ({type(error).__name__})", pull=pull) from error

    def transcribe(self, audio: Audio, language: str | None, cancelled: Callable[[], bool] = lambda: False) -> Heard:
        """Transcribe at most 30 s of audio. Raises UtteranceCancelled where `cancelled` said so between two steps."""
        began_s = time.perf_counter()
        if is_silent(audio):
            return Heard("", language or self.languages[0], 0.0, 1.0, -math.inf, time.perf_counter() - began_s)
        length_s = audio.size / SAMPLE_RATE_HZ
        features = self._log_mel(audio)
        _unless(cancelled)
        encoded = self._model.encode(features)
        _unless(cancelled)
        if language is None:
            language = self._detect(encoded)
        decoded = self._decode(encoded, language, length_s)
        text = spoken_text(decoded, length_s)
        busy_s = time.perf_counter() - began_s
        return Heard(text, language, math.exp(decoded.logprob), decoded.no_speech, decoded.logprob, busy_s)

    def _log_mel(self, audio: Audio) -> Any:
        import ctranslate2

        window_s = min(LONGEST_S, max(_SHORTEST_WINDOW_S, audio.size / SAMPLE_RATE_HZ + _SILENCE_BEHIND_S))
        # The encoder halves the number of frames: it has to be even.
        step = 2 * self._features.hop_length
        samples = int(window_s * SAMPLE_RATE_HZ) // step * step
        padded = np.zeros(samples, np.float32)
        padded[: audio.size] = audio[:samples]
        features = self._features(padded, padding=0)
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(features[np.newaxis], np.float32))

    def _detect(self, encoded: Any) -> str:
        if not self._model.is_multilingual:
            return "en"
        token, _ = self._model.detect_language(encoded)[0][0]
        return str(token[2:-2])  # <|en|>

    def _decode(self, encoded: Any, language: str, length_s: float) -> Decoded:
        from faster_whisper.tokenizer import Tokenizer

        tokenizer = Tokenizer(self._tokens, self._model.is_multilingual, task="transcribe", language=language)
        rate = _TOKENS_A_SECOND if language == "en" else _TOKENS_A_SECOND_IN_ANY_SCRIPT
        most = min(_MOST_TOKENS, _TOKENS + math.ceil(rate * length_s))
        result = self._model.generate(
            encoded,
            [[*tokenizer.sot_sequence, tokenizer.no_timestamps]],
            beam_size=1,
            max_length=2 * most,  # CTranslate2 stops at half of it: the other half is for a prompt
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        # The score is a mean over the tokens of the text, the sum has the end's token in it.
        logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        text = tokenizer.decode(tokens).strip()
        return Decoded(text, result.no_speech_prob, logprob, cut=len(tokens) >= most)


def _unless(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise UtteranceCancelled
