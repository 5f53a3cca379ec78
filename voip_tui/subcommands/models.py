"""`voip-tui models`: which models there are, and how the missing ones get here."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from voip_engine.interrupts import INTERRUPTED, interruptible
from voip_engine.options import add_engine_options, settings_from, settings_path
from voip_tui.subcommands.columns import fitting, size

if TYPE_CHECKING:
    from voip_engine import EngineSettings
    from voip_engine.speech.models import PullProgress

NAME = "models"
HELP = "list the models that the settings name, or fetch them"
DESCRIPTION = (
    "Without more: lists the models that the settings name. `pull` fetches those that are missing, or those named: "
    "whisper:base, pocket:english, ollama:llama3.2:3b. A pull that was interrupted goes on where it stopped."
)

FAILED, USAGE = 1, 2
_BAR_CELLS = 24
_NAME_COLUMNS = 24
_REDRAW_S = 0.1
_LINE_S = 5.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `voip-tui models` takes."""
    parser.add_argument("deed", nargs="?", choices=["list", "pull"], default="list", help="default: list")
    parser.add_argument(
        "names", nargs="*", default=[], metavar="NAME", help="models to pull (default: what is missing)"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="PATH",
        type=Path,
        default=None,
        help="take the one model named from this folder or file instead of the network",
    )
    add_engine_options(parser)


def run(options: argparse.Namespace) -> int:
    """List or pull; the exit status is 1 if a model is missing or a pull failed, 2 for bad options."""
    import asyncio

    from voip_engine import SettingsError

    try:
        settings = settings_from(options, os.environ)
    except SettingsError as error:
        return _refuse(str(error), USAGE)
    if options.deed == "list" and (options.names or options.source):
        return _refuse("list takes no names; pull does.", USAGE)
    if options.source is not None and len(options.names) != 1:
        return _refuse("--from needs the name of one model: voip-tui models pull whisper:base --from PATH", USAGE)
    try:
        if options.deed == "list":
            return asyncio.run(_list(settings, settings_path(options, os.environ)[0]))
        with interruptible():
            return asyncio.run(_pull(settings, options.names, options.source))
    except KeyboardInterrupt:
        return _refuse("stopped; the same command goes on from here.", INTERRUPTED)


async def _list(settings: EngineSettings, file: Path) -> int:
    from voip_engine import models

    found = await models.status(settings)
    names = fitting([entry.model for entry in found], _NAME_COLUMNS)
    for entry, name in zip(found, names, strict=True):
        print(
            f"{'✓' if entry.present else '✗'} {name:<{_NAME_COLUMNS}} {entry.detail}  {size(entry.size_bytes)}".rstrip()
        )
        if step := entry.step(str(file)):
            print(f"  {'':<{_NAME_COLUMNS}} → {step}")
    return 0 if all(entry.present for entry in found) else FAILED


async def _pull(settings: EngineSettings, names: list[str], source: Path | None) -> int:
    from voip_engine import EngineError, models

    if not names:
        names = [entry.model for entry in await models.status(settings) if not entry.present]
        if not names:
            print("Everything is here already.")
    status = 0
    for name in names:
        with _Bar(name) as bar:
            try:
                await models.pull(name, settings, bar.show, source=source)
            except EngineError as error:
                bar.end()
                status = _refuse(str(error), FAILED)
    return status


class _Bar:
    """A progress bar on standard error; without a terminal, a line every few seconds."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._drawn_at = 0.0
        self._open = False
        self._alive = sys.stderr.isatty()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def show(self, progress: PullProgress) -> None:
        now = time.monotonic()
        over = progress.total_bytes is not None and progress.done_bytes >= progress.total_bytes
        if not over and now - self._drawn_at < (_REDRAW_S if self._alive else _LINE_S):
            return
        self._drawn_at = now
        line = f"{self._model}  {bar(progress)}"
        print(f"\r\x1b[2K{line}" if self._alive else line, end="" if self._alive else "\n", file=sys.stderr, flush=True)
        self._open = self._alive

    def end(self) -> None:
        if self._open:
            print(file=sys.stderr)
        self._open = False


def bar(progress: PullProgress) -> str:
    """Progress in one line."""
    done = f"{progress.done_bytes / 1e6:,.1f}"
    if not progress.total_bytes:
        return f"{progress.status}" if not progress.done_bytes else f"{progress.status}  {done} MB"
    share = progress.done_bytes / progress.total_bytes
    cells = "█" * int(share * _BAR_CELLS)
    return f"{cells:░<{_BAR_CELLS}} {share:4.0%}  {done} of {progress.total_bytes / 1e6:,.1f} MB  {progress.status}"


def _refuse(reason: str, status: int) -> int:
    print(f"voip-tui: {reason}", file=sys.stderr)
    return status
