"""Which models the settings name, whether they are here, and how they get here.

A model's full name begins with what runs it: `whisper:base`, `pocket:english`, `ollama:llama3.2:3b`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from voip_engine.errors import EngineError
from voip_engine.installing import install_pocket_tts
from voip_engine.settings import EngineSettings
from voip_engine.speech import model_folders
from voip_engine.speech_settings import AgentSettings

Kind = Literal["whisper", "pocket", "ollama"]

WHISPER_CHOICE: Final = (
    "one of tiny, tiny.en, base, base.en, small, small.en, medium, medium.en, large-v3, turbo, "
    "or to a folder that holds a whole model"
)
VOICE_CHOICE: Final = "a voice's name such as alba, or to a .wav or .safetensors file that is there"


class PullError(EngineError):
    """A model cannot be fetched or taken over; the text is a plain sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model. `detail` says where it is or what is wrong, `mend` is the one command that helps, empty if it is there.

    Where no command helps, `setting` is the one that has to be changed, such as `agent.voice`, and `mend` says to what.
    """

    model: str
    title: str
    present: bool
    detail: str
    mend: str = ""
    setting: str = ""
    size_bytes: int | None = None

    def step(self, settings_file: str) -> str:
        """What to do about it in one line: the command, or the change to the settings file. Empty if nothing is to be done."""
        return f"set {self.setting} in {settings_file} to {self.mend}" if self.setting else self.mend

    def advice(self) -> str:
        """The same as a sentence."""
        return f"S{self.step('the settings file')[1:]}." if self.setting else f"Run: {self.mend}"


@dataclass(frozen=True, slots=True)
class PullProgress:
    """How far a pull is. `total_bytes` is None while nobody knows; `status` is a word or two."""

    model: str
    done_bytes: int
    total_bytes: int | None
    status: str


OnProgress = Callable[[PullProgress], None]


def parse_model(text: str) -> tuple[Kind, str]:
    """Kind and name of a model. A Whisper name or a Pocket TTS language needs no prefix. Raises PullError."""
    kind, colon, name = text.partition(":")
    if colon and name and kind in get_args(Kind):
        return cast(Kind, kind), name
    if text in model_folders.WHISPER_REPOSITORIES:
        return "whisper", text
    if model_folders.pocket_template(text) is not None:
        return "pocket", text
    raise PullError(f"There is no model {text!r}. Names look like whisper:base, pocket:english or ollama:llama3.2:3b.")


def agents_of(settings: EngineSettings) -> tuple[AgentSettings, ...]:
    """The agent of all calls, and those that accounts have of their own."""
    own = (account.agent for account in settings.accounts if account.agent is not None)
    return settings.agent, *own


def voices_of(settings: EngineSettings) -> tuple[str, ...]:
    """The voices that agents speak with, each once."""
    return tuple(dict.fromkeys(agent.voice for agent in agents_of(settings)))


async def status(settings: EngineSettings) -> tuple[ModelStatus, ...]:
    """How it stands with every model that the settings name, in the order of a turn: hearing, thinking, speaking."""
    from voip_engine.speech.ollama_models import ollama_status

    wanted = dict.fromkeys((agent.host, agent.model) for agent in agents_of(settings))
    whisper, *thinking, pocket = await asyncio.gather(
        asyncio.to_thread(whisper_status, settings.transcription.model),
        *(ollama_status(host, model) for host, model in wanted),
        asyncio.to_thread(pocket_status, settings.speaking.model, voices_of(settings)),
    )
    return whisper, *thinking, pocket


async def pull(model: str, settings: EngineSettings, on_progress: OnProgress, *, source: Path | None = None) -> None:
    """Fetch a model, or take it from `source`, a folder or file on this machine. Raises PullError or ModelMissing.

    Cancelling it, or killing the program, keeps what has arrived: the next pull goes on with that. Nothing is found by its
    name before it is whole.
    """
    kind, name = parse_model(model)
    full = f"{kind}:{name}"
    if source is not None:
        _require(source)
    if kind == "ollama":
        from voip_engine.speech.ollama_models import create_from, pull_ollama

        host = next((agent.host for agent in agents_of(settings) if agent.model == name), settings.agent.host)
        if source is not None:
            await create_from(source, host, name, on_progress)
        else:
            await pull_ollama(host, name, on_progress)
    else:
        from voip_engine.speech import pulling

        voices = tuple(voice for voice in voices_of(settings) if model_folders.is_voice_name(voice))
        if source is not None:
            await pulling.take_over(full, source, voices, on_progress)
        else:
            if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
                raise PullError(f"HF_HUB_OFFLINE forbids downloads. Run: HF_HUB_OFFLINE=0 voip-tui models pull {full}")
            await pulling.fetch_model(full, voices, on_progress)


def whisper_status(name: str) -> ModelStatus:
    """How it stands with a Whisper model, by name or folder."""
    title = f"Whisper model {name}"
    folder = model_folders.whisper_folder(name)
    if folder is not None:
        return ModelStatus(f"whisper:{name}", title, True, str(folder), size_bytes=_size(folder))
    wrong = _wrong_whisper(name)
    if wrong:
        return ModelStatus(f"whisper:{name}", title, False, wrong, WHISPER_CHOICE, "transcription.model")
    return ModelStatus(f"whisper:{name}", title, False, "Not on this machine.", f"voip-tui models pull whisper:{name}")


def _wrong_whisper(name: str) -> str:
    """Why there can be no Whisper model of this name, or nothing."""
    path = Path(name).expanduser()
    if path.is_dir():
        return f"{path} lacks {', '.join(model_folders.lacking(path, model_folders.WHISPER_FILES))}."
    if model_folders.whisper_repository(name) is not None:
        return ""
    return f"There is no folder {path}." if os.sep in name else f"There is no Whisper model {name!r}."


def pocket_status(name: str, voices: tuple[str, ...]) -> ModelStatus:
    """How it stands with a Pocket TTS model and the voices to be spoken with."""
    model, title = f"pocket:{name}", f"Pocket TTS {name}"
    if model_folders.pocket_package() is None:
        return ModelStatus(model, title, False, "The package pocket-tts is not installed.", install_pocket_tts())
    mend = f"voip-tui models pull {model}"
    own = model_folders.pocket_config(name)
    template = own or model_folders.pocket_template(name)
    if template is None:
        choice = f"one of {', '.join(model_folders.pocket_languages())}, or to a .yaml file that is there"
        return ModelStatus(model, title, False, f"Pocket TTS knows no {name!r}.", choice, "speaking.model")
    locations = model_folders.config_locations(template.read_text())
    files = [model_folders.cached_file(location) for location in locations]
    gone = [voice for voice in voices if not model_folders.is_voice_name(voice)]
    gone = [voice for voice in gone if model_folders.cached_file(voice) is None]
    if gone:
        return ModelStatus(model, title, False, f"There is no file {', '.join(gone)}.", VOICE_CHOICE, "agent.voice")
    if None in files or not files:
        return ModelStatus(model, title, False, "Its weights are not on this machine.", mend)
    silent = [voice for voice in voices if _voice_file(name, own is not None, locations[0], voice) is None]
    if silent:
        return ModelStatus(model, title, False, f"The voice {', '.join(silent)} is not on this machine.", mend)
    size = sum(file.stat().st_size for file in files if file is not None)
    return ModelStatus(model, title, True, str(own or files[0]), size_bytes=size)


def _require(source: Path) -> None:
    if not source.exists():
        raise PullError(f"There is nothing at {source}.")


def _voice_file(name: str, own: bool, weights: str, voice: str) -> Path | None:
    if not model_folders.is_voice_name(voice):
        return model_folders.cached_file(voice)
    if own:
        return model_folders.pocket_voice(name, voice)
    location = model_folders.voice_location(weights, voice)
    return model_folders.cached_file(location) if location.startswith("hf://") else None


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
