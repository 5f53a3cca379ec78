"""A port that is free now."""

from __future__ import annotations

import socket


def free_udp_port() -> int:
    """A UDP port on loopback that nobody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
