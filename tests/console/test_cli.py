"""The command line, without a screen."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

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


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("{python} -m voip_tui doctor --listen udp:127.0.0.1:0 | head -1", 0),
        ("{python} -m voip_tui doctor --listen udp:127.0.0.1:0 | true", 0),
        ("{python} -m voip_tui doctor --listen udp:127.0.0.1:0 >&-", 0),
        ("{python} -m voip_tui doctor --listen udp:127.0.0.1:0 >&- 2>&-", 0),
        ("{python} -m voip_tui models >&-", 1),
        ("{python} -m voip_tui --help >&-", 0),
        ("{python} -m voip_tui --help | true", 0),
        ("{python} -m voip_tui demo <&- >&-", 2),
        ("{python} -m voip_engine --dial sip:a@127.0.0.1:9 >&-", 1),
        ("{python} -m voip_engine --version >&- 2>&-", 0),
    ],
)
def test_pipes_that_end_early_or_never_began_leave_no_traceback(tmp_path: Path, line: str, status: int) -> None:
    nobodys = {name: value for name, value in os.environ.items() if not name.startswith(("VOIP_", "HF_"))}
    homes = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    shell = ["sh", "-c", line.format(python=shlex.quote(sys.executable))]
    result = subprocess.run(shell, capture_output=True, text=True, timeout=40, check=False, env={**nobodys, **homes})
    for complaint in ("Traceback", "Exception ignored", "BrokenPipe"):
        assert complaint not in result.stderr
    assert result.returncode == status, result.stderr


INTERRUPTING = """
import importlib.abc, os, signal, sys

class Interrupting(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.parametrize(
    ("program", "module"),
    [
        ("voip_tui", "argparse"),
        ("voip_tui", "voip_engine.settings"),
        ("voip_engine", "argparse"),
        ("voip_engine", "msgspec"),
        ("voip_engine", "voip_engine.engine"),
    ],
)
def test_ctrl_c_while_it_starts_ends_it_without_a_word(tmp_path: Path, program: str, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING)
    command = [sys.executable, "-m", program, *(("models",) if program == "voip_tui" else ("--listen", "udp:[::1]:0"))]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "INTERRUPTED_AT": module}
    result = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=30, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


@pytest.mark.parametrize("name", ["voip-tui", "voip-engine"])
def test_the_installed_commands_start_there(name: str) -> None:
    scripts = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts[name] == f"{name.replace('-', '_')}.__main__:main"


# Linux has a disk that is always full; elsewhere there is none to try.
FULL_DISK = Path("/dev/full")


@pytest.mark.parametrize(
    "arguments",
    [
        ("voip_engine", "--listen", "udp:127.0.0.1:0"),
        ("voip_tui", "doctor", "--listen", "udp:127.0.0.1:0"),
        ("voip_tui", "--help"),
    ]
    if FULL_DISK.exists()
    else [],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_full_disk_is_said_and_ends_it(arguments: tuple[str, ...]) -> None:
    with FULL_DISK.open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        )
    *_, last = result.stderr.splitlines()
    assert last == f"{arguments[0].replace('_', '-')}: Standard output cannot be written: No space left on device."
    assert "Traceback" not in result.stderr
    assert result.returncode == 1
