"""Hosts as messages, descriptions and settings write them: names, and literal addresses of either family."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

STUN_PORT: Final = 3478
"""Where STUN servers listen if nothing else is said (RFC 8489 §18.6)."""


def literal(host: str) -> Address | None:
    """Read an address without brackets as it is written; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_literal(host: str) -> bool:
    """Say whether a host is an address, so that nothing has to be looked up."""
    return literal(host) is not None


def address_of(host: str) -> Address | None:
    """Read an address to compare it: IPv4 within IPv6 is IPv4 (RFC 4291 §2.5.5.2), and no zone counts. None for a name."""
    address = literal(host.partition("%")[0] if ":" in host else host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def plain(host: str) -> str:
    """Return the one spelling of an address (see `address_of`), and a name as it is."""
    address = address_of(host)
    return host if address is None else str(address)


def is_public(host: str) -> bool:
    """Say whether a host is an address of the public internet; a name is not known to be."""
    address = literal(host)
    return address is not None and address.is_global


def is_unspecified(host: str) -> bool:
    """Say whether a host is the "any address" of a family: all of this machine's to listen on, nowhere to send to."""
    address = literal(host)
    return address is not None and address.is_unspecified


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI or before a port: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def host_port(host: str, port: int) -> str:
    """Return `host:port` as people read it."""
    return f"{bracketed(host)}:{port}"
