"""The options that `voip-engine` and `voip-tui` share, and how the settings' sources are joined.

    command line  >  environment  >  settings file  >  default

Imports nothing but argparse until settings are asked for: `--help` has to be quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pathlib import Path

    from voip_engine.settings import AccountSettings, EngineSettings

ENVIRONMENT_KEYS = (
    "listen",
    "mode",
    "auto_answer",
    "max_calls",
    "codecs",
    "media_host",
    "rtp_ports",
    "srtp",
    "stun",
    "monitor_device",
    "monitor_volume",
    "monitor_layout",
)
"""What the environment can hold as VOIP_LISTEN, VOIP_MODE, …, besides VOIP_SETTINGS, VOIP_ACCOUNT and VOIP_PASSWORD."""

BUILT_IN_MODES = ("echo", "silence", "transcribe", "agent")
"""Known without looking at what is installed, which takes a while."""

_TRUTH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_PASSWORD_WORDS = (
    "the password is never taken from the command line, where every user of this machine could read it. "
    "Set VOIP_PASSWORD, put it into the settings file, or type it when asked"
)


class _RefusePassword(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        parser.error(_PASSWORD_WORDS)


def add_engine_options(parser: argparse.ArgumentParser, shown: Container[str] | None = None) -> None:
    """Add the options that become EngineSettings. Help names all, or those whose settings are `shown`."""
    group = parser.add_argument_group("engine")

    def add(option: str, **how: Any) -> None:
        action = group.add_argument(option, **how)
        if shown is not None and action.dest not in shown:
            action.help = argparse.SUPPRESS

    add("--settings", metavar="FILE", help="settings file (default: ~/.config/voip-tui/settings.toml)")
    add(
        "--account",
        action="append",
        metavar="URI",
        help="account to register, such as 'sip:alice@pbx.example;transport=tls'; repeatable. "
        "The password comes from VOIP_PASSWORD, the settings file, or is asked for",
    )
    add(
        "--listen",
        action="append",
        metavar="ADDRESS",
        help="address for calls, such as udp:0.0.0.0:5060, tcp:[::]:5060 or tls:0.0.0.0:5061; repeatable",
    )
    add("--mode", metavar="NAME", help="what handles new calls (default: echo)")
    add("--auto-answer", action=argparse.BooleanOptionalAction, help="answer calls at once")
    add("--max-calls", metavar="N", help="calls at once before others get busy (default: 100)")
    add("--codecs", metavar="LIST", help="codecs, best first (default: opus,G722,PCMA,PCMU)")
    add("--media-host", metavar="IP", help="address for audio (default: the one a peer is reached from)")
    add("--rtp-ports", metavar="LOW-HIGH", help="ports for audio, such as 16384-32767 (default: any free)")
    add("--srtp", metavar="HOW", help="encrypted audio: off, offered or required (default: off)")
    add("--stun", metavar="SERVER", help="STUN server, for lines behind NAT")
    add("--password", action=_RefusePassword, nargs="?", help=argparse.SUPPRESS)


def settings_from(
    options: argparse.Namespace,
    environ: Mapping[str, str],
    ask_password: Callable[[str], str] | None = None,
) -> EngineSettings:
    """Join command line, environment and settings file. Raises SettingsError.

    `ask_password` is called with the address of each account that has no password from anywhere; what it returns may be
    empty for "there is none". Without it nothing is asked.
    """
    from voip_engine.settings import EngineSettings
    from voip_engine.settings_file import read_settings_file

    path, named = settings_path(options, environ)
    values = read_settings_file(path) if named or path.exists() else {}
    for key in ENVIRONMENT_KEYS:
        if text := environ.get(f"VOIP_{key.upper()}"):
            values[key] = _from_text(f"VOIP_{key.upper()}", key, text, "{}={}")
    for key in ENVIRONMENT_KEYS:
        given = getattr(options, key, None)
        if given is not None:
            values[key] = _from_text(f"--{key.replace('_', '-')}", key, given, "{} {}")
    accounts = _accounts(options, environ, values.get("accounts", ()))
    values["accounts"] = _with_passwords(accounts, environ.get("VOIP_PASSWORD"), ask_password)
    return EngineSettings(**values)


def settings_path(options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[Path, bool]:
    """The settings file that counts, whether it is there or not, and whether somebody named it."""
    from pathlib import Path

    from voip_engine.settings_file import default_path

    named = options.settings or environ.get("VOIP_SETTINGS")
    return (Path(named).expanduser(), True) if named else (default_path(environ), False)


def source_of(key: str, options: argparse.Namespace, environ: Mapping[str, str]) -> str:
    """Where a setting comes from that has an option and a variable: `--mode`, `VOIP_MODE`, or the settings file's path."""
    if getattr(options, key, None) is not None:
        return f"--{key.replace('_', '-')}"
    variable = f"VOIP_{key.upper()}"
    return variable if environ.get(variable) else str(settings_path(options, environ)[0])


