"""Standard input, output and error as a shell may hand them over: closed, a full disk, or a pipe whose reader has gone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

READER_GONE: Final = 141
"""The exit status that shells give a program which SIGPIPE ended (128 + 13)."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


@contextmanager
def standard_streams(program: str) -> Iterator[None]:
    """Let a program print. What was closed (`>&-`) is /dev/null; a reader that leaves (`| head -1`) ends it quietly,
    a full disk with a sentence on standard error.

    Python has None for a closed stream, and the next socket would get its descriptor, which child processes write to.
    """
    for descriptor, (name, mode) in enumerate(_STREAMS):
        if getattr(sys, name) is None:
            lead_nowhere(descriptor)
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):
            lead_nowhere(stream.fileno())  # or flushing at exit fails once more
        raise SystemExit(READER_GONE) from None
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        lead_nowhere(sys.stdout.fileno())
        with suppress(OSError):
            print(f"{program}: {unwritable(error)}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def lead_nowhere(descriptor: int) -> None:
    """Have what is written to a descriptor vanish."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def unwritable(error: OSError) -> str:
    """Say why standard output takes no more."""
    return f"Standard output cannot be written: {error.strerror}."
