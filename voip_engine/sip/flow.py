"""Where a SIP message came from or goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Transport = Literal["UDP", "TCP", "TLS"]

DEFAULT_PORTS: Mapping[Transport, int] = {"UDP": 5060, "TCP": 5060, "TLS": 5061}
"""Where a host listens that names no port (RFC 3261 §19.1.2)."""


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
    """Where a request goes: host name or literal address. Port 0 is the transport's default.

    `domain` is what a TLS peer's certificate has to name (RFC 5922 §4): the domain that was asked for before look-ups turned
    it into this host. Empty means the host itself. `any_transport`: nobody has named one, so that the domain's records may
    choose another (RFC 3263 §4.1). `connection` is the stream connection to go back on, as long as it is there (see `Flow`).
    """

    transport: Transport
    host: str
    port: int
    domain: str = ""
    any_transport: bool = False
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """One way to a server: a next hop that needs no look-up, and our address towards it."""

    hop: NextHop
    local: LocalAddress
