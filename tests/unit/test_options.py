from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from voip_engine.modes.registry import available_modes
from voip_engine.options import BUILT_IN_MODES, ENVIRONMENT_KEYS, add_engine_options, check_mode, settings_from
from voip_engine.settings import EngineSettings, Secret, SettingsError

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., EngineSettings]:
    """Settings from arguments, environment and the text of a default settings file."""

    def read(
        *arguments: str, file: str | None = None, ask: Callable[[str], str] | None = None, **environ: str
    ) -> EngineSettings:
        path = tmp_path / "voip-tui" / "settings.toml"
        if file is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(file)
            path.chmod(0o600)
        parser = argparse.ArgumentParser(prog="voip-engine")
        add_engine_options(parser)
        return settings_from(parser.parse_args(arguments), {"XDG_CONFIG_HOME": str(tmp_path), **environ}, ask)

    return read


Read = Callable[..., EngineSettings]


def test_without_anything_the_defaults_stand(settings: Read) -> None:
    assert settings() == EngineSettings()


def test_the_command_line_goes_before_the_environment_before_the_file(settings: Read) -> None:
    file = "mode = 'filed'\nmax_calls = 1\nlisten = ['udp:127.0.0.1:1']"
    read = settings("--mode", "named", file=file, VOIP_MODE="environed", VOIP_MAX_CALLS="2")
    assert (read.mode, read.max_calls, read.listen) == ("named", 2, ("udp:127.0.0.1:1",))


def test_all_options_reach_their_setting(settings: Read) -> None:
    read = settings(
        *("--listen", "udp:127.0.0.1:5060", "--listen", "tcp:[::1]:0"),
        *("--account", "sip:alice@pbx.example;transport=tcp", "--account", "sip:bob@pbx.example"),
        *("--mode", "silence", "--auto-answer", "--max-calls", "7", "--codecs", "PCMA,PCMU"),
        *("--media-host", "192.0.2.1", "--rtp-ports", "16384-32767"),
    )
    assert read.listen == ("udp:127.0.0.1:5060", "tcp:[::1]:0")
    assert [account.uri for account in read.accounts] == ["sip:alice@pbx.example;transport=tcp", "sip:bob@pbx.example"]
    assert (read.mode, read.auto_answer, read.max_calls, read.codecs) == ("silence", True, 7, ("PCMA", "PCMU"))
    assert (read.media_host, read.rtp_ports) == ("192.0.2.1", (16384, 32767))


def test_the_environment_reaches_its_settings(settings: Read) -> None:
    read = settings(
        VOIP_LISTEN="udp:127.0.0.1:5060, tcp:127.0.0.1:5060",
        VOIP_ACCOUNT="sip:alice@pbx.example",
        VOIP_AUTO_ANSWER="yes",
        VOIP_CODECS="opus G722",
        VOIP_RTP_PORTS="4000-5000",
        VOIP_MONITOR_VOLUME="0.25",
        VOIP_MONITOR_LAYOUT="mixed",
        VOIP_MAX_CALLS="",
    )
    assert read.listen == ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")
    assert read.accounts[0].uri == "sip:alice@pbx.example"
    assert (read.auto_answer, read.codecs, read.rtp_ports) == (True, ("opus", "G722"), (4000, 5000))
    assert (read.monitor_volume, read.monitor_layout, read.max_calls) == (0.25, "mixed", 100)


