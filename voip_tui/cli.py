"""`voip-tui`: the console, its demo, and the commands that need no terminal."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from voip_engine.interrupts import INTERRUPTED, interruptible
from voip_engine.options import add_engine_options, check_mode, settings_from, settings_path
from voip_engine.standard_streams import standard_streams
from voip_tui.asking import ask_password
from voip_tui.subcommands import doctor, models, say

if TYPE_CHECKING:
    from voip_engine.settings import EngineSettings
    from voip_tui.bridge import ConsoleEngine
    from voip_tui.context import Setup
    from voip_tui.preferences import Preferences
    from voip_tui.terminal import Log

FAILED = 1
USAGE = 2

DUMB_TERMINALS = ("dumb", "unknown")
"""For what is called so, rich takes a size of its own, and laying out the screen would never end."""

DEMO_HELP = "the console with simulated callers: no account and no network needed"
DEMO_SETTINGS = ("mode", "max_calls", "codecs", "rtp_ports")
"""All that there is to set about callers on this machine."""
DEMO_REFUSES = ("account", "settings", "listen", "auto_answer", "media_host", "srtp", "stun")
DEMO_ADDRESSES = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the console or a subcommand.

    The exit status is 1 if it could not start, broke down or found something wrong, 2 for bad options or settings.
    """
    with standard_streams("voip-tui"):
        try:
            return _main(arguments)
        except KeyboardInterrupt:
            return INTERRUPTED


def _main(arguments: Sequence[str] | None) -> int:
    options = command_line().parse_args(arguments)
    if options.version:
        from voip_engine.version import VERSION

        print(f"voip-tui {VERSION}")
        return 0
    if options.run is not None:
        status: int = options.run(options)
        return status
    if not (sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()):
        return _refuse("This needs a terminal. Without one, voip-engine does the same.", USAGE)
    if os.environ.get("TERM", "").lower() in DUMB_TERMINALS:
        return _refuse(
            f"This terminal (TERM={os.environ['TERM']}) cannot show the console. Use voip-engine, or a terminal that can "
            "place text anywhere, such as TERM=xterm-256color.",
            USAGE,
        )
    from voip_engine.settings import SettingsError

    try:
        demo = options.command == "demo"
        settings = demo_settings(options) if demo else settings_from(options, os.environ, ask_password)
        check_mode(settings.mode, options, os.environ, _installed_modes)
    except SettingsError as error:
        return _refuse(str(error), USAGE)
    except EOFError:
        return INTERRUPTED
    return _run(settings, settings_path(options, os.environ)[0], demo=demo, verbose=options.verbose)


def command_line() -> argparse.ArgumentParser:
    """Everything that `voip-tui` takes."""
    parser = argparse.ArgumentParser(
        prog="voip-tui",
        description="A call console for the terminal: see every SIP call live, and steer it.",
        epilog="Settings come from the command line, then VOIP_… in the environment, then the settings file. "
        "Without an account the console takes direct calls. Press ? in the console for its keys.",
    )
    add_engine_options(parser)
    _add_log_option(parser)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    # What stands before the command counts, too: an option that is not given again must not take it back.
    unset = argparse.SUPPRESS
    demo = commands.add_parser("demo", help=DEMO_HELP, description=DEMO_HELP, argument_default=unset)
    add_engine_options(demo, shown=DEMO_SETTINGS)
    _add_log_option(demo)
    for command in (doctor, models, say):
        subparser = commands.add_parser(
            command.NAME, help=command.HELP, description=command.DESCRIPTION, argument_default=unset
        )
        command.add_options(subparser)
        subparser.set_defaults(run=command.run)
    return parser


def _installed_modes() -> Iterable[str]:
    from voip_engine.modes.registry import available_modes

    return available_modes()


def _add_log_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="log in more detail, for finding faults")


