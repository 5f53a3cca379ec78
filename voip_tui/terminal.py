"""The terminal belongs to the screen alone: whatever else writes to standard error lands in the log file."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

LOG_BYTES = 2_000_000
LOGS_KEPT = 2


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where the console keeps its log and the dialled addresses (XDG base directories; `LOCALAPPDATA` on Windows)."""
    if local := environ.get("LOCALAPPDATA"):
        return Path(local) / "voip-tui"
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "voip-tui"


@dataclass(frozen=True, slots=True)
class Log:
    """Where the log is, and where what anybody else writes to standard error; both None if `trouble` kept them from being."""

    file: Path | None
    noise: Path | None
    trouble: str = ""


def open_log(folder: Path, *, verbose: bool) -> Log:
    """Send all logging to files in a folder that only their owner can read; nowhere, if they cannot be written."""
    file, noise = folder / "voip-tui.log", folder / "stderr.log"
    log = Log(file, noise)
    handler: logging.Handler
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (file, noise):
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
        handler = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8")
    except OSError as error:
        log = Log(None, None, f"{error.filename or folder} cannot be written: {error.strerror or error}.")
        handler = logging.NullHandler()  # without any, warnings would land on the screen
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if verbose else logging.INFO)
    for chatty in ("asyncio", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    return log


class Screen(io.FileIO):
    """A terminal to draw on. When it is gone (its window was closed) drawing goes nowhere, and SIGHUP says so once.

    Textual's writer would end with the first error, and everything that draws would then wait for it for ever.
    """

    gone = False

    def write(self, data: Buffer, /) -> int:
        """Write, or pretend to."""
        if not self.gone:
            try:
                return super().write(data)
            except BlockingIOError:
                raise
            except OSError:
                self.gone = True
                if hasattr(signal, "SIGHUP"):
                    os.kill(os.getpid(), signal.SIGHUP)
        return memoryview(data).nbytes


@contextmanager
def screen_apart(noise: Path | None) -> Iterator[None]:
    """Keep the terminal for Textual, which draws on standard error, and send descriptor 2 to the file `noise`, or nowhere.

    C libraries and child processes write to descriptor 2 without asking; on a full-screen terminal that leaves rubbish.
    """
    screen = io.TextIOWrapper(io.BufferedWriter(Screen(os.dup(2), "w")), encoding="utf-8", errors="replace")
    real = sys.__stderr__
    sys.stderr.flush()
    elsewhere = os.open(noise or os.devnull, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(elsewhere, 2)
    os.close(elsewhere)
    sys.__stderr__ = screen  # type: ignore[misc]  # Textual's drivers take their stream from this name
    try:
        yield
    finally:
        sys.stderr.flush()
        screen.flush()
        os.dup2(screen.fileno(), 2)
        sys.__stderr__ = real  # type: ignore[misc]
        screen.close()
