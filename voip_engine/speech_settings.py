"""What can be set about hearing, thinking and speaking."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from voip_engine.languages import LANGUAGES, meant_by
from voip_engine.settings_fields import SettingsError, check, check_fields

DEFAULT_BACKCHANNELS = (
    "mhm", "mm-hmm", "mm hmm", "uh-huh", "uh huh", "hm", "hmm", "mm", "yeah", "yep", "yes", "okay", "ok", "right", "sure",
    "i see", "got it", "ja", "jaja", "aha", "genau", "gut", "achso", "oui", "d'accord", "si", "sí", "vale", "claro",
)  # fmt: skip


ENGLISH_ONLY = ".en"
"""How the names of Whisper models end that know no other language."""


class VoiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a caller counts as speaking, and what of it makes an utterance. Raises SettingsError."""

    detector: Annotated[
        Literal["silero", "energy"],
        Meta(description="silero (a model tells speech from noise) or energy (loudness)", examples=["silero"]),
    ] = "silero"
    threshold_rms: Annotated[
        float, Meta(gt=0, lt=1, description="a loudness above 0 and below 1, full scale being 1", examples=[0.001])
    ] = 0.001
    start_threshold: Annotated[float, Meta(gt=0, lt=1, description="a probability from 0 to 1", examples=[0.5])] = 0.5
    stop_threshold: Annotated[
        float, Meta(gt=0, lt=1, description="a probability from 0 to 1, not above start_threshold", examples=[0.35])
    ] = 0.35
    silence_s: Annotated[float, Meta(ge=0.1, le=10, description="0.1 to 10 seconds", examples=[0.5])] = 0.5
    minimum_utterance_s: Annotated[
        float,
        Meta(
            ge=0, le=10, description="0 to 10 seconds, the 0.3 s before and the silence after included", examples=[1.0]
        ),
    ] = 1.0
    longest_utterance_s: Annotated[float, Meta(ge=5, le=29, description="5 to 29 seconds", examples=[28])] = 28.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.stop_threshold > self.start_threshold:
            raise SettingsError("stop_threshold must not be above start_threshold.")
        if self.minimum_utterance_s >= self.longest_utterance_s:
            raise SettingsError(
                "minimum_utterance_s must be below longest_utterance_s, or nothing is ever transcribed."
            )


class TranscriptionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How speech becomes text. Raises SettingsError."""

    model: Annotated[
        str, Meta(min_length=1, description="a Whisper model by name, or a folder that holds one", examples=["base"])
    ] = "base"
    language: Annotated[
        str | None, Meta(description="a language code; without it the language is detected", examples=["en"])
    ] = None
    threads: Annotated[int, Meta(ge=0, le=64, description="0 to 64; 0 takes all cores but one", examples=[2])] = 0
    backlog: Annotated[int, Meta(ge=1, le=1_000, description="utterances that may wait, 1 to 1000", examples=[16])] = 16
    deadline_s: Annotated[float, Meta(ge=1, le=300, description="1 to 300 seconds", examples=[20])] = 20.0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.model.endswith(ENGLISH_ONLY) and self.language not in (None, "en"):
            raise SettingsError(
                f"language of [transcription] is {self.language}, but the model {self.model} knows English alone. "
                f'Set a model without {ENGLISH_ONLY}, such as "base", or language = "en".'
            )


class SpeakingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How text becomes speech. Raises SettingsError."""

    model: Annotated[
        str,
        Meta(
            min_length=1,
            description="a Pocket TTS language or configuration by name, or a .yaml file",
            examples=["english"],
        ),
    ] = "english"
    workers: Annotated[int, Meta(ge=1, le=64, description="1 to 64", examples=[1])] = 1

    def __post_init__(self) -> None:
        check_fields(self)


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the agent behaves; an account or a call may have its own. Raises SettingsError."""

    host: Annotated[str, Meta(description="the address of an Ollama server", examples=["http://127.0.0.1:11434"])] = (
        "http://127.0.0.1:11434"
    )
    model: Annotated[str, Meta(min_length=1, description="the name of an Ollama model", examples=["llama3.2:3b"])] = (
        "llama3.2:3b"
    )
    prompt: Annotated[str, Meta(description="a text in quotes", examples=["You are the night porter of …"])] = (
        "You are on the phone. Answer in one to three short spoken sentences, in the language of the caller, "
        "without lists, markup or emoji."
    )
    voice: Annotated[
        str,
        Meta(min_length=1, description="a Pocket TTS voice by name, or a .wav or .safetensors file", examples=["alba"]),
    ] = "alba"
    greeting: Annotated[str, Meta(description="what callers hear first; empty for nothing", examples=["Hello?"])] = ""
    opening: Annotated[
        str, Meta(description="what the called hear first; empty for nothing", examples=["Hello, this is …"])
    ] = ""
    idle_prompt: Annotated[
        str, Meta(description="what is said when nobody speaks; empty for nothing", examples=["Are you still there?"])
    ] = ""
    idle_s: Annotated[float, Meta(ge=1, le=600, description="1 to 600 seconds", examples=[10])] = 10.0
    interruptible: Annotated[bool, Meta(description="true or false", examples=[True])] = True
    backchannels: Annotated[
        tuple[str, ...],
        Meta(description="words that don't interrupt the agent", examples=[["mhm", "okay", "ja", "right"]]),
    ] = DEFAULT_BACKCHANNELS
    keep_turns: Annotated[
        int, Meta(ge=1, le=1_000, description="turns that the model is shown, 1 to 1000", examples=[20])
    ] = 20
    keep_alive: Annotated[
        str,
        Meta(
            pattern=r"^-?[0-9]+(ms|s|m|h)?$",
            description="a time in seconds, or with its unit as in 500ms, 90s, 30m, 2h; -1 is for ever",
            examples=["30m"],
        ),
    ] = "30m"
    connect_timeout_s: Annotated[float, Meta(gt=0, le=60, description="up to 60 seconds", examples=[3])] = 3.0
    load_timeout_s: Annotated[float, Meta(gt=0, le=3_600, description="up to 3600 seconds", examples=[120])] = 120.0
    token_timeout_s: Annotated[float, Meta(gt=0, le=600, description="up to 600 seconds", examples=[15])] = 15.0

    def __post_init__(self) -> None:
        check_fields(self)


def _check_host(text: str) -> None:
    if not re.fullmatch(r"https?://[^/\s@]+/?", text):
        raise ValueError("it begins with http:// or https://, and holds no user name and no path")


def _check_language(code: str) -> None:
    if code in LANGUAGES:
        return
    if (meant := meant_by(code)) is not None:
        raise ValueError(f"did you mean {meant}, which is {LANGUAGES[meant]}?")
    raise ValueError(f"{code[:20]!r} is none of the {len(LANGUAGES)} that Whisper knows, such as en, de, fr, es and zh")


check(AgentSettings, "host", _check_host)
check(TranscriptionSettings, "language", _check_language)
