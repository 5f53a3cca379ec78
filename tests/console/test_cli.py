"""The command line, without a screen."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(*arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "voip_tui", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False)


def test_help_names_the_demo_and_the_engines_options() -> None:
    result = run("--help")
    assert result.returncode == 0
    for word in ("demo", "--account", "--listen", "--mode", "--settings"):
        assert word in result.stdout


def test_help_loads_neither_the_screen_nor_numbers() -> None:
    code = (
        "import sys; from voip_tui.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'textual', 'rich', 'numpy', 'msgspec', 'av', 'asyncio', 'sounddevice'} & sys.modules.keys()\n"
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    result = run(code=code)
    assert result.returncode == 0, result.stderr


def test_version() -> None:
    result = run("--version")
    assert result.returncode == 0
    assert result.stdout.startswith("voip-tui ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "needs a terminal"),
        (("demo",), "needs a terminal"),
        (("--password", "hunter2"), "never taken from the command line"),
        (("dance",), "invalid choice"),
    ],
)
def test_what_cannot_run_says_why_and_exits_with_2(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr
