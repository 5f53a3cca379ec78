"""Ctrl-C at moments when Python would answer it with a traceback: while a program starts, and when it is all but over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
"""The exit status that shells give a program which SIGINT ended (128 + 2)."""


def end_on_interrupt() -> None:
    """Let SIGINT end the process at once, with status 130 and without a word: nothing is there yet that needs a goodbye.

    KeyboardInterrupt would not do: raised while a module is imported, it may come out of it as another error.
    A SIGINT that whoever started us had ignored stays ignored.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt in the block again: something in it has to be put back in order first."""
    before = signal.getsignal(signal.SIGINT)
    if before is not _end:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
