"""STUN binding messages (RFC 5389), by aioice's codec: what is asked, and the address that an answer tells.

aioice is loaded where it is first used, which takes a moment: load it in a thread beforehand where a loop would wait.
"""

from __future__ import annotations

import struct
from typing import Final

from voip_engine.hosts import host_port, literal

MAGIC_COOKIE: Final = bytes.fromhex("2112A442")
TRANSACTION_ID_BYTES: Final = 12
_HEADER_BYTES: Final = 20


class MalformedStun(ValueError):
    """A datagram that is no answer of use to a binding request; the text says why."""


def binding_request(transaction_id: bytes) -> bytes:
    """Give the request's datagram; `transaction_id` is twelve bytes that nobody can guess (RFC 5389 §6)."""
    from aioice import stun

    return bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, transaction_id))


def looks_like_stun(data: bytes) -> bool:
    """Whether a datagram is STUN rather than RTP, RTCP or SIP, by its first bits and the cookie (RFC 5389 §8)."""
    return len(data) >= _HEADER_BYTES and data[0] < 0x40 and data[4:8] == MAGIC_COOKIE


def answers(data: bytes, request: bytes) -> bool:
    """Whether a datagram says that it answers this request; its contents are not looked at."""
    return looks_like_stun(data) and data[0] & 0x01 == 1 and data[4:_HEADER_BYTES] == request[4:_HEADER_BYTES]


def mapped_address(data: bytes) -> tuple[str, int]:
    """Read the address, host and port, that a binding response tells us we are seen at. Raises MalformedStun."""
    from aioice import stun

    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error) as error:
        raise MalformedStun(f"it is no STUN message: {error}") from None
    if message.message_method != stun.Method.BINDING or message.message_class != stun.Class.RESPONSE:
        raise MalformedStun("it is no response to a binding request")
    # Servers of RFC 3489 know the plain attribute only.
    address: tuple[str, int] | None = message.attributes.get("XOR-MAPPED-ADDRESS") or message.attributes.get(
        "MAPPED-ADDRESS"
    )
    if address is None:
        raise MalformedStun("it tells no address")
    return address


def seen_address(data: bytes, own_host: str) -> tuple[str, int]:
    """Read the address that a binding response tells, if peers can reach a socket of ours there that is bound to `own_host`.

    A server may tell anything, and what it tells is given out to others. So it has to be a unicast address of the same
    family, with a port, and one of this machine alone only for a socket that is. Raises MalformedStun.
    """
    host, port = mapped_address(data)
    seen, own = literal(host), literal(own_host)
    if seen is None or own is None or seen.version != own.version:
        raise MalformedStun(f"it tells an address of another family ({host})")
    if seen.is_unspecified or seen.is_multicast or seen.is_reserved or (seen.is_loopback and not own.is_loopback):
        raise MalformedStun(f"it tells an address where nobody can reach us ({host})")
    if port == 0:
        raise MalformedStun(f"it tells no port ({host_port(host, port)})")
    return host, port
