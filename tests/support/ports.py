"""Ports on loopback for programs that have to be told one.

They come from below the ranges that systems take free ports from (32768 on Linux, 49152 elsewhere) and are given in turn, from
a start that differs from run to run: nobody else takes one between its being found free and its being bound, and none is
given again before all the others were. Test processes that run at once have ranges of their own.
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import ExitStack

_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS_A_PROCESS = 12_000 // _processes // 2 * 2
LOWEST = 20_000 + _process * PORTS_A_PROCESS
HIGHEST = LOWEST + PORTS_A_PROCESS

_next = random.randrange(LOWEST, HIGHEST, 2)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and for TCP alike, as a SIP server wants it."""
    return free_port_range(1, host)


def free_port_range(count: int, host: str = "127.0.0.1") -> int:
    """The even first one of `count` ports in a row, as RTP port pairs want them.

    Raises:
        RuntimeError: no such row is free.
    """
    global _next
    start, tried = _next, 0
    while tried < PORTS_A_PROCESS:
        if start + count > HIGHEST:
            tried += HIGHEST - start
            start = LOWEST
        if all(_is_free(port, host) for port in range(start, start + count)):
            _next = start + count + count % 2
            return start
        start += 2
        tried += 2
    raise RuntimeError(f"no {count} ports in a row are free from {LOWEST} to {HIGHEST}")


def _is_free(port: int, host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                stack.enter_context(socket.socket(family, kind)).bind((host, port))
        except OSError:
            return False
    return True