def test_auto_answer_can_be_switched_off_again(settings: Read) -> None:
    assert settings("--no-auto-answer", VOIP_AUTO_ANSWER="1").auto_answer is False


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (
            ["--max-calls", "x"],
            {},
            "--max-calls must be a whole number from 1 to 10000, not 'x'. Example: --max-calls 100",
        ),
        ([], {"VOIP_MAX_CALLS": "0"}, "Example: VOIP_MAX_CALLS=100"),
        (
            [],
            {"VOIP_AUTO_ANSWER": "maybe"},
            "VOIP_AUTO_ANSWER must be true or false, not 'maybe'. Example: VOIP_AUTO_ANSWER=true",
        ),
        (["--listen", "5060"], {}, "Example: --listen udp:0.0.0.0:5060"),
        (["--rtp-ports", "4000"], {}, "Example: --rtp-ports 16384-32767"),
        (["--codecs", "mp3"], {}, "Example: --codecs opus,PCMA"),
        (["--account", "alice"], {}, "--account must be a SIP address"),
        ([], {"VOIP_ACCOUNT": "sip:pbx.example"}, "VOIP_ACCOUNT must be a SIP address"),
    ],
)
def test_a_mistake_names_its_source_and_an_example(
    settings: Read, arguments: list[str], environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(*arguments, **environ)
    assert words in str(caught.value)


def test_a_named_settings_file_must_be_there(settings: Read, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no settings file"):
        settings("--settings", str(tmp_path / "none.toml"))
    with pytest.raises(SettingsError, match="There is no settings file"):
        settings(VOIP_SETTINGS=str(tmp_path / "none.toml"))
    (tmp_path / "other.toml").write_text("mode = 'silence'")
    assert settings("--settings", str(tmp_path / "other.toml"), file="mode = 'echo'").mode == "silence"


MODES = ("echo", "silence", "transcribe", "agent", "parrot")


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        ((), {}, "{file}: there is no mode 'ehco'. Did you mean echo?"),
        ((), {"VOIP_MODE": "ehco"}, "VOIP_MODE: there is no mode 'ehco'. Did you mean echo?"),
        (("--mode", "x"), {"VOIP_MODE": "ehco"}, "--mode: there is no mode 'x'. The modes are echo, silence,"),
    ],
)
def test_a_mode_that_is_not_there_names_its_source_and_what_may_be_meant(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str], words: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("mode = 'ehco'")
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    options = parser.parse_args(["--settings", str(file), *arguments])
    mode = settings_from(options, environ).mode
    with pytest.raises(SettingsError) as caught:
        check_mode(mode, options, environ, lambda: MODES)
    assert words.format(file=file) in str(caught.value)


def test_installed_modes_may_be_named_and_the_built_in_ones_are_known_without_looking() -> None:
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    check_mode("parrot", parser.parse_args([]), {}, lambda: MODES)
    assert tuple(available_modes())[: len(BUILT_IN_MODES)] == BUILT_IN_MODES
    for mode in BUILT_IN_MODES:
        check_mode(mode, parser.parse_args([]), {}, tuple)


# ---- accounts and passwords ----

TWO = """
[[accounts]]
uri = "sip:alice@pbx.example"
password = "hers"
display_name = "Alice"
[[accounts]]
uri = "sip:bob@pbx.example"
"""


def passwords(settings: EngineSettings) -> list[str | None]:
    return [account.password.reveal() if account.password is not None else None for account in settings.accounts]


def test_a_named_account_keeps_what_the_file_says_of_it(settings: Read) -> None:
    read = settings("--account", "sip:alice@PBX.example;transport=tcp", file=TWO)
    (account,) = read.accounts
    assert (account.uri, account.display_name) == ("sip:alice@PBX.example;transport=tcp", "Alice")
    assert account.password == Secret("hers")


def test_the_environments_password_counts_for_the_one_account_and_fills_gaps_among_several(settings: Read) -> None:
    assert passwords(settings("--account", "sip:alice@pbx.example", file=TWO, VOIP_PASSWORD="new")) == ["new"]
    assert passwords(settings(file=TWO, VOIP_PASSWORD="new")) == ["hers", "new"]


def test_who_has_no_password_is_asked(settings: Read) -> None:
    asked: list[str] = []

    def ask(account: str) -> str:
        asked.append(account)
        return "typed"

    assert passwords(settings(file=TWO, ask=ask)) == ["hers", "typed"]
    assert asked == ["sip:bob@pbx.example"]
    assert passwords(settings(file=TWO)) == ["hers", None]


def test_an_empty_password_in_the_file_means_that_there_is_none(settings: Read) -> None:
    def ask(account: str) -> str:
        raise AssertionError(f"asked for {account}")

    (account,) = settings(file="[[accounts]]\nuri = 'sip:a@b'\npassword = ''", ask=ask).accounts
    assert not account.password


@pytest.mark.parametrize("arguments", [["--password", "hunter2"], ["--password=hunter2"], ["--password"]])
def test_a_password_on_the_command_line_is_refused_unseen(
    settings: Read, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        settings(*arguments)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "VOIP_PASSWORD" in error
    assert "hunter2" not in error


# ---- documentation and weight ----


def test_every_variable_and_option_is_documented() -> None:
    text = DOCS.read_text()
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    options = [
        text for action in parser._actions if action.help != argparse.SUPPRESS for text in action.option_strings[:1]
    ]
    names = [f"VOIP_{key.upper()}" for key in ENVIRONMENT_KEYS] + ["VOIP_SETTINGS", "VOIP_ACCOUNT", "VOIP_PASSWORD"]
    missing = [name for name in names + [option for option in options if option != "-h"] if name not in text]
    assert missing == []


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import argparse, sys; from voip_engine.options import add_engine_options;"
        "parser = argparse.ArgumentParser(); add_engine_options(parser); parser.format_help();"
        "print(sorted({'asyncio', 'msgspec', 'numpy', 'tomllib'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
