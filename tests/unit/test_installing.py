"""The commands that bring missing packages: they are to work as they are told, from any folder."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

from voip_engine.installing import CPU_TORCH, POCKET_TTS, install_pocket_tts, pip_install

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]


def test_what_is_installed_is_the_extra() -> None:
    assert PROJECT["optional-dependencies"]["agent"] == [POCKET_TTS]


def test_pocket_tts_comes_with_torch_for_processors() -> None:
    assert install_pocket_tts().endswith(f" --extra-index-url {CPU_TORCH}")
    assert POCKET_TTS in install_pocket_tts()


def test_the_command_works_in_any_folder_and_a_shell_takes_it_as_it_stands(tmp_path: Path) -> None:
    command = pip_install("--help", POCKET_TTS)
    result = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "pip install [options]" in result.stdout
    assert list(tmp_path.iterdir()) == []  # a bare > would have made a file
