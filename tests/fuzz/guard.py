"""Runs one input through a target and judges it: foreign exceptions, broken promises, and time that grows too fast.

Time is processor time of this thread, so that a busy machine makes no findings. To find what is not linear with inputs that
stay small, a piece of some inputs is repeated until it is long; which piece, the input itself decides, so that runs repeat.
"""

from __future__ import annotations

import time
import zlib
from typing import Final

from .target import Target

INFLATED_BYTES: Final = 24 * 1024
_ONE_IN: Final = 16
_LONGEST_PIECE: Final = 24
_LEAST_S: Final = 0.25
_A_BYTE_S: Final = 25e-6
"""Several times what the slowest parser takes for a byte while the fuzzer counts its branches."""


class Finding(Exception):
    """An input that a parser fails on; `data` reproduces it."""

    def __init__(self, data: bytes, reason: str) -> None:
        super().__init__(f"{reason}, with {len(data)} bytes")
        self.data = data


def check(target: Target, data: bytes) -> None:
    """Run an input, and now and then a long one made of it. Raises Finding, with the error that led to it as its cause."""
    _check_one(target, data)
    longer = inflated(data)
    if longer:
        _check_one(target, longer)


def inflated(data: bytes) -> bytes:
    """The input with one short piece repeated to some `INFLATED_BYTES`; empty for most inputs."""
    draw = zlib.crc32(data)
    if not data or draw % _ONE_IN:
        return b""
    start = draw // _ONE_IN % len(data)
    piece = data[start : start + 1 + draw // 7 % _LONGEST_PIECE]
    return data[:start] + piece * (INFLATED_BYTES // len(piece)) + data[start + len(piece) :]


def _check_one(target: Target, data: bytes) -> None:
    began_s = time.thread_time()
    try:
        target.run(data)
    except Exception as error:
        raise Finding(data, f"{type(error).__name__}: {error}") from error
    took_s = time.thread_time() - began_s
    if took_s > _LEAST_S + len(data) * _A_BYTE_S:
        raise Finding(data, f"{took_s:.2f} s")
