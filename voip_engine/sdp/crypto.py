"""Keys for encrypted audio in a description: `a=crypto` lines (RFC 4568, RFC 6188).

::

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:<base64 of key and salt>|2^31|1:4
             tag suite                        what its writer encrypts with, lifetime, MKI and its length

The keys stand in the open: they are as secret as the signalling that carries them. Nothing here shows them in a `repr`.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from voip_engine.sdp.description import Attribute, MediaDescription, parse_number
from voip_engine.sdp.plan import SrtpSuite

KEY_BYTES: Final[Mapping[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_256_CM_HMAC_SHA1_80": 46,
    "AES_CM_128_HMAC_SHA1_32": 30,
}
"""The suites we know, the one that everybody knows first, with the bytes of a master key and its salt together."""

_SUITES: Final[Mapping[str, SrtpSuite]] = {
    **{suite.upper(): suite for suite in KEY_BYTES},
    "AES_CM_256_HMAC_SHA1_80": "AES_256_CM_HMAC_SHA1_80",  # its name in the drafts of RFC 6188, which phones still write
}
_LIFETIME = re.compile(r"2\^[1-9][0-9]?|[1-9][0-9]{0,14}", re.ASCII)
_MKI = re.compile(r"([0-9]{1,20}):([0-9]{1,3})", re.ASCII)
_LONGEST_MKI: Final = 128
_LARGEST_TAG: Final = 999_999_999


class SrtpKeys:
    """Our own master keys for one session, one for each suite, since every line has a key of its own (RFC 4568 §6.1)."""

    __slots__ = ("_keys",)

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """`random_bytes` gives so many bytes that nobody can guess."""
        self._keys = {suite: random_bytes(length) for suite, length in KEY_BYTES.items()}

    def of(self, suite: SrtpSuite) -> bytes:
        """The master key and salt that we encrypt with under a suite."""
        return self._keys[suite]


@dataclass(frozen=True, slots=True, repr=False)
class CryptoLine:
    """One usable `a=crypto` line. `key` is master key and salt; `mki` is what stands before each packet's tag, if anything.

    `name` is the suite as the line spells it, which an answer repeats.
    """

    tag: int
    suite: SrtpSuite
    key: bytes
    mki: bytes = b""
    name: str = ""

    @classmethod
    def parse(cls, value: str) -> CryptoLine | None:
        """Read a line's value; None for what cannot be used (RFC 4568 §9.1).

        That is an unknown suite, several keys, or a session parameter that would change how packets are made (§6.3). A
        lifetime is read over: at fifty packets a second none that phones write is reached.
        """
        fields = value.split()
        if len(fields) < 3:
            return None
        tag, suite = parse_number(fields[0], _LARGEST_TAG), _SUITES.get(fields[1].upper())
        if tag is None or suite is None or not all(map(_changes_nothing, fields[3:])):
            return None
        method, _, text = fields[2].partition(":")
        if method.lower() != "inline":
            return None
        encoded, *rest = text.split("|")
        key, mki = _parse_key(encoded, KEY_BYTES[suite]), _parse_rest(rest)
        return None if key is None or mki is None else cls(tag, suite, key, mki, fields[1])

    def serialize(self) -> Attribute:
        """The line as an attribute of a media section."""
        return Attribute("crypto", f"{self.tag} {self.name or self.suite} inline:{b64encode(self.key).decode()}")

    def __repr__(self) -> str:
        return f"CryptoLine({self.tag}, {self.suite})"


def crypto_lines(section: MediaDescription) -> tuple[CryptoLine, ...]:
    """The usable lines of a media section, in its order of preference."""
    values = (attribute.value for attribute in section.attributes if attribute.name == "crypto" and attribute.value)
    return tuple(line for value in values if (line := CryptoLine.parse(value)) is not None)


def offered_lines(keys: SrtpKeys) -> tuple[CryptoLine, ...]:
    """A line for each suite, in our order of preference."""
    return tuple(CryptoLine(tag, suite, keys.of(suite)) for tag, suite in enumerate(KEY_BYTES, start=1))


def answering_line(offered: CryptoLine, keys: SrtpKeys) -> CryptoLine:
    """The line that accepts an offered one: its tag and suite with our key (RFC 4568 §5.1.2)."""
    return CryptoLine(offered.tag, offered.suite, keys.of(offered.suite), name=offered.name)


def _changes_nothing(parameter: str) -> bool:
    """Whether a session parameter may be read over: optional ones, and a hint about the replay window (§6.3.7, §6.3.6)."""
    return parameter.startswith("-") or parameter.upper().startswith("WSH=")


def _parse_key(encoded: str, length: int) -> bytes | None:
    try:
        key = b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == length else None


def _parse_rest(fields: list[str]) -> bytes | None:
    """The MKI of `|lifetime|MKI:length`, b"" where there is none; None for what is neither."""
    if fields and _LIFETIME.fullmatch(fields[0]):
        fields = fields[1:]
    if not fields:
        return b""
    match = _MKI.fullmatch(fields[0]) if len(fields) == 1 else None
    if match is None:
        return None
    number, length = int(match[1]), int(match[2])
    if not 1 <= length <= _LONGEST_MKI or number >= 1 << 8 * length:
        return None
    return number.to_bytes(length, "big")
