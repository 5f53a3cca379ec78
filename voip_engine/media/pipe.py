"""The media process's ends of its pipes, read and written without ever blocking."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from voip_engine.media.protocol import AnyCommand, AnyReport
from voip_engine.processes.framing import READ_BYTES, MessageReader, encode, widen

if sys.platform == "win32":
    import ctypes
    import msvcrt
    import time
else:
    import select

_READS: Final = 4
WRITE_BYTES: Final = 512 * 1024
"""At most this much is read and written a tick, so that a minute of speech costs each tick no more than a memcpy."""
LONGEST_BACKLOG_BYTES: Final = 32 * 1024 * 1024

decode_command: Final = msgspec.msgpack.Decoder(AnyCommand).decode
decode_report: Final = msgspec.msgpack.Decoder(AnyReport).decode


if sys.platform == "win32":
    # Windows' pipes have no non-blocking mode that Python 3.11 could set, but they can be asked what is in them.

    def make_non_blocking(descriptor: int) -> None:
        """Nothing to be done: `read_now` looks before it reads, and the engine always reads what is written."""

    def waiting_bytes(descriptor: int) -> int | None:
        """Say how many bytes can be read now; None when the other end is closed."""
        waiting = ctypes.c_ulong()
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        known = ctypes.windll.kernel32.PeekNamedPipe(handle, None, 0, None, ctypes.byref(waiting), None)
        return waiting.value if known else None

    def read_now(descriptor: int) -> bytes:
        """Read what is there, b"" at the end. Raises BlockingIOError when there is nothing yet."""
        waiting = waiting_bytes(descriptor)
        if waiting == 0:
            raise BlockingIOError
        return b"" if waiting is None else os.read(descriptor, min(waiting, READ_BYTES))

    def wait_until_readable(descriptor: int) -> None:
        """Wait until there is something to read, or the end."""
        while waiting_bytes(descriptor) == 0:
            time.sleep(0.01)

else:

    def make_non_blocking(descriptor: int) -> None:
        """Let reads and writes return at once."""
        os.set_blocking(descriptor, False)

    def read_now(descriptor: int) -> bytes:
        """Read what is there, b"" at the end. Raises BlockingIOError when there is nothing yet."""
        return os.read(descriptor, READ_BYTES)

    def wait_until_readable(descriptor: int) -> None:
        """Wait until there is something to read, or the end."""
        select.select([descriptor], [], [])


class CommandInput:
    """The media process's end of the pipe that commands come through."""

    def __init__(self, descriptor: int) -> None:
        make_non_blocking(descriptor)
        self._descriptor = descriptor
        self._reader = MessageReader()
        self._waiting: deque[AnyCommand] = deque()
        self.ended = False
        """The engine is gone: nothing more will come."""

    def wait(self) -> None:
        """Wait for more commands, or their end."""
        wait_until_readable(self._descriptor)

    def _read(self) -> None:
        for _ in range(_READS):
            try:
                data = read_now(self._descriptor)
            except BlockingIOError:
                return
            if not data:
                self.ended = True
                return
            self._waiting.extend(decode_command(body) for body in self._reader.feed(data))

    def take(self, more: Callable[[], bool]) -> list[AnyCommand]:
        """Give the commands that are here, as long as `more()` allows; the rest stays for the next tick."""
        if not self._waiting:
            self._read()
        taken: list[AnyCommand] = []
        while self._waiting and (not taken or more()):
            taken.append(self._waiting.popleft())
        return taken


class ReportOutput:
    """The media process's end of the pipe that reports go through. Beyond `LONGEST_BACKLOG_BYTES` new reports are dropped."""

    def __init__(self, descriptor: int) -> None:
        make_non_blocking(descriptor)
        widen(descriptor)
        self._descriptor = descriptor
        self._backlog: deque[memoryview] = deque()
        self._backlog_bytes = 0
        self.dropped = 0

    @property
    def congested(self) -> bool:
        """Whether the engine is behind with reading; what can be left out (figures) should be."""
        return self._backlog_bytes > WRITE_BYTES

    def put(self, report: AnyReport) -> None:
        """Queue a report."""
        data = encode(report)
        if self._backlog_bytes + len(data) > LONGEST_BACKLOG_BYTES:
            self.dropped += 1
            return
        self._backlog.append(memoryview(data))
        self._backlog_bytes += len(data)

    def flush(self) -> None:
        """Write what the pipe takes now. Raises BrokenPipeError when the engine is gone."""
        budget = WRITE_BYTES
        while self._backlog and budget > 0:
            chunk = self._backlog[0]
            try:
                written = os.write(self._descriptor, chunk[:budget])
            except BlockingIOError:
                return
            self._backlog_bytes -= written
            budget -= written
            if written == len(chunk):
                self._backlog.popleft()
            else:
                self._backlog[0] = chunk[written:]