def demo_settings(options: argparse.Namespace) -> EngineSettings:
    """The demo stays on loopback and touches no account, whatever the settings file says. Raises SettingsError.

    Its callers are transcribed if the Whisper model is on this machine and no other mode is asked for.
    """
    from msgspec.structs import replace

    from voip_engine import SettingsError, models

    for key in DEMO_REFUSES:
        if getattr(options, key) is not None:
            takes = ", ".join(f"--{each.replace('_', '-')}" for each in DEMO_SETTINGS)
            raise SettingsError(
                f"The demo takes no --{key.replace('_', '-')}: it needs no account, no settings and no network, and "
                f"answers its callers by itself. It takes {takes}."
            )
    options.settings = os.devnull
    settings = settings_from(options, {})
    if options.mode is None and models.whisper_status(settings.transcription.model).present:
        settings = replace(settings, mode="transcribe")
    return replace(settings, listen=DEMO_ADDRESSES, auto_answer=True)


def _run(settings: EngineSettings, file: Path, *, demo: bool, verbose: bool) -> int:
    from voip_tui.terminal import open_log, screen_apart, state_folder

    folder = state_folder(os.environ)
    log = open_log(folder, verbose=verbose)
    from voip_engine.settings import SettingsError
    from voip_tui.app import ConsoleApp
    from voip_tui.preferences import Preferences
    from voip_tui.theme import wrong_theme

    try:
        preferences = Preferences.parse(settings.console)
    except SettingsError as error:
        return _refuse(f"{file}: {error}", USAGE)
    if wrong := wrong_theme(preferences.theme):
        return _refuse(f"{file}: {wrong}", USAGE)
    app = ConsoleApp(_opener(settings, demo=demo), _setup(settings, preferences, folder, log, demo=demo))
    with screen_apart(log.noise), interruptible():
        status = app.run()
    if log.trouble:
        print(f"voip-tui: no log was kept: {log.trouble} XDG_STATE_HOME names another folder.", file=sys.stderr)
    if app.failure:
        return _refuse(app.failure, FAILED)
    if status is None:
        details = f"{log.file} has the details." if log.file else "With a log it could be told which."
        return _refuse(f"stopped because of a fault in the program. {details}", FAILED)
    return status


def _opener(settings: EngineSettings, *, demo: bool) -> Callable[[], AbstractAsyncContextManager[ConsoleEngine]]:
    @asynccontextmanager
    async def open_engine() -> AsyncIterator[ConsoleEngine]:
        import asyncio
        from importlib import import_module

        # The first picture is on the screen by now; importing in a thread keeps the keys alive meanwhile.
        await asyncio.to_thread(import_module, "voip_engine.engine")
        from voip_engine import Engine

        async with Engine(settings) as engine:
            if not demo:
                yield engine
                return
            from voip_engine.demo.process import demo_callers

            async with demo_callers(engine.snapshot().listening):
                yield engine

    return open_engine


def _setup(settings: EngineSettings, preferences: Preferences, folder: Path, log: Log, *, demo: bool) -> Setup:
    from voip_engine.version import VERSION
    from voip_tui.context import Setup
    from voip_tui.words import codec_title

    echoing = demo and settings.mode == "echo"
    mode = "echo; to read what callers say: voip-tui models pull whisper:base" if echoing else settings.mode
    ports = "any free" if settings.rtp_ports is None else f"{settings.rtp_ports[0]} to {settings.rtp_ports[1]}"
    return Setup(
        title="voip-tui demo" if demo else "voip-tui",
        facts=(
            (
                "Calls",
                (
                    ("mode", mode),
                    ("auto-answer", "yes" if settings.auto_answer else "no"),
                    ("at most", f"{settings.max_calls} at once"),
                    ("codecs", ", ".join(map(codec_title, settings.codecs))),
                    ("audio ports", ports),
                ),
            ),
            ("Files", (("log", str(log.file or f"none: {log.trouble}")),)),
            ("Version", (("voip-tui", VERSION),)),
        ),
        demo=demo,
        mode=settings.mode,
        volume=settings.monitor_volume,
        dialled_file=None if demo or log.trouble or not preferences.remember_dialled else folder / "dialled",
        theme=preferences.theme,
        bell=preferences.bell,
        language=settings.transcription.language,
    )


def _refuse(reason: str, status: int) -> int:
    print(f"voip-tui: {reason}", file=sys.stderr)
    return status
