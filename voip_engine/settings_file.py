"""The settings file: TOML in, checked values out.

listen = ["udp:0.0.0.0:5060"]        every key of EngineSettings, on top
[tls]                                TlsSettings
[admission]                          AdmissionSettings
[[admission.users]]                  one AdmittedUser each
[dialling]                           DiallingSettings
[voice]                              VoiceSettings
[transcription]                      TranscriptionSettings
[speaking]                           SpeakingSettings
[agent]                              AgentSettings
[[accounts]]                         one AccountSettings each
[accounts.agent]                     what differs from [agent] on the calls of the account above
[console]                            the console's own, not read here
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from voip_engine.network_settings import AdmissionSettings, AdmittedUser, DiallingSettings, TlsSettings
from voip_engine.secret import Secret
from voip_engine.settings import AccountSettings, EngineSettings, SettingsError
from voip_engine.settings_fields import convert_field, metadata
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings, VoiceSettings

_TABLES: Mapping[str, type[msgspec.Struct]] = {
    "tls": TlsSettings,
    "admission": AdmissionSettings,
    "dialling": DiallingSettings,
    "voice": VoiceSettings,
    "transcription": TranscriptionSettings,
    "speaking": SpeakingSettings,
    "agent": AgentSettings,
}


def default_path(environ: Mapping[str, str]) -> Path:
    """Where the settings file is looked for when none is named (XDG Base Directory Specification)."""
    config = environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else Path.home() / ".config") / "voip-tui" / "settings.toml"


def read_settings_file(path: Path) -> dict[str, Any]:
    """The file's settings as keyword arguments for EngineSettings. Raises SettingsError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            tables = tomllib.loads(file.read().decode())
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {path}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    _check_keys(path, tables, EngineSettings, "")
    accounts = _tables(path, tables, "accounts", 'uri = "sip:alice@pbx.example"')
    users = _admitted_users(path, tables)
    if os.name == "posix" and mode & 0o077 and any("password" in table for table in (*accounts, *users)):
        raise SettingsError(
            f"{path} holds a password and can be read by others. Run: chmod 600 {shlex.quote(str(path))}"
        )
    settings: dict[str, Any] = {
        key: _convert(path, EngineSettings, key, value, "")
        for key, value in tables.items()
        if key != "accounts" and key not in _TABLES
    }
    if users:
        made = tuple(_admitted_user(path, user, number) for number, user in enumerate(users, start=1))
        tables = {**tables, "admission": {**tables["admission"], "users": made}}
    given = {key: _table(path, tables, key, _TABLES[key], "") for key in _TABLES if key in tables}
    for key, fields in given.items():
        settings[key] = _made(path, _TABLES[key], fields)
    if accounts:
        settings["accounts"] = tuple(
            _account(path, account, f" of account {number}", given.get("agent", {}))
            for number, account in enumerate(accounts, start=1)
        )
    return settings


def _table(
    path: Path, tables: dict[str, Any], key: str, settings_type: type[msgspec.Struct], place: str
) -> dict[str, Any]:
    """The checked fields of a table inside the file or inside an account."""
    table = tables[key]
    if not isinstance(table, dict):
        first = settings_type.__struct_fields__[0]
        raise SettingsError(f"{path}: {key}{place} must be a table. {_example(settings_type, first)} below [{key}]")
    return _fields(path, table, settings_type, f" of [{key}]{place}")


def _made(path: Path, settings_type: type[msgspec.Struct], fields: dict[str, Any]) -> msgspec.Struct:
    try:
        return settings_type(**fields)
    except SettingsError as error:  # fields that don't go together
        raise SettingsError(f"{path}: {error}") from None


def _account(path: Path, table: dict[str, Any], place: str, agent: dict[str, Any]) -> AccountSettings:
    """`agent` holds the fields of the file's own [agent] table, which an account's may replace."""
    if "uri" not in table:
        raise SettingsError(f"{path}: uri{place} is missing. {_example(AccountSettings, 'uri')}")
    table = _with_secret(table)
    if "agent" in table:
        table = {**table, "agent": AgentSettings(**{**agent, **_table(path, table, "agent", AgentSettings, place)})}
    return AccountSettings(**_fields(path, table, AccountSettings, place))


def _admitted_users(path: Path, tables: dict[str, Any]) -> list[dict[str, Any]]:
    admission = tables.get("admission")
    if not isinstance(admission, dict):
        return []
    return _tables(path, admission, "users", 'username = "branch-office"', "admission.")


def _admitted_user(path: Path, table: dict[str, Any], number: int) -> AdmittedUser:
    place = f" of user {number} of [admission]"
    _check_keys(path, table, AdmittedUser, place)
    for key in AdmittedUser.__struct_fields__:
        if key not in table:
            raise SettingsError(f"{path}: {key}{place} is missing. {_example(AdmittedUser, key)}")
    return AdmittedUser(**_fields(path, _with_secret(table), AdmittedUser, place))


def _with_secret(table: dict[str, Any]) -> dict[str, Any]:
    password = table.get("password")
    return {**table, "password": Secret(password)} if isinstance(password, str) else table


def _fields(path: Path, table: dict[str, Any], settings_type: type[msgspec.Struct], place: str) -> dict[str, Any]:
    _check_keys(path, table, settings_type, place)
    return {key: _convert(path, settings_type, key, value, place) for key, value in table.items()}


def _convert(path: Path, settings_type: type[msgspec.Struct], key: str, value: object, place: str) -> Any:
    try:
        return convert_field(settings_type, key, value)
    except ValueError as error:
        examples = metadata(settings_type, key).examples or [""]
        listed = isinstance(value, str) and isinstance(examples[0], list)
        hint = "; a list belongs there, not text" if listed else ""
        raise SettingsError(f"{path}: {key}{place} {error}{hint}. {_example(settings_type, key)}") from None


def _check_keys(path: Path, keys: Iterable[str], settings_type: type[msgspec.Struct], place: str) -> None:
    known = settings_type.__struct_fields__
    for key in keys:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else f"The keys there are: {', '.join(known)}."
            raise SettingsError(f"{path}: there is no setting {key!r}{place}. {hint}")


def _tables(path: Path, tables: dict[str, Any], key: str, example: str, parent: str = "") -> list[dict[str, Any]]:
    found = tables.get(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise SettingsError(f"{path}: {parent}{key} must be tables. Example: [[{parent}{key}]] with {example} below")
    return found


def _example(settings_type: type[msgspec.Struct], key: str) -> str:
    examples = metadata(settings_type, key).examples
    return f"Example: {key} = {toml_value(examples[0])}" if examples else ""


def toml_value(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_value, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
