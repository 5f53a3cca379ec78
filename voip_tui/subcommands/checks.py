"""What `voip-tui doctor` looks at. Each check answers within seconds and never raises."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import sys
from collections.abc import Awaitable, Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from voip_engine import (
    AccountSettings,
    EngineSettings,
    MonitorError,
    TlsSettings,
    list_devices,
    models,
)
from voip_engine.diagnostics import Check, callers, certificates, listening, mode, servers, stun
from voip_engine.installing import CPU_TORCH, install_pocket_tts, pip_install
from voip_tui.subcommands.columns import size

CHECK_S: Final = 5.0
IN_USE: Final = "is already in use"
PORT_TAKEN: Final = "perhaps that is a voip-tui of yours that runs: then nothing is wrong, or stop it"


async def examine(settings: EngineSettings, file: Path, mode_source: str) -> list[Check]:
    """Look at everything at once. Only what these settings use counts as needed; `file` is where they are changed.

    `mode_source` says where the mode was set, which may be the command line or the environment.
    """

    groups: list[Awaitable[list[Check]]] = [
        asyncio.to_thread(lambda: [_python(), _terminal(), *_packages(settings)]),
        _models(settings, file),
        _sound(settings),
        asyncio.to_thread(lambda: [*_audio_ports(settings), callers(settings)]),
        certificates(settings),
        stun(settings),
        *(_servers(account, settings.tls) for account in settings.accounts),
        mode(settings, f"set mode in {file}" if mode_source == str(file) else f"give {mode_source} another name"),
        _listening(settings),
    ]
    return [check for checks in await asyncio.gather(*groups) for check in checks]


def settings_check(file: Path, trouble: str) -> Check:
    """Where the settings come from, and whether they can be used."""
    if trouble:
        return Check("settings", False, trouble)
    return Check("settings", True, str(file) if file.exists() else f"defaults; {file} is not there", needed=False)


# ---- this machine ---------------------------------------------------------------------------------------------------


def _python() -> Check:
    return Check("Python", True, f"{platform.python_version()}, {platform.system()} {platform.machine()}")


def _terminal() -> Check:
    term, colours = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if not sys.stdout.isatty():
        return Check("terminal", True, "none here; the console needs one, voip-engine does not", needed=False)
    if term in ("", "dumb"):
        return Check("terminal", False, f"TERM is {term or 'not set'}", needed=False, mend="export TERM=xterm-256color")
    shown = (
        "16 million colours" if colours in ("truecolor", "24bit") else "256 colours" if "256" in term else "few colours"
    )
    return Check("terminal", True, f"{term}, {shown}", needed=False)


def _packages(settings: EngineSettings) -> Iterator[Check]:
    yield _package("faster-whisper", "faster_whisper", _hears(settings), pip_install("faster-whisper"))
    yield _package("ollama client", "ollama", _speaks(settings), pip_install("ollama"))
    torch = _package("torch", "torch", _speaks(settings), "")  # comes with Pocket TTS, whose command stands below
    if torch.ok and "+cu" in torch.detail:
        torch = Check(torch.name, True, f"{torch.detail}; the CPU build is enough, see {CPU_TORCH}", torch.needed)
    pocket = _package("Pocket TTS", "pocket_tts", _speaks(settings), install_pocket_tts())
    yield replace(torch, mend=install_pocket_tts()) if pocket.ok and not torch.ok else torch
    yield pocket


def _package(name: str, module: str, needed: bool, mend: str) -> Check:
    if find_spec(module) is None:
        return Check(name, False, "not installed", needed, mend)
    try:
        return Check(name, True, version(module.replace("_", "-")), needed)
    except PackageNotFoundError:
        return Check(name, True, "installed", needed)


async def _sound(settings: EngineSettings) -> list[Check]:
    needed = settings.monitor_device is not None
    try:
        async with asyncio.timeout(CHECK_S):
            devices = await list_devices()
    except MonitorError as error:
        mend = "sudo apt-get install libportaudio2" if "PortAudio" in str(error) and sys.platform == "linux" else ""
        return [Check("speakers", False, str(error), needed, mend)]
    except TimeoutError:
        return [Check("speakers", False, "The sound system does not answer.", needed)]
    names = [device.name for device in devices]
    if not names:
        return [Check("speakers", False, "PortAudio is there, but no output device.", needed)]
    if settings.monitor_device is not None and not any(settings.monitor_device in name for name in names):
        detail = f"There is no {settings.monitor_device!r}; there are {', '.join(names)}."
        return [Check("speakers", False, detail, needed)]
    return [Check("speakers", True, ", ".join(names), needed)]


# ---- models ---------------------------------------------------------------------------------------------------------


def _speaks(settings: EngineSettings) -> bool:
    return settings.mode == "agent" or any(account.agent is not None for account in settings.accounts)


def _hears(settings: EngineSettings) -> bool:
    return settings.mode == "transcribe" or _speaks(settings)


async def _models(settings: EngineSettings, file: Path) -> list[Check]:
    try:
        async with asyncio.timeout(CHECK_S):
            found = await models.status(settings)
    except TimeoutError:
        return [Check("models", False, "Looking for them takes too long.", _hears(settings))]
    return [
        Check(
            entry.title,
            entry.present,
            ", ".join(filter(None, (entry.detail, size(entry.size_bytes)))),
            _hears(settings) if entry.model.startswith("whisper:") else _speaks(settings),
            entry.step(str(file)),
        )
        for entry in found
    ]


# ---- the network ----------------------------------------------------------------------------------------------------


def _audio_ports(settings: EngineSettings) -> Iterator[Check]:
    if settings.rtp_ports is None:
        yield Check("audio ports", True, "any free ones")
        return
    lowest, highest = settings.rtp_ports
    starts = range(lowest + lowest % 2, highest, 2)
    free = sum(_pair_is_free(settings.media_host or "0.0.0.0", port) for port in starts)
    yield Check("audio ports", free > 0, f"{free} of {len(starts)} pairs from {lowest} to {highest} are free")


def _pair_is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port, socket.SOCK_DGRAM)
        _bind(host, port + 1, socket.SOCK_DGRAM)
    except OSError:
        return False
    return True


def _bind(host: str, port: int, kind: socket.SocketKind) -> None:
    """Take a port and give it back. Raises OSError."""
    family, _, _, _, target = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
    with ExitStack() as stack:
        taken = stack.enter_context(socket.socket(family, kind))
        if kind == socket.SOCK_STREAM and os.name == "posix":
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(target)


async def _listening(settings: EngineSettings) -> list[Check]:
    found = await listening(settings.addresses_to_listen_on)
    return [replace(each, mend=PORT_TAKEN) if IN_USE in each.detail and not each.ok else each for each in found]


async def _servers(account: AccountSettings, tls: TlsSettings) -> list[Check]:
    return [await servers(account, tls)]
