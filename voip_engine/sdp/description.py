"""Session descriptions as values: `SessionDescription.parse(data)` and `.serialize()` (RFC 8866).

Tolerant where real phones are sloppy (bare LF, blank lines, no `s=` or `t=`, lines and attributes nobody knows), strict
where a wrong guess would send audio to the wrong place: `v=`, `o=`, `c=` and `m=` must read as RFC 8866 §5 says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from itertools import pairwise

from voip_engine.hosts import literal

_LARGEST_PORT = 65_535


class MalformedSdp(ValueError):
    """A body that is no session description; the text says which line and why."""


@dataclass(frozen=True, slots=True, repr=False)
class Attribute:
    """One `a=` line (RFC 8866 §5.13). `value` is None for a flag such as `a=sendonly`. `repr` shows no key."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"

    def __repr__(self) -> str:
        return f"Attribute({'crypto:***' if self.name.lower() == 'crypto' else str(self)!r})"


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866 §5.2). Ids stay text: phones write numbers of any length, and some that are none."""

    username: str
    session_id: str
    session_version: str
    host: str

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.session_version} IN {address_family(self.host)} {self.host}"


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One `m=` section (RFC 8866 §5.14). `host` is its own `c=` line's address, None when the session's counts.

    `formats` are payload type numbers as text for RTP, and anything at all for other protocols.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str | None = None
    attributes: tuple[Attribute, ...] = ()
    port_count: int = 1

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of this name, None when there is none or it is a flag."""
        return _first_value(self.attributes, name)

    def _lines(self) -> list[str]:
        port = str(self.port) if self.port_count == 1 else f"{self.port}/{self.port_count}"
        lines = [f"m={' '.join((self.kind, port, self.protocol, *self.formats))}"]
        if self.host is not None:
            lines.append(f"c=IN {address_family(self.host)} {self.host}")
        return lines + [f"a={attribute}" for attribute in self.attributes]


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. `host` is the session's `c=` address; times, bandwidths and contact lines are not kept."""

    origin: Origin
    name: str = "-"
    host: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Read a body of type application/sdp. Raises MalformedSdp and nothing else."""
        lines = _split_lines(data)
        if not lines:
            raise MalformedSdp("the session description is empty")
        if lines[0][1:] != ("v", "0"):
            raise MalformedSdp(f"line {lines[0][0]}: a session description begins with v=0")
        starts = [index for index, (_, letter, _) in enumerate(lines) if letter == "m"]
        session = lines[1 : starts[0]] if starts else lines[1:]
        found = {letter: (number, value) for number, letter, value in reversed(session)}  # a letter's first line wins
        if "o" not in found:
            raise MalformedSdp("there is no o= line")
        return cls(
            origin=_parse_origin(*found["o"]),
            name=found["s"][1] if "s" in found else "-",
            host=_parse_connection(*found["c"]) if "c" in found else None,
            attributes=_parse_attributes(session),
            media=tuple(_parse_media(lines[start:end]) for start, end in pairwise([*starts, len(lines)])),
        )

    def serialize(self) -> bytes:
        """The description as the body of a message, UTF-8 with CRLF."""
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        if self.host is not None:
            lines.append(f"c=IN {address_family(self.host)} {self.host}")
        lines.append("t=0 0")
        lines += [f"a={attribute}" for attribute in self.attributes]
        for media in self.media:
            lines += media._lines()
        return "\r\n".join([*lines, ""]).encode()

    def attribute(self, media: MediaDescription, name: str) -> str | None:
        """An attribute's value for a media section: its own, else the session's."""
        value = media.attribute(name)
        return value if value is not None else _first_value(self.attributes, name)

    def media_host(self, media: MediaDescription) -> str | None:
        """The address audio of a media section goes to: its own `c=` line, else the session's (RFC 8866 §5.7)."""
        return media.host if media.host is not None else self.host


def address_family(host: str) -> str:
    """`IP4` or `IP6`; a host name counts as IP4."""
    return "IP6" if isinstance(literal(host), IPv6Address) else "IP4"


def parse_number(text: str, largest: int) -> int | None:
    """A plain decimal number from 0 to `largest`; None for anything else (signs, blanks, other scripts' digits)."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    number = int(text)
    return number if number <= largest else None


def _first_value(attributes: Sequence[Attribute], name: str) -> str | None:
    return next((attribute.value for attribute in attributes if attribute.name == name), None)


def _split_lines(data: bytes) -> list[tuple[int, str, str]]:
    """(line number, type letter, value) of every line that is not blank."""
    lines = []
    text = data.decode("utf-8", "replace").replace("\0", "")  # some phones send their C string's end along
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if not line:
            continue
        if line[1:2] != "=":
            raise MalformedSdp(f"line {number}: every line reads <letter>=<value>")
        lines.append((number, line[0], line[2:].strip()))
    return lines


def _parse_origin(number: int, value: str) -> Origin:
    fields = value.split()
    if len(fields) != 6:
        raise MalformedSdp(f"line {number}: o= has six fields, this one {len(fields)}")
    username, session_id, session_version, _, _, host = fields
    return Origin(username, session_id, session_version, host)


def _parse_connection(number: int, value: str) -> str:
    fields = value.split()
    if len(fields) != 3 or fields[0] != "IN" or fields[1] not in ("IP4", "IP6"):
        raise MalformedSdp(f"line {number}: c= reads IN IP4 <address> or IN IP6 <address>")
    host = fields[2].partition("/")[0]  # multicast may add a time to live and a count (RFC 8866 §5.7)
    if not host:
        raise MalformedSdp(f"line {number}: c= has no address")
    return host


def _parse_attributes(lines: Sequence[tuple[int, str, str]]) -> tuple[Attribute, ...]:
    attributes = []
    for _, letter, value in lines:
        name, colon, rest = value.partition(":")
        if letter == "a" and name.strip():
            attributes.append(Attribute(name.strip(), rest.strip() if colon else None))
    return tuple(attributes)


def _parse_media(lines: Sequence[tuple[int, str, str]]) -> MediaDescription:
    number, _, value = lines[0]
    fields = value.split()
    if len(fields) < 3:
        raise MalformedSdp(f"line {number}: m= reads <kind> <port> <protocol> <formats>")
    port_text, slash, count_text = fields[1].partition("/")
    port = parse_number(port_text, _LARGEST_PORT)
    count = parse_number(count_text, _LARGEST_PORT) if slash else 1
    if port is None or not count:
        raise MalformedSdp(f"line {number}: m= has no port between 0 and {_LARGEST_PORT}")
    connection = next(((line, text) for line, letter, text in lines if letter == "c"), None)
    return MediaDescription(
        kind=fields[0],
        port=port,
        protocol=fields[2],
        formats=tuple(fields[3:]),
        host=_parse_connection(*connection) if connection else None,
        attributes=_parse_attributes(lines[1:]),
        port_count=count,
    )
