"""Where a SIP message came from or goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transport = Literal["UDP", "TCP"]


@dataclass(frozen=True, slots=True)
class Flow:
    """One path between two transport addresses. Hosts are literal IP addresses without brackets.

    `connection` numbers a stream connection; 0 for UDP.
    """

    transport: Transport
    local_host: str
    local_port: int
    remote_host: str
    remote_port: int
    connection: int = 0


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """What we put into Via and Contact: an address the peer can reach us at."""

    transport: Transport
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class NextHop:
    """Where a request goes, before name resolution: host name or literal address. Port 0 is the transport's default."""

    transport: Transport
    host: str
    port: int
