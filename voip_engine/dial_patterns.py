"""What a pattern of [dialling] covers: `sip:user@host` with wildcards, against the ways in which an address can be understood.

Patterns and addresses are brought to one spelling first, so that no pattern fails to cover what it names.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fnmatch import translate
from ipaddress import IPv6Address
from urllib.parse import unquote

from voip_engine.hosts import is_literal, literal, plain

_URI_SCHEMES = ("sip:", "sips:")
_SCHEMES = (*_URI_SCHEMES, "tel:")
_UNESCAPE_ROUNDS = 3
_SEPARATORS = re.compile(r"[\s\-.()/]")
_NUMBER = re.compile(r"\+?[0-9*#]+")
_NUMBER_PATTERN = re.compile(r"\+?[0-9*#?]+")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.DOTALL)
_ADDRESS_PATTERN = re.compile(r"[0-9.*?]*[0-9][0-9.*?]*|.*:.*")
_IPV6_PATTERN = re.compile(r"[0-9a-f.:*?]*:[0-9a-f.:*?]*")
_LEADING_ZEROS = re.compile(r"(?<![0-9a-f*?.])0+(?=[0-9a-f])")
_MAPPED = "::ffff:"
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to understand an address. `user` is a bare number where it is one, `stripped` has no separators at all."""

    user: str
    stripped: str
    host: str

    @staticmethod
    def of(user: str, host: str) -> Reading:
        """Read a user and a host that `folded` and `one_host` have brought to one spelling."""
        return Reading(bare(user), _SEPARATORS.sub("", user), host)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, its two parts ready to match. `host` is None where it holds no `@`."""

    text: str
    user: re.Pattern[str]
    host: re.Pattern[str] | None
    address: bool
    """Whether the host part is one of addresses: 10.0.0.* is not to cover 10.0.0.example."""

    @staticmethod
    def of(text: str) -> Pattern:
        """Read a pattern. Raises ValueError, in words that say what to write instead, for one that could cover nothing."""
        written = folded(text).strip()
        whole = without_scheme(written)
        user, at, host = whole.rpartition("@") if "@" in whole else (whole, "", "")
        shown = repr(text[:_SHOWN_CHARACTERS])
        if "<" in whole or ">" in whole:
            inner = whole.partition("<")[2].partition(">")[0]
            raise ValueError(f"{shown} has angle brackets: write {inner[:_SHOWN_CHARACTERS]!r}")
        if ";" in whole:
            without = f"{user.partition(';')[0]}{at}{host.partition(';')[0]}"
            raise ValueError(f"{shown} has parameters, which cover nothing: write {without[:_SHOWN_CHARACTERS]!r}")
        stripped = _SEPARATORS.sub("", user)
        is_numeric = _NUMBER_PATTERN.fullmatch(stripped) is not None
        if not at and is_literal(whole.strip("[]")):
            raise ValueError(f"{shown} has no @, so that it is about a user: write {f'*@{whole}'!r}")
        if not at and written.startswith(_URI_SCHEMES) and "." in whole and not is_numeric:
            short = whole[:_SHOWN_CHARACTERS]
            raise ValueError(f"{shown} has no @: write {f'*@{short}'!r} if it is a host, and {short!r} if it is a user")
        host = _host_pattern(host, shown) if at else ""
        return Pattern(
            text,
            _glob(stripped if is_numeric else user),
            _glob(host) if at else None,
            _ADDRESS_PATTERN.fullmatch(host) is not None,
        )

    def covers(self, reading: Reading) -> bool:
        """Whether an address so understood is meant."""
        return self.user.match(reading.user) is not None and self._covers_host(reading.host)

    def covers_loosely(self, reading: Reading) -> bool:
        """Also cover names whose separators, and numbers whose `+`, a gateway may pass over."""
        users = (reading.user, reading.stripped, reading.stripped.lstrip("+"))
        return any(self.user.match(user) for user in users) and self._covers_host(reading.host)

    def _covers_host(self, host: str) -> bool:
        if self.host is None:
            return True
        if self.address and not is_literal(host):
            return False
        return any(self.host.match(spelling) for spelling in _spellings(host))


def folded(text: str) -> str:
    """Lower case, no escapes, no invisible characters, any script's digits as 0 to 9."""
    for _ in range(_UNESCAPE_ROUNDS):
        text = unquote(text)
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_plain(character) for character in text if unicodedata.category(character) not in ("Cf", "Cc"))


def without_scheme(text: str) -> str:
    """Leave out a scheme in front of an address or a user."""
    return next((text.removeprefix(scheme) for scheme in _SCHEMES if text.startswith(scheme)), text)


def bare(user: str) -> str:
    """Return a number without its visual separators (RFC 3966 §5.1.1), and a name as it is."""
    stripped = _SEPARATORS.sub("", user)
    return stripped if _NUMBER.fullmatch(stripped) else user


def is_number(text: str) -> bool:
    """Whether a text is a number, visual separators aside."""
    return _NUMBER.fullmatch(bare(text)) is not None


def one_host(text: str) -> str:
    """One spelling of a host. Raises ValueError for a number that resolvers, but no reader, take for an address."""
    host = folded(text).replace("[", "").replace("]", "").rstrip(".")
    if not is_literal(host) and _ENDS_IN_NUMBER.fullmatch(host):
        raise ValueError("its host is neither a name nor an address as addresses are written")
    return plain(host)


def _host_pattern(host: str, shown: str) -> str:
    """One spelling of a host with wildcards. Raises ValueError for one that no host can be like."""
    name, has_port, _ = host.partition("]:")
    bracketed = host.startswith("[") and not has_port
    host = host.replace("[", "").replace("]", "").rstrip(".")
    if not has_port and is_literal(host):
        return plain(host)
    if has_port or (":" in host and not (_IPV6_PATTERN.fullmatch(host) and (bracketed or host.count(":") > 1))):
        name = f"{name}]" if has_port else host.partition(":")[0]
        hint = "" if has_port else ", or the whole host in brackets if it is an IPv6 address"
        raise ValueError(f"{shown} has a port, which covers nothing: write {f'@{name}'[:_SHOWN_CHARACTERS]!r}{hint}")
    if "*" not in host and "?" not in host and _ENDS_IN_NUMBER.fullmatch(host):
        raise ValueError(f"{shown} ends in neither a name nor a whole address: write such as @192.0.2.7 or @192.0.2.*")
    if host.startswith(_MAPPED) and "." not in host:
        raise ValueError(f"{shown} is about IPv4 addresses within IPv6: write such as @192.0.2.*")
    return _LEADING_ZEROS.sub("", host).removeprefix(_MAPPED) if ":" in host else host


def _spellings(host: str) -> tuple[str, ...]:
    """A host, and an IPv6 address also with all its zeros, one for each group: as patterns with wildcards may have them."""
    address = literal(host)
    if not isinstance(address, IPv6Address):
        return (host,)
    return host, ":".join(f"{int(group, 16):x}" for group in address.exploded.split(":"))


def _plain(character: str) -> str:
    value = unicodedata.decimal(character, None)
    if value is not None:
        return str(value)
    return "-" if unicodedata.category(character) == "Pd" else character


def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` as in file names, without sets; in linear time for each `*`."""
    return re.compile(translate(pattern.replace("[", "[[]")))
