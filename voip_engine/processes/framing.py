"""Messages over a pipe: MessagePack behind a 4-byte big-endian length."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import sys
from typing import Final

import msgspec

if sys.platform != "win32":
    import fcntl

LONGEST_MESSAGE_BYTES: Final = 64 * 1024 * 1024
PIPE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 512 * 1024

_LENGTH = struct.Struct("!I")
_encoder = msgspec.msgpack.Encoder()


class PipeError(ValueError):
    """What came through the pipe is no message."""


def encode(message: msgspec.Struct) -> bytes:
    """Give a message with its length before it."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def widen(descriptor: int) -> None:
    """Let a pipe, or the socket that asyncio uses as one, hold more; where that is refused it stays as it is.

    A pipe holds 64 KiB and is filled or emptied once a tick: 3 MB/s, too little for many calls' speech.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with socket.socket(fileno=os.dup(descriptor)) as same:
                same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIPE_BYTES)
        else:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class MessageReader:
    """Cuts a byte stream into message bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was read; gives the messages that are whole now. Raises PipeError for an absurd length."""
        buffer = self._buffer
        buffer += data
        messages = []
        offset = 0
        while len(buffer) - offset >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, offset)
            if length > LONGEST_MESSAGE_BYTES:
                raise PipeError(f"a message of {length} bytes")
            end = offset + _LENGTH.size + length
            if end > len(buffer):
                break
            messages.append(bytes(buffer[offset + _LENGTH.size : end]))
            offset = end
        if offset:
            del buffer[:offset]
        return messages
