"""Who may be called: allow and deny patterns for people, agents, redirects and transfers alike.

```
SipUri ──► reading: numbers and names it may be taken for, hosts it may lead to ──► deny (any) ──► allow (all)
```
Whoever gets the request may read an address otherwise than it looks: numbers without their visual separators (RFC 3966
§5.1.1), escapes twice, a `phone-context` in front of the number (§5.1.5), the routing number of RFC 4694, `maddr` for the host
(RFC 3261 §19.1.1). An address is called only if no reading of it is denied and every one is allowed.

A carrier may take `0049…` or `49…` for `+49…`, and a PBX may know prefixes of its own, which no rule here can: what must not be
called is safe behind a short `allow`, not behind a long `deny`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fnmatch import translate
from urllib.parse import unquote

from voip_engine.hosts import is_literal, plain
from voip_engine.network_settings import DiallingSettings
from voip_engine.sip.messages.uri import SipUri

_SCHEMES = ("sip:", "sips:", "tel:")
_UNESCAPE_ROUNDS = 3
_SEPARATORS = re.compile(r"[\s\-.()/]")
_NUMBER = re.compile(r"\+?[0-9*#]+")
_NUMBER_PATTERN = re.compile(r"\+?[0-9*#?]+")
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)", re.DOTALL)
_ADDRESS_PATTERN = re.compile(r"[0-9.*?]*[0-9][0-9.*?]*")
_SHOWN_CHARACTERS = 80


class DialRules:
    """The patterns of [dialling]. Holds no state: how many calls and minutes is for `DialLimits`."""

    def __init__(self, settings: DiallingSettings) -> None:
        self._allow = tuple(_Pattern.of(text) for text in settings.allow)
        self._deny = tuple(_Pattern.of(text) for text in settings.deny)
        self._transfer = tuple(_Pattern.of(text) for text in settings.transfer)
        self._redirect = tuple(_Pattern.of(text) for text in settings.redirect)
        self._anything_goes = "*" in settings.allow and not settings.deny

    def check(self, uri: SipUri) -> str | None:
        """Return in plain words why an address may not be called, None if it may."""
        if uri.scheme not in ("sip", "sips", "tel"):
            return f"Only sip:, sips: and tel: addresses can be called, not {uri.scheme[:20]}:."
        if self._anything_goes:
            return None
        shown = _shown(uri)
        try:
            readings = _readings(uri)
        except ValueError as error:
            return f"{shown} is not called: {error}."
        for pattern in self._deny:
            if any(pattern.covers_loosely(reading) for reading in readings):
                return f"{shown} may not be called: {pattern.text!r} stands in deny of [dialling]."
        if not all(any(pattern.covers(reading) for pattern in self._allow) for reading in readings):
            return f"{shown} may not be called: nothing in allow of [dialling] covers it."
        return None

    def check_transfer(self, uri: SipUri) -> str | None:
        """Return in plain words why the other side of a call may not send us to an address, None if it may."""
        if not self._transfer:
            return "The other side may send us nowhere: transfer of [dialling] is empty."
        shown = _shown(uri)
        try:
            readings = _readings(uri)
        except ValueError as error:
            return f"{shown} is not called: {error}."
        if not all(any(pattern.covers(reading) for pattern in self._transfer) for reading in readings):
            return f"The other side may not send us to {shown}: nothing in transfer of [dialling] covers it."
        return self.check(uri)

    def check_redirect(self, dialled: SipUri, uri: SipUri) -> str | None:
        """Return in plain words why a call to `dialled` may not go on to an address, None if it may.

        To whom was dialled it may, by whatever port and transport but out of TLS; elsewhere `redirect` has to say so.
        """
        shown = _shown(uri)
        try:
            readings = _readings(uri)
            same = set(readings) <= set(_readings(dialled)) and (_is_secure(uri) or not _is_secure(dialled))
        except ValueError as error:
            return f"{shown} is not called: {error}."
        if not same and not all(any(pattern.covers(reading) for pattern in self._redirect) for reading in readings):
            return f"Calls may not be sent on to {shown}: nothing in redirect of [dialling] covers it."
        return self.check(uri)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to understand an address. `user` is a bare number where it is one, `stripped` has no separators at all."""

    user: str
    stripped: str
    host: str


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pattern, its two parts ready to match. `host` is None where it holds no `@`."""

    text: str
    user: re.Pattern[str]
    host: re.Pattern[str] | None
    address: bool
    """Whether the host part is one of addresses: 10.0.0.* is not to cover 10.0.0.example."""

    @staticmethod
    def of(text: str) -> _Pattern:
        folded = _folded(text)
        folded = next((folded.removeprefix(scheme) for scheme in _SCHEMES if folded.startswith(scheme)), folded)
        user, at, host = folded.rpartition("@") if "@" in folded else (folded, "", "")
        bare = _SEPARATORS.sub("", user)
        host = host.replace("[", "").replace("]", "").rstrip(".")
        return _Pattern(
            text,
            _glob(bare if _NUMBER_PATTERN.fullmatch(bare) else user),
            _glob(host) if at else None,
            _ADDRESS_PATTERN.fullmatch(host) is not None,
        )

    def covers(self, reading: _Reading) -> bool:
        return self.user.match(reading.user) is not None and self._covers_host(reading.host)

    def covers_loosely(self, reading: _Reading) -> bool:
        """Also cover names whose separators, and numbers whose `+`, a gateway may pass over."""
        users = (reading.user, reading.stripped, reading.stripped.lstrip("+"))
        return any(self.user.match(user) for user in users) and self._covers_host(reading.host)

    def _covers_host(self, host: str) -> bool:
        if self.host is None:
            return True
        return self.host.match(host) is not None and (not self.address or is_literal(host))


def _is_secure(uri: SipUri) -> bool:
    return uri.scheme == "sips" or (uri.parameter("transport") or "").lower() == "tls"


def _readings(uri: SipUri) -> list[_Reading]:
    """Return every way to understand an address. Raises ValueError, in plain words, for one that only hides what it is."""
    if uri.password is not None:
        raise ValueError("an address that is called holds no password")
    hosts = [_host(uri.host)]
    if (maddr := uri.parameter("maddr")) is not None:
        hosts.append(_host(maddr))
    number, *parameters = _folded(uri.user or "").split(";")
    number = next((number.removeprefix(scheme) for scheme in _SCHEMES if number.startswith(scheme)), number)
    users = [number]
    named = dict(_pair(text) for text in parameters)
    named |= {name.lower(): _folded(value) for name, value in uri.parameters if value is not None}
    if _is_number(context := named.get("phone-context", "")) and not number.startswith("+"):
        users.append(context + number)
    if _is_number(routing := named.get("rn", "")):
        users.append(routing)
    return [_reading(user, host) for user in users for host in hosts]


def _reading(user: str, host: str) -> _Reading:
    stripped = _SEPARATORS.sub("", user)
    return _Reading(stripped if _NUMBER.fullmatch(stripped) else user, stripped, host)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(_SEPARATORS.sub("", text)) is not None


def _host(text: str) -> str:
    """One spelling of a host. Raises ValueError for a number that resolvers, but no reader, take for an address."""
    host = _folded(text).replace("[", "").replace("]", "").rstrip(".")
    if not is_literal(host) and _ENDS_IN_NUMBER.fullmatch(host):
        raise ValueError("its host is neither a name nor an address as addresses are written")
    return plain(host)


def _folded(text: str) -> str:
    """Lower case, no escapes, no invisible characters, any script's digits as 0 to 9."""
    for _ in range(_UNESCAPE_ROUNDS):
        text = unquote(text)
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_plain(character) for character in text if unicodedata.category(character) not in ("Cf", "Cc"))


def _plain(character: str) -> str:
    value = unicodedata.decimal(character, None)
    if value is not None:
        return str(value)
    return "-" if unicodedata.category(character) == "Pd" else character


def _glob(pattern: str) -> re.Pattern[str]:
    """`*` and `?` as in file names, without sets; in linear time for each `*`."""
    return re.compile(translate(pattern.replace("[", "[[]")))


def _shown(uri: SipUri) -> str:
    """An address as people read it: no parameters, no headers, not without end."""
    text = f"{uri.scheme}:{uri.user or ''}{'@' if uri.user and uri.host else ''}{uri.host}"
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS else f"{printable[:_SHOWN_CHARACTERS]}…"
