"""Standard input, output and error as a shell may hand them over: closed, or a pipe whose reader has gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

READER_GONE: Final = 141
"""The exit status that shells give a program which SIGPIPE ended (128 + 13)."""

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let a program print. What was closed (`>&-`) is /dev/null; a reader that leaves (`| head -1`) ends it quietly.

    Python has None for a closed stream, and the next socket would get its descriptor, which child processes write to.
    """
    for descriptor, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            _lead_nowhere(descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            _lead_nowhere(stream.fileno())  # or flushing at exit fails once more
        raise SystemExit(READER_GONE) from None


def _lead_nowhere(descriptor: int) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
