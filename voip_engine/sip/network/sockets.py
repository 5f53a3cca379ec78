"""Opening sockets, looking up names and routes, and saying in plain words why that failed."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import sys

from voip_engine.hosts import host_port, is_literal
from voip_engine.sip.flow import DEFAULT_PORTS, LocalAddress, NextHop, Transport

LOOKUP_TIMEOUT_S = 5.0
_BACKLOG = 128
_KINDS = {"UDP": socket.SOCK_DGRAM, "TCP": socket.SOCK_STREAM, "TLS": socket.SOCK_STREAM}

# Asks Linux to queue ICMP errors for sockets that are not connected (ip(7), ipv6(7)); Python has no names for these.
_IP_RECVERR = 11
_IPV6_RECVERR = 25


class TransportError(Exception):
    """Something about addresses or sockets failed. The text is for people and says what to do."""


def is_loopback(host: str) -> bool:
    """Say whether a literal address is one of this machine only."""
    return ipaddress.ip_address(host).is_loopback


def family_of(host: str) -> socket.AddressFamily:
    """Address family of a literal address."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def wildcard_like(host: str) -> str:
    """The "any address" of the family that a literal address belongs to."""
    return "::" if ":" in host else "0.0.0.0"


async def look_up(host: str, transport: Transport) -> list[str]:
    """Find the literal addresses of a host, best first; a literal address is its own. Raises TransportError."""
    if is_literal(host):
        return [host]
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=_KINDS[transport])
    except TimeoutError:
        raise TransportError(f"Looking up {host} took too long. Check this machine's network and DNS.") from None
    except (OSError, UnicodeError):
        raise TransportError(f"No such host: {host}. Check its spelling, and this machine's network and DNS.") from None
    addresses = [str(entry[4][0]) for entry in found if entry[0] in (socket.AF_INET, socket.AF_INET6)]
    if not addresses:
        raise TransportError(f"{host} has neither an IPv4 nor an IPv6 address.")
    return list(dict.fromkeys(addresses))


def source_address(remote_host: str) -> str:
    """Our address on the way to a literal address, by the routing table; sends nothing. Raises TransportError."""
    with socket.socket(family_of(remote_host), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote_host, DEFAULT_PORTS["UDP"]))
        except OSError:
            raise TransportError(f"There is no network route to {remote_host}. Check this machine's network.") from None
        return str(probe.getsockname()[0])


def open_socket(transport: Transport, host: str, port: int) -> socket.socket:
    """Bind a non-blocking socket to a literal address; one for TCP or TLS listens. Raises TransportError."""
    family = family_of(host)
    try:
        # With TCP by its name, or else asyncio leaves TCP_NODELAY out on what is accepted: each second answer would wait 40 ms.
        opened = socket.socket(family, _KINDS[transport], 0 if transport == "UDP" else socket.IPPROTO_TCP)
    except OSError as error:
        raise TransportError(f"No socket for {_place(transport, host, port)}: {error.strerror}.") from None
    try:
        opened.setblocking(False)
        if family == socket.AF_INET6:
            # So that the IPv4 wildcard can have the same port.
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if transport != "UDP" and sys.platform != "win32":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if transport == "UDP" and sys.platform == "linux":
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        opened.bind((host, port))
        if transport != "UDP":
            opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise TransportError(_bind_failure(error, transport, host, port)) from None
    return opened


def bound_address(transport: Transport, opened: socket.socket) -> LocalAddress:
    """Where a socket is bound."""
    host, port = opened.getsockname()[:2]
    return LocalAddress(transport, host, port)


def place_of(next_hop: NextHop) -> str:
    """Return a next hop's host and port as people read them."""
    return host_port(next_hop.host, next_hop.port or DEFAULT_PORTS[next_hop.transport])


def describe_failure(error: BaseException, next_hop: NextHop) -> str:
    """Say in plain words why a next hop could not be reached."""
    place = place_of(next_hop)
    if isinstance(error, ConnectionRefusedError):
        return f"nobody listens at {place} over {next_hop.transport}"
    if isinstance(error, TimeoutError):
        return f"{place} does not answer over {next_hop.transport}"
    if isinstance(error, OSError) and error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"there is no network route to {place}"
    if isinstance(error, ConnectionError):
        return f"{place} broke the connection"
    return f"{place} cannot be reached: {getattr(error, 'strerror', None) or error}"


def _bind_failure(error: OSError, transport: Transport, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        letter = "u" if transport == "UDP" else "t"
        who = f" `ss -{letter}lnp sport = :{port}` shows which." if sys.platform == "linux" else ""
        return (
            f"{_place(transport, host, port)} is already in use. "
            f"Stop the program that uses it, or choose another port (0 takes a free one).{who}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Use one that is, or {wildcard_like(host)} for all."
    if error.errno == errno.EACCES:
        return f"{_place(transport, host, port)} needs administrator rights. Choose a port above 1023."
    return f"{_place(transport, host, port)} cannot be opened: {error.strerror}."


def _place(transport: Transport, host: str, port: int) -> str:
    return f"Port {port}/{transport.lower()} on {host}"
