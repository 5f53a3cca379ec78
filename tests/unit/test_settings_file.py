"""Settings files: what they may say, what a mistake in one is told as, and that all of it is documented."""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import pytest

from voip_engine.languages import LANGUAGES
from voip_engine.network_settings import AdmissionSettings, DiallingSettings, TlsSettings
from voip_engine.settings import AccountSettings, EngineSettings, Secret, SettingsError
from voip_engine.settings_file import read_settings_file
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings, VoiceSettings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
PASSWORD = "correct horse"


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def error_of(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read_settings_file(write(folder, text))
    return str(caught.value)


# ---- files ----


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"""
        listen = ["udp:127.0.0.1:5060", "tcp:[::1]:0"]
        codecs = ["PCMA", "opus"]
        rtp_ports = [16384, 32767]
        media_timeout_s = 10
        [voice]
        silence_s = 0.8
        [[accounts]]
        uri = "sip:alice@pbx.example;transport=tcp"
        password = "{PASSWORD}"
        [[accounts]]
        uri = "sip:bob@other.example"
        register = false
        [console]
        theme = "nord"
        """,
    )
    settings = EngineSettings(**read_settings_file(path))
    assert settings.listen == ("udp:127.0.0.1:5060", "tcp:[::1]:0")
    assert settings.codecs == ("PCMA", "opus")
    assert settings.rtp_ports == (16384, 32767)
    assert settings.media_timeout_s == 10
    assert settings.voice == VoiceSettings(silence_s=0.8)
    assert settings.console == {"theme": "nord"}
    assert [account.register for account in settings.accounts] == [True, False]
    assert settings.accounts[0].password == Secret(PASSWORD)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_calls = 0", "max_calls must be a whole number from 1 to 10000, not 0. Example: max_calls = 100"),
        ("auto_anwser = true", "there is no setting 'auto_anwser'. Did you mean auto_answer?"),
        ("zzz = 1", "there is no setting 'zzz'. The keys there are: listen,"),
        ("[voice]\nsilence = 1", "there is no setting 'silence' of [voice]. Did you mean silence_s?"),
        ("[voice]\nsilence_s = 0", "silence_s of [voice] must be 0.1 to 10 seconds, not 0. Example: silence_s = 0.5"),
        ("voice = 1", "voice must be a table"),
        ("[voice]\nstop_threshold = 0.9", "stop_threshold must not be above start_threshold"),
        (
            "[voice]\nminimum_utterance_s = 6\nlongest_utterance_s = 5",
            "minimum_utterance_s must be below longest_utterance_s",
        ),
        (
            "[voice]\nminimum_utterance_s = 5\nlongest_utterance_s = 5",
            "minimum_utterance_s must be below longest_utterance_s",
        ),
        ("[transcription]\nlanguage = 'xx'", "'xx' is none of the 100 that Whisper knows, such as en, de"),
        ("[transcription]\nlanguage = 'english'", "did you mean en, which is English?"),
        ("[transcription]\nlanguage = 'de-DE'", "did you mean de, which is German?"),
        (
            "[transcription]\nmodel = 'base.en'\nlanguage = 'de'",
            'the model base.en knows English alone. Set a model without .en, such as "base", or language = "en".',
        ),
        ("[agent]\nhost = 'ollama'", "host of [agent] must be the address of an Ollama server"),
        ("[transcription]\nmodle = 'base'", "there is no setting 'modle' of [transcription]. Did you mean model?"),
        (
            "[[accounts]]\nuri = 'sip:a@b'\n[accounts.agent]\nidle_s = 0",
            "idle_s of [agent] of account 1 must be 1 to 600",
        ),
        ("accounts = 1", "accounts must be tables"),
        ("rtp_ports = '16384-32767'", "a list belongs there, not text. Example: rtp_ports = [16384, 32767]"),
        ("[admission]\nnetworks = ['10.0.0.5/8']", "'10.0.0.5/8' has host bits set; did you mean 10.0.0.0/8?"),
        (
            "[[admission.users]]\nusername = 'a'\npasword = 'x'",
            "there is no setting 'pasword' of user 1 of [admission]. Did you mean password?",
        ),
        (
            "[[accounts]]\nusername = 'x'",
            'uri of account 1 is missing. Example: uri = "sip:alice@pbx.example;transport=tls"',
        ),
        (
            "[[accounts]]\nuri = 'sip:a@b'\nexpires_s = '5'",
            "expires_s of account 1 must be 60 to 86400 seconds, not '5'",
        ),
        (
            "[[accounts]]\nuri = 'sip:a@b'\npasword = 'x'",
            "there is no setting 'pasword' of account 1. Did you mean password?",
        ),
        (
            "[[accounts]]\nuri = 'sip:a@b'\nsrtp = 'always'",
            "srtp of account 1 must be off, offered or required, not 'always'",
        ),
        ("stun = 'stun://stun.example'", "with a port or without; no :// stands in it. Example: stun ="),
        ("session_timer_s = 60", "must be 0, or 90 to 86400 seconds; RFC 4028 allows no less than 90"),
        ("[tls]\nkey_file = 'phone.key'", "key_file of [tls] needs a certificate_file beside it."),
        ("[admission]\nnetworks = ['192.0.2.1/24']", "networks of [admission] must be networks or addresses"),
        ("[admission]\nusers = ['bob']", 'must be tables. Example: [[admission.users]] with username = "branch'),
        ("[[admission.users]]\nusername = 'x'", "password of user 1 of [admission] is missing."),
        ("[[admission.users]]\nusername = 'x'\npassword = ''", "an empty one would let anybody in"),
        ("[[admission.users]]\nusername = ''\npassword = 'x'", "username of user 1 of [admission] must be a text"),
        (
            "[dialling]\ndeny = '0900*'",
            'must be patterns, not \'0900*\'; a list belongs there, not text. Example: deny = ["0900*", "+*"]',
        ),
        ("listen = 'udp:0.0.0.0:5060'", 'Example: listen = ["udp:0.0.0.0:5060", "tcp:[::]:5060"]'),
        ("listen = [", "is not valid TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_the_file_and_an_example(tmp_path: Path, text: str, words: str) -> None:
    message = error_of(tmp_path, text)
    assert message.startswith(str(tmp_path / "settings.toml"))
    assert words in message


def test_an_english_model_may_be_told_that_it_is_english() -> None:
    for language in (None, "en"):
        assert TranscriptionSettings(model="base.en", language=language).language == language


def test_the_languages_are_those_that_whisper_knows() -> None:
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    assert set(LANGUAGES) == set(_LANGUAGE_CODES)


def test_a_wrong_password_entry_is_not_shown(tmp_path: Path) -> None:
    message = error_of(tmp_path, "[[accounts]]\nuri = 'sip:a@b'\npassword = 123456")
    assert "password of account 1 must be a text in quotes" in message
    assert "123456" not in message


def test_a_file_that_is_not_there_or_not_text_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no settings file"):
        read_settings_file(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_settings_file(tmp_path)
    path = tmp_path / "settings.toml"
    path.write_bytes(b"mode = '\xff'")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_settings_file(path)


@pytest.mark.skipif(os.name != "posix", reason="file permissions are a POSIX matter")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_password_that_others_can_read_is_refused_with_the_mending_command(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "my settings"
    folder.mkdir()
    path = write(folder, f"[[accounts]]\nuri = 'sip:a@b'\npassword = '{PASSWORD}'", mode)
    with pytest.raises(SettingsError) as caught:
        read_settings_file(path)
    assert str(caught.value).endswith(f"Run: chmod 600 '{path}'")
    assert PASSWORD not in str(caught.value)


def test_users_who_may_call_from_anywhere_are_read_and_their_passwords_kept_secret(tmp_path: Path) -> None:
    text = f"[[admission.users]]\nusername = 'bob'\npassword = '{PASSWORD}'"
    settings = EngineSettings(**read_settings_file(write(tmp_path, text)))
    (user,) = settings.admission.users
    assert (user.username, user.password) == ("bob", Secret(PASSWORD))
    assert PASSWORD not in repr(settings)
    with pytest.raises(SettingsError, match="holds a password and can be read by others"):
        read_settings_file(write(tmp_path, text, 0o644))


def test_a_file_without_password_may_be_read_by_all(tmp_path: Path) -> None:
    assert read_settings_file(write(tmp_path, "max_calls = 5", 0o644)) == {"max_calls": 5}


# ---- documentation ----


@pytest.mark.parametrize(
    ("heading", "settings_type"),
    [
        ("The engine", EngineSettings),
        ("`[tls]`", TlsSettings),
        ("`[admission]`", AdmissionSettings),
        ("`[dialling]`", DiallingSettings),
        ("`[voice]`", VoiceSettings),
        ("`[transcription]`", TranscriptionSettings),
        ("`[speaking]`", SpeakingSettings),
        ("`[agent]`", AgentSettings),
        ("`[[accounts]]`", AccountSettings),
    ],
)
def test_every_setting_is_documented_and_no_other(heading: str, settings_type: type[msgspec.Struct]) -> None:
    section = DOCS.read_text().partition(f"\n## {heading}")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall(r"`(\w+)`", "".join(cells))) == sorted(settings_type.__struct_fields__)


def test_an_accounts_agent_is_the_files_with_its_own_differences(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [agent]
        greeting = "Hello."
        voice = "jean"
        [[accounts]]
        uri = "sip:alice@pbx.example"
        [accounts.agent]
        voice = "anna"
        [[accounts]]
        uri = "sip:bob@pbx.example"
        """,
    )
    settings = EngineSettings(**read_settings_file(path))
    alice, bob = settings.accounts
    assert alice.agent == AgentSettings(greeting="Hello.", voice="anna")
    assert bob.agent is None
    assert settings.agent == AgentSettings(greeting="Hello.", voice="jean")


def test_the_documented_file_is_valid(tmp_path: Path) -> None:
    example = DOCS.read_text().partition("```toml\n")[2].partition("```")[0]
    settings = EngineSettings(**read_settings_file(write(tmp_path, example)))
    assert settings.accounts
    assert settings.console
    assert settings.accounts[0].agent is not None
