"""`voip-tui say`: call somebody, say a text or play a recording, and hang up."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from voip_engine.interrupts import INTERRUPTED
from voip_engine.options import add_engine_options, settings_from
from voip_tui.asking import ask_password

if TYPE_CHECKING:
    import asyncio

    from voip_engine import Audio, Call, Engine, EngineError, EngineSettings, SayMode, VoiceLeg
    from voip_engine.events import AnyEvent

NAME = "say"
HELP = "call somebody, say a text or play a recording, and hang up"
DESCRIPTION = (
    "Calls an address, says the text to the end and hangs up. Exit status 0 if all of it was heard, 1 if not (busy, no "
    "answer, hung up before the end, no voice), 2 for bad options. --wav plays a recording instead and needs no model."
)

FAILED, USAGE = 1, 2
NEEDED: Final = 'Give a text in quotes behind the address, such as "Good morning.", or a recording with --wav FILE.'
LAST_PACKETS_S: Final = 0.5
"""Between a recording's end and hanging up: the far end's jitter buffer is behind."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `voip-tui say` takes."""
    parser.add_argument("target", metavar="ADDRESS", help="a SIP address, or a number at the account's PBX")
    parser.add_argument("text", nargs="?", default=None, metavar="TEXT", help="what is said")
    parser.add_argument(
        "--wav", metavar="FILE", type=Path, default=None, help="play this recording instead, in any format FFmpeg reads"
    )
    parser.add_argument(
        "--voice", metavar="VOICE", default=None, help="a Pocket TTS voice by name, or a file (default: the agent's)"
    )
    parser.add_argument(
        "--timeout-s", metavar="S", type=_seconds, default=30.0, help="how long it may ring (default: 30)"
    )
    add_engine_options(parser)


def run(options: argparse.Namespace) -> int:
    """Place the call; see DESCRIPTION for the exit status."""
    import asyncio

    from voip_engine import EngineError, SettingsError

    if (options.text is None) == (options.wav is None):
        both = options.text is not None
        wrong = "a text and --wav FILE cannot both be said: leave one out." if both else f"what is to be said? {NEEDED}"
        return _refuse(wrong, USAGE)
    if options.text is not None and (trouble := _unsayable(options.text)):
        return _refuse(trouble, USAGE)
    if options.voice is not None and (trouble := _no_voice(options.voice)):
        return _refuse(trouble, USAGE)
    try:
        settings = settings_from(options, os.environ, ask_password if sys.stdin.isatty() else None)
        announcement = _recording(options.wav) if options.wav else None
    except SettingsError as error:
        return _refuse(str(error), USAGE)
    except EOFError:
        return INTERRUPTED
    try:
        return asyncio.run(_say(settings, options, announcement))
    except EngineError as error:
        return _refuse(str(error), FAILED)


async def _say(settings: EngineSettings, options: argparse.Namespace, recording: Audio | None) -> int:
    import asyncio

    from msgspec.structs import replace

    from voip_engine import Engine, EngineError, SayMode, models

    if recording is None:
        voice = await asyncio.to_thread(
            models.pocket_status, settings.speaking.model, (options.voice or settings.agent.voice,)
        )
        if not voice.present:  # better than to let somebody answer and hear nothing
            return _refuse(f"{voice.title}: {voice.detail} {voice.advice()}", FAILED)
    settings = replace(settings, mode="silence")  # or an agent's models would be loaded, which nobody talks to here
    if not settings.listen and not settings.accounts:
        settings = replace(settings, listen=("udp:0.0.0.0:0", "tcp:0.0.0.0:0"))  # who only dials needs no known port
    mode = SayMode(options.text, options.voice) if recording is None else Announcement(recording)
    async with _stopped_by_signals() as stop:
        try:
            return await _call(Engine(settings), options, mode, stop)
        except EngineError:
            if stop.is_set():  # Ctrl-C reaches the processes that are being started, too
                return _refuse("stopped.", INTERRUPTED)
            raise


