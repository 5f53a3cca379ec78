"""The commands that bring missing packages, good from any folder: for the Python that runs this, whatever is on the path."""

from __future__ import annotations

import shlex
import subprocess
import sys
from typing import Final

CPU_TORCH: Final = "https://download.pytorch.org/whl/cpu"
"""Has torch without the gigabytes of CUDA that PyPI's brings on Linux."""
POCKET_TTS: Final = "pocket-tts>=4.0.1"
"""All that the extra `agent` is; named itself, as the extra's name needs the folder that this was installed from."""


def pip_install(*arguments: str) -> str:
    """The command line that has pip install packages, quoted as the shell here wants it."""
    command = [sys.executable or "python", "-m", "pip", "install", *arguments]
    if sys.platform != "win32":
        return shlex.join(command)
    return " ".join(f'"{word}"' if ">" in word else subprocess.list2cmdline([word]) for word in command)


def install_pocket_tts() -> str:
    """The command line that brings Pocket TTS, and torch for processors with it."""
    return pip_install(POCKET_TTS, "--extra-index-url", CPU_TORCH)
