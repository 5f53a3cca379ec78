"""Ports on loopback that are free right now."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and for TCP alike, as a SIP server wants it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as stream, socket.socket(family, socket.SOCK_DGRAM) as datagram:
            stream.bind((host, 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind((host, port))
            except OSError:
                continue
            return port


def free_port_range(count: int, host: str = "127.0.0.1") -> int:
    """The even first one of `count` UDP ports in a row, as RTP port pairs want them."""
    while True:
        with ExitStack() as stack:
            first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            first.bind((host, 0))
            start: int = first.getsockname()[1]
            if start % 2 or start + count > 65_535:
                continue
            try:
                for port in range(start + 1, start + count):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((host, port))
            except OSError:
                continue
            return start