async def _call(engine: Engine, options: argparse.Namespace, mode: SayMode | Announcement, stop: asyncio.Event) -> int:
    """Call, and hang up once all is said or `stop` is set. Raises EngineError."""
    import asyncio

    async with engine:
        happenings = engine.events()
        call = await engine.dial(options.target, mode=mode)
        _tell(f"calling {options.target}")
        stopping = asyncio.create_task(stop.wait())
        following = asyncio.create_task(_follow(call, happenings, mode, options.timeout_s))
        await asyncio.wait({stopping, following}, return_when=asyncio.FIRST_COMPLETED)
        stopped = not following.done()
        following.cancel()
        stopping.cancel()
        problem, _ = await asyncio.gather(following, stopping, return_exceptions=True)
        await call.hang_up()
    if stopped:
        return _refuse("stopped, and hung up.", INTERRUPTED)
    if isinstance(problem, BaseException):
        raise problem
    if problem:
        return _refuse(problem, FAILED)
    _tell("all of it was said")
    return 0


async def _follow(
    call: Call, happenings: AsyncIterator[AnyEvent], mode: SayMode | Announcement, timeout_s: float
) -> str:
    """Wait until it is said or cannot be; what went wrong in a plain sentence, or nothing."""
    import asyncio

    try:
        async with asyncio.timeout(timeout_s):
            await _answered_or_ended(call.call_id, happenings)
    except TimeoutError:
        return f"Nobody answered within {timeout_s:g} s."
    if call.snapshot().answered_at is None:
        return call.snapshot().end_reason or "The call was not answered."
    _tell("answered")
    await call.wait_ended()
    if mode.error is not None:
        return str(mode.error)
    return "" if mode.complete else "The other side hung up before the end."


async def _answered_or_ended(call_id: str, happenings: AsyncIterator[AnyEvent]) -> None:
    from voip_engine.events import CallAnswered, CallEnded

    async for event in happenings:
        if isinstance(event, CallAnswered | CallEnded) and event.call_id == call_id:
            return


class Announcement:
    """Plays a recording and hangs up; afterwards it tells whether all of it went out."""

    name = "announcement"

    def __init__(self, audio: Audio) -> None:
        self.complete = False
        self.error: EngineError | None = None
        self._audio = audio

    async def run(self, leg: VoiceLeg) -> None:
        """Play it to its last sample and hang up."""
        import asyncio

        leg.activity("speaking")
        self.complete = await leg.play(self._audio) >= len(self._audio)
        if self.complete:
            await asyncio.sleep(LAST_PACKETS_S)
        await leg.hang_up()


def _unsayable(text: str) -> str:
    """What is wrong with a text, or nothing: emoji and markup are left out when it is said."""
    from voip_engine.modes.spoken import speakable

    if not text.strip():
        return "the text is empty."
    if not any(character.isalnum() for character in speakable(text)):
        return "the text holds nothing that can be said: emoji, signs and markup are left out."
    return ""


def _no_voice(voice: str) -> str:
    from voip_engine.speech.model_folders import cached_file, is_voice_name

    if is_voice_name(voice) or cached_file(voice) is not None:
        return ""
    return f"--voice: there is no file {voice}. A voice is a name such as alba, or a .wav or .safetensors file."


def _recording(path: Path) -> Audio:
    """A file's sound. Raises SettingsError in plain words."""
    from voip_engine import SettingsError, load_recording

    try:
        return load_recording(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise SettingsError(f"{path} {error}.") from None


@asynccontextmanager
async def _stopped_by_signals() -> AsyncIterator[asyncio.Event]:
    """Set at the first SIGINT or SIGTERM; the second one breaks off."""
    import asyncio
    import signal

    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def on_signal(number: int, frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        loop.call_soon_threadsafe(stop.set)

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3_600:
        raise ValueError
    return seconds


def _tell(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


def _refuse(reason: str, status: int) -> int:
    print(f"voip-tui: {reason}", file=sys.stderr)
    return status
