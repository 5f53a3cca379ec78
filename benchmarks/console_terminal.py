"""A program in a pseudo-terminal: keys in, bytes out, with the time of each."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 20.0


class Terminal:
    """What a program draws, as bytes. `ended` once it has closed its side."""

    def __init__(self, process: subprocess.Popen[bytes], fd: int) -> None:
        self.process, self._fd = process, fd
        self.drawn = 0
        self.ended = False

    def press(self, key: bytes) -> None:
        os.write(self._fd, key)

    def wait_for(self, *texts: bytes, within_s: float = PATIENCE_S) -> float:
        """Read until all of these have come, in any order; returns when the last one did. Older bytes don't count."""
        missing, tail, deadline = set(texts), b"", time.perf_counter() + within_s
        while missing:
            if time.perf_counter() > deadline or self.ended:
                raise TimeoutError(f"{missing} did not come; last was {tail[-400:]!r}")
            data = self.read(0.05)
            tail = tail[-256:] + data
            missing = {text for text in missing if text not in tail}
        return time.perf_counter()

    def read(self, within_s: float) -> bytes:
        """What comes next, or nothing."""
        if not select.select([self._fd], [], [], within_s)[0]:
            return b""
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        self.ended = not data
        self.drawn += len(data)
        return data

    def drain(self, for_s: float) -> None:
        """Read and forget for a while, as a terminal does."""
        end = time.perf_counter() + for_s
        while not self.ended and (rest := end - time.perf_counter()) > 0:
            self.read(rest)


@contextmanager
def terminal(*argv: str, columns: int = 120, lines: int = 40) -> Iterator[Terminal]:
    """The program while the block runs; ended afterwards."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environ = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with tempfile.TemporaryDirectory() as folder:
        environ |= {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "XDG_STATE_HOME": folder,
            "XDG_CONFIG_HOME": folder,
        }
        process = subprocess.Popen(
            argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True, cwd=Path.cwd()
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.terminate()
            reader = Terminal(process, ours)
            deadline = time.perf_counter() + PATIENCE_S
            while process.poll() is None and time.perf_counter() < deadline:
                reader.read(0.05)
            process.kill()
            process.wait()
            os.close(ours)
