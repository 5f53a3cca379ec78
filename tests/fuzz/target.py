"""What a fuzz target is: a parser with what has to hold for it, and real input to begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One parser under test.

    `run` takes any bytes, swallows the parser's own errors and nothing else, and asserts what must hold. `seeds` are small real
    inputs; `words` are what the format is made of, for the fuzzer to put together; `longest` is the most bytes worth trying.
    """

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    longest: int = 4096


def text_of(data: bytes) -> str:
    """Bytes as the text that a header value can be: UTF-8 or Latin-1, on one line."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r", " ").replace("\n", " ")
