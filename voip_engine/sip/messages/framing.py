"""Cuts a TCP stream into SIP messages (RFC 3261 §18.3) and keep-alives (RFC 5626 §4.4.1).

```
␍␊␍␊  →  Ping        head ␍␊␍␊ body of Content-Length octets  →  bytes        ␍␊  →  Pong when one is due, else nothing
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEAD_LIMIT_BYTES = 64 * 1024
BODY_LIMIT_BYTES = 1024 * 1024

_BLANK = b"\r\n\r\n"
_LENGTH_NAMES = (b"content-length", b"l")


@dataclass(frozen=True, slots=True)
class Ping:
    """A keep-alive that wants a CRLF back."""


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to a keep-alive of ours."""


class FramingError(ValueError):
    """The stream can't be cut any further: answer if `head` allows it, then close.

    `head` holds what there is of the offending message's start line and headers, for `parse_message` to make a
    best-effort request of.
    """

    def __init__(self, status: int, reason: str, head: bytes) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.head = head


class StreamFramer:
    """Collects what a stream brings until messages are whole. Use one for each connection.

    Holds at most a head, a body and one received piece; time grows with the length of the stream.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # how far the buffer holds no blank line
        self._missing = 0  # length the whole message has, 0 while its head is incomplete
        self._half_ping = False
        self._pong_due = False

    def expect_pong(self) -> None:
        """Take the next line end between messages for the answer to a ping of ours."""
        self._pong_due = True

    @property
    def wanted_bytes(self) -> int:
        """How long the message that is being collected is, as far as that is known."""
        return max(self._missing, len(self._buffer))

    def receive(self, data: bytes) -> Iterator[bytes | Ping | Pong]:
        """Take in received bytes; give the messages and keep-alives that are whole now, in order.

        Consume it to the end before the next call. Raises FramingError (400) on a head over 64 KiB, a body over
        1 MiB, and a Content-Length that is missing, malformed or ambiguous; the framer is of no more use then.
        """
        self._buffer += data
        while True:
            if not self._missing:
                while self._buffer[:2] == b"\r\n":
                    del self._buffer[:2]
                    if self._pong_due:
                        self._pong_due = False
                        yield Pong()
                        continue
                    self._half_ping = not self._half_ping
                    if not self._half_ping:
                        yield Ping()
                if not self._buffer or self._buffer == b"\r":
                    return
                self._half_ping = False
                end = self._buffer.find(_BLANK, self._searched, HEAD_LIMIT_BYTES)
                if end < 0:
                    if len(self._buffer) >= HEAD_LIMIT_BYTES:
                        raise FramingError(
                            400, "the headers are longer than 64 KiB", bytes(self._buffer[:HEAD_LIMIT_BYTES])
                        )
                    self._searched = max(0, len(self._buffer) - 3)
                    return
                head_length = end + len(_BLANK)
                self._missing = head_length + _content_length(bytes(self._buffer[:head_length]))
            if len(self._buffer) < self._missing:
                return
            message = bytes(self._buffer[: self._missing])
            del self._buffer[: self._missing]
            self._searched = self._missing = 0
            yield message


def _content_length(head: bytes) -> int:
    """Length of the body by its head. Raises FramingError."""
    found: bytes | None = None
    lines = head.split(b"\r\n")
    for index, line in enumerate(lines[1:], 1):
        name, _, value = line.partition(b":")
        if name.rstrip().lower() not in _LENGTH_NAMES:
            continue
        for continuation in lines[index + 1 :]:
            if not continuation.startswith((b" ", b"\t")):
                break
            value += continuation
        if found is not None:
            raise FramingError(400, "Content-Length is there more than once", head)
        found = value.strip()
    if found is None:
        raise FramingError(400, "Content-Length is missing", head)
    digits = found.lstrip(b"0") or b"0"
    if not found.isdigit():
        raise FramingError(400, "Content-Length is not a number", head)
    if len(digits) > 7 or int(digits) > BODY_LIMIT_BYTES:
        raise FramingError(400, "the body is longer than 1 MiB", head)
    return int(digits)
