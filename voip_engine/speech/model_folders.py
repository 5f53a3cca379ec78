"""Where models lie on this machine, and what makes one whole.

~/.local/share/voip-tui/models/          or below $XDG_DATA_HOME
  whisper/<name>/                        a CTranslate2 Whisper model
  pocket/<name>/                         model.safetensors, tokenizer, config.yaml, voices/<voice>.safetensors
  …/<name>.part/                         what is on its way; never looked at by anybody else

A Whisper model is also found where faster-whisper itself keeps it, in Hugging Face's cache.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

WHISPER_REPOSITORIES: Final[Mapping[str, str]] = {
    **{
        name: f"Systran/faster-whisper-{name}"
        for name in (
            "tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "large-v1", "large-v2",
            "large-v3",
        )
    },
    "large": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    **{
        f"distil-{name}": f"Systran/faster-distil-whisper-{name}"
        for name in ("small.en", "medium.en", "large-v2", "large-v3")
    },
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
}  # fmt: skip
"""The names that faster-whisper knows, and the repositories it means by them."""

WHISPER_FILES: Final = (("model.bin",), ("config.json",), ("tokenizer.json",), ("vocabulary.txt", "vocabulary.json"))
"""What a Whisper model is made of, alternatives in one group."""

WHISPER_EXTRAS: Final = ("preprocessor_config.json",)
"""What some Whisper models have besides."""

POCKET_CONFIG: Final = "config.yaml"
POCKET_VOICES: Final = "voices"


def models_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Our own folder for models (XDG Base Directory Specification)."""
    data = environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "voip-tui" / "models"


def home_of(kind: str, name: str) -> Path:
    """Our own folder for one model, whether it is there or not. `kind` is `whisper` or `pocket`."""
    return models_folder() / kind / name.replace("/", "--").replace("\\", "--")


def lacking(folder: Path, groups: tuple[tuple[str, ...], ...]) -> list[str]:
    """The files that a folder lacks; what would do instead of one stands behind it in parentheses."""
    missing = (group for group in groups if not any((folder / name).is_file() for name in group))
    return [first + "".join(f" ({other} would do, too)" for other in others) for first, *others in missing]


# ---- Whisper --------------------------------------------------------------------------------------------------------


def whisper_folder(name: str) -> Path | None:
    """The folder of a whole Whisper model: `name` itself if it is one, our own, or one in Hugging Face's cache."""
    for folder in (Path(name).expanduser(), home_of("whisper", name), *_cached_snapshots(whisper_repository(name))):
        if folder.is_dir() and not lacking(folder, WHISPER_FILES):
            return folder
    return None


def whisper_repository(name: str) -> str | None:
    """The hub's repository for a name; a name with one slash in it is a repository itself."""
    if re.fullmatch(r"[\w.\-]+/[\w.\-]+", name):
        return name
    return WHISPER_REPOSITORIES.get(name)


# ---- Pocket TTS -----------------------------------------------------------------------------------------------------


def pocket_package() -> Path | None:
    """The folder of the installed package `pocket_tts`, found without importing it (that loads torch)."""
    spec = find_spec("pocket_tts")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def pocket_config(name: str) -> Path | None:
    """The .yaml of a whole Pocket TTS model of our own; None if there is none and the package has to know the name."""
    path = home_of("pocket", name) / POCKET_CONFIG
    return path if path.is_file() else None


def pocket_voice(name: str, voice: str) -> Path | None:
    """The file of a voice that was fetched for one of our own Pocket TTS models."""
    path = home_of("pocket", name) / POCKET_VOICES / f"{voice}.safetensors"
    return path if is_voice_name(voice) and path.is_file() else None


def pocket_template(name: str) -> Path | None:
    """The .yaml that a name means: a file itself, or one that the package brings."""
    path = Path(name).expanduser()
    if path.suffix in (".yaml", ".yml"):
        return path if path.is_file() else None
    package = pocket_package()
    bundled = package / "config" / f"{name}.yaml" if package is not None else None
    return bundled if bundled is not None and bundled.is_file() else None


def pocket_languages() -> list[str]:
    """The languages that the package brings a configuration for; further names are variants of these."""
    package = pocket_package()
    names = (path.stem for path in (package / "config").glob("*.yaml")) if package is not None else ()
    return sorted(name for name in names if name.isalpha())


_LOCATION: Final = re.compile(
    r"""\b(?P<key>(?:weights|tokenizer)_path\w*)["']?:[ ]*(?:"(?P<double>[^"]+)"|'(?P<single>[^']+)'|(?P<plain>[^\s#,}"']+))"""
)


def config_locations(text: str) -> list[str]:
    """The files that a Pocket TTS configuration needs, each `hf://…` or a path, the model's weights first.

    The weights that can clone voices are for those who asked for them; a configuration that has others is content with those.
    """
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    matches = [
        (match["key"], match["double"] or match["single"] or match["plain"]) for match in _LOCATION.finditer(lines)
    ]
    found = [(key, location) for key, location in matches if location not in ("null", "~", None)]
    cloning = [location for key, location in found if key == "weights_path" and location.startswith("hf://")]
    if any(key == "weights_path_without_voice_cloning" for key, _ in found):
        return [location for _, location in found if location not in cloning]
    return [location for _, location in found]


def voice_location(weights: str, voice: str) -> str:
    """Where the hub keeps a voice of the model whose weights lie at a location: `embeddings/` beside them."""
    path, at, revision = weights.partition("@")
    return f"{path.rpartition('/')[0]}/embeddings/{voice}.safetensors{at}{revision}"


def is_voice_name(voice: str) -> bool:
    """Whether a voice is meant by its name, not by a file."""
    return re.fullmatch(r"[\w\-]+", voice) is not None


def cached_file(location: str) -> Path | None:
    """The file of `hf://owner/repository/path@revision` in Hugging Face's cache; other locations are files themselves."""
    if not location.startswith("hf://"):
        path = Path(location).expanduser()
        return path if path.is_file() else None
    repository, path_in_it, _ = split_location(location)
    found = (folder / path_in_it for folder in _cached_snapshots(repository))
    return next((path for path in found if path.is_file()), None)


def split_location(location: str) -> tuple[str, str, str]:
    """Repository, path and revision of `hf://owner/repository/path@revision`."""
    path, _, revision = location.removeprefix("hf://").partition("@")
    owner, repository, rest = path.split("/", 2)
    return f"{owner}/{repository}", rest, revision or "main"


# ---- Hugging Face's cache -------------------------------------------------------------------------------------------


def _cached_snapshots(repository: str | None) -> Iterator[Path]:
    """All snapshots of a repository in the cache, the one that `main` meant last time first."""
    if repository is None:
        return
    folder = _hub_cache() / f"models--{repository.replace('/', '--')}"
    snapshots = folder / "snapshots"
    main = folder / "refs" / "main"
    current = main.read_text().strip() if main.is_file() else ""
    if snapshots.is_dir():
        yield from sorted(snapshots.iterdir(), key=lambda snapshot: snapshot.name != current)


def _hub_cache() -> Path:
    """As huggingface_hub finds it (docs: environment variables), without importing that."""
    environ = os.environ
    if cache := environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    caches = environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "huggingface" / "hub"
