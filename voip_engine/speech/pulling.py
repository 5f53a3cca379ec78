"""Whisper and Pocket TTS models into our own folder, from the hub or from a folder on this machine.

Both ways fill a folder `….part` (or `….copy`) and give it its name once it is whole.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voip_engine.installing import install_pocket_tts
from voip_engine.speech import model_folders as folders
from voip_engine.speech.base import ModelMissing
from voip_engine.speech.models import OnProgress, PullError, PullProgress, parse_model

if TYPE_CHECKING:
    from httpx import AsyncClient

    from voip_engine.speech.downloads import RemoteFile

_COPY_BYTES: Final = 1 << 22

Location = tuple[str, str, str]
"""Repository, path and revision on the hub."""


async def fetch_model(model: str, voices: tuple[str, ...], on_progress: OnProgress) -> None:
    """Fetch a Whisper or Pocket TTS model from the hub. Raises PullError or ModelMissing."""
    from voip_engine.speech.downloads import disk_trouble, hub_client

    kind, name = parse_model(model)
    home = folders.home_of(kind, name)
    try:
        async with hub_client(model) as client:
            if kind == "whisper":
                await _fetch_whisper(client, name, home, _reporter(model, on_progress))
            else:
                await _fetch_pocket(client, name, voices, home, _reporter(model, on_progress))
    except OSError as error:
        raise disk_trouble(error, home) from error


async def take_over(model: str, source: Path, voices: tuple[str, ...], on_progress: OnProgress) -> None:
    """Copy a Whisper or Pocket TTS model out of a folder, or the folder of a file. Raises PullError naming what it lacks."""
    from voip_engine.speech.downloads import disk_trouble

    kind, name = parse_model(model)
    home = folders.home_of(kind, name)
    copy = home.with_name(f"{home.name}.copy")
    try:
        files, config = _files_of(source, kind, name, voices)
        try:
            await _copy_all(files, copy, _reporter(model, on_progress))
            if config is not None:
                (copy / folders.POCKET_CONFIG).write_text(config)
            _give_name(copy, home)
        finally:
            shutil.rmtree(copy, ignore_errors=True)
    except OSError as error:
        raise disk_trouble(error, home) from error


# ---- from the hub ---------------------------------------------------------------------------------------------------

Report = Callable[[int, int | None, str], None]


async def _fetch_whisper(client: AsyncClient, name: str, home: Path, report: Report) -> None:
    from voip_engine.speech.downloads import look_up

    if folders.whisper_folder(name) is not None:
        report(0, 0, "already here")
        return
    repository = folders.whisper_repository(name)
    if repository is None:
        raise PullError(f"There is no Whisper model {name!r}; there are {', '.join(folders.WHISPER_REPOSITORIES)}.")
    report(0, None, "looking")
    files: list[tuple[RemoteFile, Path]] = []
    for group in (*folders.WHISPER_FILES, folders.WHISPER_EXTRAS):
        there = [file for path in group if (file := await look_up(client, repository, path, "main")) is not None]
        if not there and group is not folders.WHISPER_EXTRAS:
            raise PullError(f"{repository} holds no CTranslate2 Whisper model: it lacks {' or '.join(group)}.")
        files += [(file, Path(file.path)) for file in there]
    part = home.with_name(f"{home.name}.part")
    await _fetch_all(client, files, part, report)
    _give_name(part, home)


async def _fetch_pocket(client: AsyncClient, name: str, voices: tuple[str, ...], home: Path, report: Report) -> None:
    from voip_engine.speech.downloads import look_up

    template = _template(name)
    text = template.read_text()
    locations = folders.config_locations(text)
    if not locations or not all(location.startswith("hf://") for location in locations):
        raise PullError(f"{template} names files of this machine; there is nothing to fetch.")
    whole = folders.pocket_config(name) is not None
    wanted = [] if whole else [(location, Path(_file_name(location))) for location in locations]
    for voice in voices:
        if folders.pocket_voice(name, voice) is None:
            target = Path(folders.POCKET_VOICES) / f"{voice}.safetensors"
            wanted.append((folders.voice_location(locations[0], voice), target))
    if not wanted:
        report(0, 0, "already here")
        return
    report(0, None, "looking")
    files = []
    for location, target in wanted:
        file = await look_up(client, *folders.split_location(location))
        if file is None and target.parent.name == folders.POCKET_VOICES:
            raise PullError(f"Pocket TTS has no voice {target.stem!r} for {name}. Set another, or the path of a file.")
        if file is None:
            raise PullError(f"The hub has no {location.removeprefix('hf://')}.")
        files.append((file, target))
    if whole:
        await _fetch_all(client, files, home, report)
        return
    part = home.with_name(f"{home.name}.part")
    await _fetch_all(client, files, part, report)
    (part / folders.POCKET_CONFIG).write_text(_localised(text, locations, home))
    _give_name(part, home)


async def _fetch_all(client: AsyncClient, files: list[tuple[RemoteFile, Path]], folder: Path, report: Report) -> None:
    """Fetch files into a folder, one after the other: the line is the bottleneck, and what is whole stays whole."""
    from voip_engine.speech.downloads import fetch, fetched_bytes, require_space

    _make_folders(folder, (target for _, target in files))
    total = sum(file.size_bytes for file, _ in files)
    here = {target: fetched_bytes(file, folder / target) for file, target in files}
    require_space(folder, total - sum(here.values()))
    report(sum(here.values()), total, "fetching")
    for file, target in files:

        def arrived(count: int, target: Path = target) -> None:
            here[target] = count
            report(sum(here.values()), total, "fetching")

        await fetch(client, file, folder / target, arrived)
    report(total, total, "done")


# ---- from a folder --------------------------------------------------------------------------------------------------


def _files_of(
    source: Path, kind: str, name: str, voices: tuple[str, ...]
) -> tuple[list[tuple[Path, Path]], str | None]:
    """What to copy where, and the configuration to write beside it."""
    source = source if source.is_dir() else source.parent
    if kind == "whisper":
        return _whisper_files_of(source), None
    return _pocket_files_of(source, name, voices, folders.home_of(kind, name))


def _whisper_files_of(source: Path) -> list[tuple[Path, Path]]:
    if missing := folders.lacking(source, folders.WHISPER_FILES):
        raise PullError(f"{source} is no CTranslate2 Whisper model: it lacks {', '.join(missing)}.")
    names = [name for group in (*folders.WHISPER_FILES, folders.WHISPER_EXTRAS) for name in group]
    return [(source / name, Path(name)) for name in names if (source / name).is_file()]


def _pocket_files_of(
    source: Path, name: str, voices: tuple[str, ...], home: Path
) -> tuple[list[tuple[Path, Path]], str]:
    own = next(iter(sorted((*source.glob("*.yaml"), *source.glob("*.yml")))), None)
    text = (own or _template(name)).read_text()
    locations = folders.config_locations(text)
    if not locations:
        raise PullError(f"{own} names no weights_path.")
    names = [_file_name(location) for location in locations]
    if missing := folders.lacking(source, tuple((name,) for name in names)):
        raise PullError(f"{source} is no Pocket TTS model {name}: it lacks {', '.join(missing)}.")
    spoken = {
        path.stem: path
        for folder in (source, source / "embeddings", source / folders.POCKET_VOICES)
        for path in sorted(folder.glob("*.safetensors"))
        if path.name not in names
    }
    if unspoken := [voice for voice in voices if voice not in spoken]:
        lacks = ", ".join(f"embeddings/{voice}.safetensors" for voice in unspoken)
        raise PullError(f"{source} lacks the voice that the settings name: {lacks}.")
    files = [(source / name, Path(name)) for name in names]
    files += [(path, Path(folders.POCKET_VOICES) / path.name) for path in spoken.values()]
    return files, _localised(text, locations, home)


async def _copy_all(files: list[tuple[Path, Path]], folder: Path, report: Report) -> None:
    from voip_engine.speech.downloads import require_space

    shutil.rmtree(folder, ignore_errors=True)
    _make_folders(folder, (target for _, target in files))
    total = sum(path.stat().st_size for path, _ in files)
    require_space(folder, total)
    done = 0
    for path, target in files:
        with path.open("rb") as from_, (folder / target).open("wb") as to:
            while data := await asyncio.to_thread(from_.read, _COPY_BYTES):
                await asyncio.to_thread(to.write, data)
                done += len(data)
                report(done, total, "copying")
    report(total, total, "done")


# ---- both -----------------------------------------------------------------------------------------------------------


def _make_folders(folder: Path, files: Iterable[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)


def _template(name: str) -> Path:
    if folders.pocket_package() is None:
        raise ModelMissing(
            f"Pocket TTS is not installed. Run: {install_pocket_tts()}",
            what="Pocket TTS",
            mend=install_pocket_tts(),
            model=f"pocket:{name}",
        )
    template = folders.pocket_template(name)
    if template is None:
        raise PullError(
            f"Pocket TTS knows no {name!r}; english, french, german, italian, portuguese, spanish are some it does."
        )
    return template


def _file_name(location: str) -> str:
    return location.partition("@")[0].rpartition("/")[2]


def _localised(text: str, locations: Iterable[str], home: Path) -> str:
    """A configuration whose files lie in our own folder. JSON's strings are YAML's, too."""
    for location in locations:
        for written in (f'"{location}"', f"'{location}'", location):
            text = text.replace(f": {written}", f": {json.dumps(str(home / _file_name(location)))}")
    return text


def _give_name(folder: Path, home: Path) -> None:
    """Let a whole model be found. One of that name which was not whole gives way."""
    shutil.rmtree(home, ignore_errors=True)
    folder.rename(home)


def _reporter(model: str, on_progress: OnProgress) -> Report:
    def report(done_bytes: int, total_bytes: int | None, status: str) -> None:
        on_progress(PullProgress(model, done_bytes, total_bytes, status))

    return report
