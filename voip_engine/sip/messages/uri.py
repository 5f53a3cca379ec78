"""SIP URIs and the name-addr form that From, To, Contact and Route share (RFC 3261 §19.1, §20.10)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote as percent_quote
from urllib.parse import unquote as percent_unquote

from voip_engine.hosts import bracketed
from voip_engine.sip.messages.grammar import (
    MalformedHeader,
    Parameters,
    drop_parameter,
    end_of_quoted,
    find_parameter,
    format_parameters,
    parse_host_port,
    parse_parameters,
    quote,
    replace_parameter,
    unquote,
)

_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"\\]')
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")
_TOKENS = re.compile(r"[A-Za-z0-9\-.!%*_+`'~ ]+")
_NOT_IN_BARE_DISPLAY_NAME = re.compile(r'[,;:@"<>\\]')

# What may stand unescaped, besides letters, digits and "_.-~" that percent_quote never touches (RFC 3261 §25.1).
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"
_PARAMETER_SAFE = "!*'()[]/:&+$"
_HEADER_SAFE = "!*'()[]/?:+$"

# A parameter of these that stands in one URI only makes two URIs differ (RFC 3261 §19.1.4).
_DISTINGUISHING = ("user", "ttl", "method", "maddr", "transport")


class MalformedUri(MalformedHeader):
    """Text that is not a URI. Says what is wrong, without the text."""


@dataclass(frozen=True, slots=True)
class SipUri:
    """A sip, sips or tel URI, or any other one as `scheme` and `opaque` text.

    User, parameters and headers are unescaped. `host` is without brackets, and empty for tel and other schemes
    (a tel URI's number is its `user`). The password never shows in `str` or `repr`, only in `serialize()`.
    """

    scheme: str
    user: str | None
    host: str
    port: int | None = None
    parameters: Parameters = ()
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = field(default=None, repr=False)
    opaque: str = ""

    @staticmethod
    def parse(text: str) -> SipUri:
        """Parse a URI that stands alone, without brackets or white space (RFC 3261 §19.1.1). Raises MalformedUri."""
        if _FORBIDDEN.search(text):
            raise MalformedUri("a URI holds white space, quotes, brackets or control characters")
        scheme, colon, rest = text.partition(":")
        if not colon or not rest or not _SCHEME.fullmatch(scheme):
            raise MalformedUri("a URI has no scheme")
        scheme = scheme.lower()
        if scheme == "tel":
            number, semicolon, parameter_text = rest.partition(";")
            return SipUri(scheme, _unescape(number), "", None, _uri_parameters(parameter_text) if semicolon else ())
        if scheme not in ("sip", "sips"):
            return SipUri(scheme, None, "", opaque=rest)
        user = password = None
        user_info, at, after = rest.partition("@")
        if at:
            # '@' is never unescaped elsewhere, and a user may hold ';' and '?', so it is looked for first.
            user_text, has_password, password_text = user_info.partition(":")
            if not user_text:
                raise MalformedUri("a URI has an empty user")
            user = _unescape(user_text)
            password = _unescape(password_text) if has_password else None
            rest = after
        rest, question, header_text = rest.partition("?")
        host_text, semicolon, parameter_text = rest.partition(";")
        try:
            host, port = parse_host_port(host_text)
        except MalformedHeader as error:
            raise MalformedUri(str(error)) from None
        return SipUri(
            scheme,
            user,
            host,
            port,
            _uri_parameters(parameter_text) if semicolon else (),
            _uri_headers(header_text) if question else (),
            password,
        )

    def serialize(self) -> str:
        """Write the URI as it goes on the wire, password included."""
        return self._write(self.password)

    def __str__(self) -> str:
        return self._write(None)

    def _write(self, password: str | None) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        written = [self.scheme, ":"]
        if self.user is not None:
            written.append(_escape(self.user, _USER_SAFE))
            if password is not None:
                written += (":", _escape(password, _PASSWORD_SAFE))
            if self.host:
                written.append("@")
        written.append(bracketed(self.host))
        if self.port is not None:
            written.append(f":{self.port}")
        for name, value in self.parameters:
            written += (";", _escape(name, _PARAMETER_SAFE))
            if value is not None:
                written += ("=", _escape(value, _PARAMETER_SAFE))
        mark = "?"
        for name, value in self.headers:
            written += (mark, _escape(name, _HEADER_SAFE), "=", _escape(value, _HEADER_SAFE))
            mark = "&"
        return "".join(written)

    def parameter(self, name: str) -> str | None:
        """Value of a URI parameter, None when absent or without a value."""
        return find_parameter(self.parameters, name)[1]

    def has_parameter(self, name: str) -> bool:
        """Say whether a URI parameter is there, with or without a value."""
        return find_parameter(self.parameters, name)[0]

    def with_parameter(self, name: str, value: str | None = None) -> SipUri:
        """Copy with a URI parameter set."""
        return replace(self, parameters=replace_parameter(self.parameters, name, value))

    def without_parameter(self, name: str) -> SipUri:
        """Copy without a URI parameter."""
        return replace(self, parameters=drop_parameter(self.parameters, name))

    def without_headers(self) -> SipUri:
        """Copy without the headers part, as a Request-URI wants it (RFC 3261 §19.1.5)."""
        return replace(self, headers=())

    def matches(self, other: SipUri) -> bool:
        """Compare two URIs by the rules of RFC 3261 §19.1.4: stricter than "reaches the same", looser than `==`."""
        if (self.scheme, self.user, self.password, self.host.lower(), self.port, self.opaque) != (
            other.scheme,
            other.user,
            other.password,
            other.host.lower(),
            other.port,
            other.opaque,
        ):
            return False
        ours = {name.lower(): (value or "").lower() for name, value in self.parameters}
        theirs = {name.lower(): (value or "").lower() for name, value in other.parameters}
        if any((name in ours) != (name in theirs) for name in _DISTINGUISHING):
            return False
        if any(theirs.get(name, value) != value for name, value in ours.items()):
            return False
        return _comparable_headers(self) == _comparable_headers(other)


@dataclass(frozen=True, slots=True)
class NameAddress:
    """A display name, a URI and the header's parameters, as in From, To, Contact and Route."""

    display_name: str
    uri: SipUri
    parameters: Parameters = ()

    @staticmethod
    def parse(text: str) -> NameAddress:
        """Parse one name-addr or addr-spec with its parameters (RFC 3261 §20.10).

        Without brackets, everything from the first semicolon on belongs to the header. Raises MalformedHeader.
        """
        text = text.strip()
        display_name = ""
        if text.startswith('"'):
            end = end_of_quoted(text, 0)
            if end < 0:
                raise MalformedHeader("the quotes of a display name don't balance")
            display_name = unquote(text[:end])
            text = text[end:].lstrip()
            if not text.startswith("<"):
                raise MalformedHeader("a display name is not followed by a URI in brackets")
            bracket = 0
        else:
            bracket = text.find("<")
        if bracket < 0:
            uri_text, semicolon, rest = text.partition(";")
            if "?" in uri_text or "," in uri_text:
                raise MalformedHeader("a URI with a question mark or comma is not in brackets")
            uri = SipUri.parse(uri_text.rstrip())
            return NameAddress("", uri, parse_parameters(rest) if semicolon else ())
        if bracket > 0:
            display_name = " ".join(text[:bracket].split())
            # More than tokens is tolerated, for phones write "Müller (home) <sip:…>"; separators are not.
            if not _TOKENS.fullmatch(display_name) and _NOT_IN_BARE_DISPLAY_NAME.search(display_name):
                raise MalformedHeader("a display name needs quotes")
        end = text.find(">", bracket)
        if end < 0:
            raise MalformedHeader("the bracket around a URI is not closed")
        uri = SipUri.parse(text[bracket + 1 : end])
        rest = text[end + 1 :].lstrip()
        if not rest:
            return NameAddress(display_name, uri)
        if rest[0] != ";":
            raise MalformedHeader("there is something after a URI")
        return NameAddress(display_name, uri, parse_parameters(rest[1:]))

    def serialize(self) -> str:
        """Write it as it goes on the wire, with a password in the URI if there is one."""
        return self._write(self.uri.serialize())

    def __str__(self) -> str:
        return self._write(str(self.uri))

    def _write(self, uri_text: str) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{uri_text}>{format_parameters(self.parameters)}"

    @property
    def tag(self) -> str | None:
        """The tag parameter (RFC 3261 §19.3)."""
        return find_parameter(self.parameters, "tag")[1]

    def with_tag(self, tag: str | None) -> NameAddress:
        """Copy with this tag, or with none."""
        if tag is None:
            return replace(self, parameters=drop_parameter(self.parameters, "tag"))
        return replace(self, parameters=replace_parameter(self.parameters, "tag", tag))

    def parameter(self, name: str) -> str | None:
        """Value of a header parameter, None when absent or without a value."""
        return find_parameter(self.parameters, name)[1]

    def has_parameter(self, name: str) -> bool:
        """Say whether a header parameter is there, with or without a value."""
        return find_parameter(self.parameters, name)[0]

    def with_parameter(self, name: str, value: str | None = None) -> NameAddress:
        """Copy with a header parameter set."""
        return replace(self, parameters=replace_parameter(self.parameters, name, value))


def _unescape(text: str) -> str:
    if "%" not in text:
        return text
    try:
        return percent_unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise MalformedUri("the escapes in a URI are not UTF-8") from None


def _escape(text: str, safe: str) -> str:
    # Plain letters and digits, the usual case, need no escaping.
    return text if text.isalnum() and text.isascii() else percent_quote(text, safe=safe)


def _uri_parameters(text: str) -> Parameters:
    parameters: list[tuple[str, str | None]] = []
    for piece in text.split(";"):
        name, equals, value = piece.partition("=")
        if not name:
            raise MalformedUri("a URI parameter is empty")
        parameters.append((_unescape(name), _unescape(value) if equals else None))
    return tuple(parameters)


def _uri_headers(text: str) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    for piece in text.split("&"):
        name, equals, value = piece.partition("=")
        if not name or not equals:
            raise MalformedUri("a header in a URI is malformed")
        headers.append((_unescape(name), _unescape(value)))
    return tuple(headers)


def _comparable_headers(uri: SipUri) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in uri.headers)
