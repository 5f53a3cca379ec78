"""Pocket TTS (https://github.com/kyutai-labs/pocket-tts), as the process that owns it uses it.

The library is imported when a model is loaded, which takes seconds; it takes one generation at a time.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import wave
from collections import OrderedDict
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.resample import StreamResampler
from voip_engine.speech import model_folders
from voip_engine.speech.pocket_protocol import Problem

_KEPT_VOICES: Final = 8
"""A voice's state takes up to 20 MB."""
_TRY_OUT_TEXT: Final = "One, two, three, four, five, six, seven, eight."
_TRY_OUT_S: Final = 1.5
_VOICE_FILES: Final = (".wav", ".safetensors")


class PocketError(Exception):
    """Loading or speaking failed; the message is a plain sentence."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


class Pocket:
    """A loaded model and the voices that were used last."""

    def __init__(self, model: Any, name: str, voice_names: tuple[str, ...], *, own: bool) -> None:
        self._model = model
        self._name = name
        self._voice_names = voice_names
        self._own = own
        self._voices: OrderedDict[str, Any] = OrderedDict()
        self._measured = False

    @classmethod
    def load(cls, model: str) -> Pocket:
        """Load a model by name, or by a .yaml file, from what is on this machine. Raises PocketError."""
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # else a missing file takes 24 s to be missed
        # Its warnings quote the text that is to be said.
        logging.getLogger("pocket_tts").setLevel(logging.CRITICAL)
        try:
            from pocket_tts import TTSModel
            from pocket_tts.default_parameters import _ORIGINS_OF_PREDEFINED_VOICES as VOICES
            from pocket_tts.utils.config import CONFIGS_DIR
        except ImportError as error:
            raise PocketError("package", f"Pocket TTS cannot be imported ({error}).") from error
        from_file = model.endswith((".yaml", ".yml"))
        config = Path(model).expanduser() if from_file else model_folders.pocket_config(model)
        if from_file and not Path(model).expanduser().is_file():
            raise PocketError("setting", f"speaking.model names {model!r}, and there is no such file.")
        if config is None and not (CONFIGS_DIR / f"{model}.yaml").is_file():
            names = ", ".join(sorted(file.stem for file in CONFIGS_DIR.glob("*.yaml")))
            raise PocketError("setting", f"speaking.model is {model!r}; it must be one of {names}, or a .yaml file.")
        try:
            loaded = TTSModel.load_model(language=model) if config is None else TTSModel.load_model(config=config)
        except OSError as error:  # what a model hub says offline is one, too
            problem: Problem = "setting" if from_file else "model"
            raise PocketError(problem, f"Files of the Pocket TTS model {model!r} are not on this machine.") from error
        except Exception as error:
            raise PocketError("setting", f"The Pocket TTS model {model!r} cannot be loaded: {error}") from error

        return cls(loaded, model, () if from_file else tuple(VOICES), own=config is not None)

    def open_voice(self, voice: str) -> float | None:
        """Load a voice and try it out; gives the real-time factor for the first one. Raises PocketError.

        Trying it out finds files that belong to another model. That of the first voice is longer: it is measured, after what
        only the first generation takes. Later ones must not hold up calls that are speaking.
        """
        state = self._state(voice)
        try:
            self._try_out(state, 0)
            if self._measured:
                return None
            self._measured = True
            return self._try_out(state, _TRY_OUT_S)
        except Exception as error:
            del self._voices[voice]
            raise PocketError("setting", f"The model {self._name!r} cannot speak with voice {voice!r}.") from error

    def speak(self, voice: str, text: str, stop: threading.Event) -> Generator[Audio, None, None]:
        """Give a text's audio (float32, 16 kHz) as it is made, until `stop` is set. Raises PocketError."""
        state = self._state(voice)
        resampler = StreamResampler(self._model.sample_rate, SAMPLE_RATE_HZ)
        try:
            # The stream is read to its end even when stopped: only then have the library's threads ended, too.
            for chunk in self._model.generate_audio_stream(state, text, stop=stop):
                if not stop.is_set():
                    yield resampler.push(chunk.numpy())
            if not stop.is_set():
                yield resampler.flush()
        except Exception as error:
            # Not its message: that may quote the text.
            raise PocketError("generation", f"Pocket TTS failed with {type(error).__name__}.") from error

    def _try_out(self, state: Any, until_s: float) -> float:
        """Generate so much audio, at least a chunk; gives the real-time factor."""
        stop = threading.Event()
        resampler = StreamResampler(self._model.sample_rate, SAMPLE_RATE_HZ)
        audio_s = 0.0
        began_s = time.perf_counter()
        for chunk in self._model.generate_audio_stream(state, _TRY_OUT_TEXT, stop=stop):
            resampler.push(chunk.numpy())  # the first one loads a library
            audio_s += chunk.shape[-1] / self._model.sample_rate
            if audio_s >= until_s:
                stop.set()
        return (time.perf_counter() - began_s) / audio_s

    def _state(self, voice: str) -> Any:
        """A voice as the model wants it; the voice used longest ago is dropped for a new one."""
        if voice not in self._voices:
            self._voices[voice] = self._load_voice(voice)
            if len(self._voices) > _KEPT_VOICES:
                self._voices.popitem(last=False)
        self._voices.move_to_end(voice)
        return self._voices[voice]

    def _load_voice(self, voice: str) -> Any:
        source = self._find_voice(voice)
        if voice.lower().endswith(".wav"):
            if not self._model.has_voice_cloning:
                raise PocketError(
                    "setting",
                    f"agent.voice names {voice!r}, but the weights here cannot imitate a recording: choose a voice by name, "
                    "or accept the terms on https://huggingface.co/kyutai/pocket-tts, run `hf auth login` and pull again.",
                )
            _check_recording(voice, Path(source))
        try:
            return self._model.get_state_for_audio_prompt(source, truncate=True)
        except OSError as error:
            raise PocketError("model", f"The voice {voice!r} of Pocket TTS is not on this machine.") from error
        except Exception as error:
            raise PocketError("setting", f"agent.voice names {voice!r}, which cannot be used as a voice.") from error

    def _find_voice(self, voice: str) -> Path | str:
        """The file of a voice, or its name if the library knows where that is. Raises PocketError."""
        if voice.lower().endswith(_VOICE_FILES):
            path = Path(voice).expanduser()
            if not path.is_file():
                raise PocketError("setting", f"agent.voice names {voice!r}, and there is no such file.")
            return path
        if voice not in self._voice_names:
            names = f"one of {', '.join(self._voice_names)}, or " if self._voice_names else ""
            raise PocketError(
                "setting",
                f"agent.voice is {voice!r}; with the model {self._name!r} it must be {names}a .wav or .safetensors file.",
            )
        if not self._own:
            return voice
        fetched = model_folders.pocket_voice(self._name, voice)
        if fetched is None:
            raise PocketError("model", f"The voice {voice!r} of Pocket TTS is not on this machine.")
        return fetched


def _check_recording(voice: str, path: Path) -> None:
    try:
        with wave.open(str(path), "rb") as file:
            fits = file.getsampwidth() == 2 and file.getnframes() >= file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    except (wave.Error, EOFError, OSError):
        fits = False
    if not fits or not samples.any():
        raise PocketError(
            "setting", f"agent.voice names {voice!r}: it must be a 16-bit WAV file with a second or more of speech."
        )