def check_mode(
    mode: str,
    options: argparse.Namespace,
    environ: Mapping[str, str],
    installed: Callable[[], Iterable[str]],
) -> None:
    """Raise SettingsError, naming where it is set, for a mode that is neither built in nor among the installed ones."""
    if mode in BUILT_IN_MODES or mode in (modes := tuple(installed())):
        return
    from difflib import get_close_matches

    from voip_engine.settings import SettingsError

    close = get_close_matches(mode, modes, n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The modes are {', '.join(modes)}."
    raise SettingsError(f"{source_of('mode', options, environ)}: there is no mode {mode!r}. {hint}")


def _from_text(source: str, key: str, given: object, example_form: str) -> Any:
    """A setting out of text, or of a list of texts for options that repeat. Raises SettingsError naming the source."""
    from voip_engine.settings import EngineSettings, SettingsError
    from voip_engine.settings_fields import convert_field, metadata

    value = given
    if isinstance(given, str):
        if key in ("listen", "codecs"):
            value = given.replace(",", " ").split()
        elif key == "rtp_ports":
            value = given.split("-")
        elif key == "auto_answer":
            value = _TRUTH.get(given.lower(), given)
    try:
        return convert_field(EngineSettings, key, value, from_text=True)
    except ValueError as error:
        (right,) = metadata(EngineSettings, key).examples or [""]
        if isinstance(right, list):
            separator = "-" if key == "rtp_ports" else ","
            right = right[0] if key == "listen" else separator.join(map(str, right))
        shown = str(right).lower() if isinstance(right, bool) else str(right)
        raise SettingsError(f"{source} {error}. Example: {example_form.format(source, shown)}") from None


def _accounts(
    options: argparse.Namespace, environ: Mapping[str, str], filed: tuple[AccountSettings, ...]
) -> tuple[AccountSettings, ...]:
    """The accounts that are named by option or environment, else the file's.

    A named account that stands in the file too keeps what the file says about it.
    """
    from msgspec.structs import replace

    from voip_engine.settings import AccountSettings, SettingsError
    from voip_engine.settings_fields import convert_field

    source = "--account" if options.account else "VOIP_ACCOUNT"
    uris = options.account or environ.get("VOIP_ACCOUNT", "").replace(",", " ").split()
    if not uris:
        return filed
    by_address = {account.address_of_record: account for account in filed}
    accounts = []
    for uri in uris:
        try:
            convert_field(AccountSettings, "uri", uri)
        except ValueError as error:
            raise SettingsError(f"{source} {error}. Example: sip:alice@pbx.example;transport=tls") from None
        account = AccountSettings(uri=uri)
        known = by_address.get(account.address_of_record)
        accounts.append(replace(known, uri=uri) if known else account)
    return tuple(accounts)


def _with_passwords(
    accounts: tuple[AccountSettings, ...], password: str | None, ask: Callable[[str], str] | None
) -> tuple[AccountSettings, ...]:
    """Fill in passwords. The environment's goes before the file's if there is one account, else it fills the gaps."""
    from msgspec.structs import replace

    from voip_engine.secret import Secret

    filled = []
    for account in accounts:
        known = account.password
        if password and (len(accounts) == 1 or known is None):
            known = Secret(password)
        if known is None and ask is not None:
            known = Secret(ask(str(account.address_of_record)))
        filled.append(replace(account, password=known))
    return tuple(filled)
