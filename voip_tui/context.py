"""What the console's screens share: the engine's bridge once there is one, the palette, how the console was set up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from voip_tui.bridge import Bridge
from voip_tui.dialled import Dialled
from voip_tui.theme import NIGHT, Palette, palette_for


@dataclass(frozen=True, slots=True)
class Setup:
    """How the console was started.

    `facts` are shown on the settings page, grouped by title. `poll_s` is how often snapshots are taken; None leaves it
    to whoever calls `Bridge.poll`, which gives screen tests their exact picture. `now` gives seconds since the epoch.
    """

    title: str = "voip-tui"
    facts: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    demo: bool = False
    """Whether callers come by themselves."""
    mode: str | None = None
    language: str | None = None
    """What callers are expected to speak (ISO 639-1); None: whatever is heard first. Other languages are marked."""
    volume: float = 0.8
    dialled_file: Path | None = None
    pictures_folder: Path = field(default_factory=Path.cwd)
    theme: str = "night"
    bell: bool = True
    poll_s: float | None = 0.1
    now: Callable[[], float] = time.time


@dataclass(slots=True)
class Console:
    """The running console, as its screens see it."""

    setup: Setup
    dialled: Dialled
    bridge: Bridge | None = None
    palette: Palette = field(default_factory=lambda: palette_for(NIGHT))
    volume: float = 0.8

    @classmethod
    def of(cls, setup: Setup) -> Console:
        """A console that has no engine yet."""
        return cls(setup, Dialled.load(setup.dialled_file), volume=setup.volume)
