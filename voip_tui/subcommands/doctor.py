"""`voip-tui doctor`: what is there, what is missing, and the one command that mends it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from voip_engine.options import add_engine_options, settings_from, settings_path, source_of
from voip_tui.subcommands.columns import fitting

if TYPE_CHECKING:
    from pathlib import Path

    from voip_engine import EngineSettings
    from voip_engine.diagnostics import Check

NAME = "doctor"
HELP = "say what is there and what is missing, with the commands that mend it"
DESCRIPTION = (
    "Looks at this machine with the settings in mind: sound, models, servers, ports, certificates. Exit status 0 if "
    "everything is there that these settings need, 1 otherwise. `voip-tui doctor --mode agent` looks with an agent's needs."
)

_NAME_COLUMNS = 30
_LONGEST_NAME = 44
"""Room for most addresses; of a model's folder the middle is left out."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `voip-tui doctor` takes."""
    add_engine_options(parser)
    parser.add_argument("--json", action="store_true", default=False, help="print the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Print one line a finding. Returns 0 if everything needed is there, else 1."""
    import asyncio

    from voip_engine.settings import EngineSettings, SettingsError
    from voip_tui.subcommands.checks import examine, settings_check

    try:
        settings, trouble = settings_from(options, os.environ), ""
    except SettingsError as error:
        settings, trouble = EngineSettings(), str(error)
    file, _ = settings_path(options, os.environ)
    findings = [
        settings_check(file, trouble),
        *_appearance(settings, file),
        *asyncio.run(examine(settings, file, source_of("mode", options, os.environ))),
    ]
    healthy = all(finding.ok for finding in findings if finding.needed)
    if options.json:
        from msgspec import json

        print(json.encode({"ok": healthy, "checks": findings}).decode())
    else:
        names = fitting([finding.name for finding in findings], _LONGEST_NAME)
        columns = max(_NAME_COLUMNS, *(min(len(name), _LONGEST_NAME) for name in names))
        for finding, name in zip(findings, names, strict=True):
            _print(finding, f"{name:<{columns}}")
        print()
        print(_verdict(settings.mode, healthy, trouble))
    return 0 if healthy else 1


def _appearance(settings: EngineSettings, file: Path) -> list[Check]:
    """What is wrong with [console], which the engine does not read."""
    from voip_engine.diagnostics import Check
    from voip_engine.settings import SettingsError
    from voip_tui.preferences import Preferences
    from voip_tui.theme import wrong_theme

    try:
        wrong = wrong_theme(Preferences.parse(settings.console).theme)
    except SettingsError as error:
        wrong = str(error)
    return [Check("console", False, f"{file}: {wrong}")] if wrong else []


def _print(finding: Check, name: str) -> None:
    mark = "✓" if finding.ok else "✗" if finding.needed else "○"
    if not (sys.stdout.encoding or "").lower().startswith("utf"):
        mark = {"✓": "ok", "✗": "NO", "○": "--"}[mark]
    print(f"{mark} {name} {finding.detail}")
    if finding.mend:
        print(f"{'':{len(mark)}} {'':<{len(name)}} → {finding.mend}")


def _verdict(mode: str, healthy: bool, trouble: str) -> str:
    if trouble:
        return "The settings cannot be used; the rest was looked at with the defaults."
    return f"Everything is there for mode {mode}." if healthy else f"Something is missing for mode {mode}."
