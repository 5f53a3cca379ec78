"""What every test can use: helpers below tests/support, and the `peer` marker for other projects' programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.programs import missing_packages
from support.tiny_pocket import TinyPocket, build_tiny_pocket


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a peer's program its tests are skipped, saying what to install; on CI they fail instead."""
    wanted = [program for marker in item.iter_markers("peer") for program in marker.args]
    missing = missing_packages(wanted)
    if not missing:
        return
    words = f"needs {', '.join(missing)}. On Debian and Ubuntu: sudo apt-get install {' '.join(missing.values())}"
    if os.environ.get("CI") == "true":
        pytest.fail(words, pytrace=False)
    pytest.skip(words)


@pytest.fixture(scope="session")
def tiny_pocket(tmp_path_factory: pytest.TempPathFactory) -> TinyPocket:
    """A Pocket TTS model that the real library speaks with."""
    return build_tiny_pocket(tmp_path_factory.mktemp("pocket"))
