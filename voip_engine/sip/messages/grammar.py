"""The pieces of SIP's grammar that headers share (RFC 3261 §25.1): tokens, quoted strings, lists, parameters.

All scans move forwards only, so their time grows with the length of the text whatever a peer sends.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address

Parameters = tuple[tuple[str, str | None], ...]

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_CALL_ID = re.compile(r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+(?:@[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+)?")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9\-.!%*_+`'~:\[\]]+")
_HOST = re.compile(r"[A-Za-z0-9._\-]+")
_QUOTE_OR_ESCAPE = re.compile(r'["\\]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'["\\]')
_NOT_IN_VALUE = re.compile(r'[\s"<>]')
_LINE_BREAKS = re.compile(r"[\r\n]+")


class MalformedHeader(ValueError):
    """A header value that does not follow its grammar. The text says what is wrong, never the value itself."""


def is_token(text: str) -> bool:
    """Say whether the text is a token (RFC 3261 §25.1)."""
    return _TOKEN.fullmatch(text) is not None


def is_call_id(text: str) -> bool:
    """Say whether the text is a Call-ID: `word [ "@" word ]` (RFC 3261 §25.1)."""
    return _CALL_ID.fullmatch(text) is not None


def parse_number(text: str, limit: int, what: str) -> int:
    """Read decimal ASCII digits up to `limit` inclusive; leading zeros are fine.

    Raises MalformedHeader naming `what`.
    """
    if text.isascii() and text.isdigit():
        significant = text.lstrip("0")
        if len(significant) <= 20 and (number := int(significant or "0")) <= limit:
            return number
    raise MalformedHeader(f"{what} is not a number from 0 to {limit}")


def read_seconds(text: str | None) -> int | None:
    """Read delta-seconds, which a comment or parameters may follow (RFC 3261 §20.33); None for what is none."""
    digits = (text or "").partition(";")[0].partition("(")[0].strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Split `host[:port]` (RFC 3261 §25.1 hostport). An IPv6 reference loses its brackets.

    Raises MalformedHeader.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not _is_ipv6(host):
            raise MalformedHeader("an IPv6 address is malformed")
        rest = rest.lstrip()
        if rest and rest[0] != ":":
            raise MalformedHeader("there is something between host and port")
        port_text = rest[1:] if rest else None
    else:
        host, colon, after = text.partition(":")
        host = host.rstrip()
        if not _HOST.fullmatch(host):
            raise MalformedHeader("a host name is missing or malformed")
        port_text = after if colon else None
    if port_text is None:
        return host, None
    port = parse_number(port_text.strip(), 65535, "a port")
    if port == 0:
        raise MalformedHeader("a port is 0")
    return host, port


@lru_cache(maxsize=1024)
def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def end_of_quoted(text: str, start: int) -> int:
    """Index just past the quoted string that opens at `start`; -1 when it never closes."""
    position = start + 1
    while match := _QUOTE_OR_ESCAPE.search(text, position):
        if match.group() == '"':
            return match.end()
        position = match.end() + 1
    return -1


def split_outside_quotes(text: str, separator: str, *, brackets: bool = False) -> list[str]:
    """Split at `separator` where it stands outside quoted strings and, with `brackets`, outside `<…>`.

    What an unbalanced quote or bracket opens runs to the end. Pieces are stripped of white space; empty ones stay.
    """
    if '"' not in text and not (brackets and "<" in text):
        return [piece.strip() for piece in text.split(separator)]
    stops = _STOPS[separator, brackets]
    pieces: list[str] = []
    start = position = 0
    while match := stops.search(text, position):
        found = match.group()
        if found == separator:
            pieces.append(text[start : match.start()].strip())
            start = position = match.end()
        else:
            position = end_of_quoted(text, match.start()) if found == '"' else text.find(">", match.end()) + 1
            if position <= 0:
                break
    pieces.append(text[start:].strip())
    return pieces


_STOPS = {
    (",", False): re.compile('[",]'),
    (",", True): re.compile('[",<]'),
    (";", False): re.compile('[";]'),
}


def split_list(text: str) -> list[str]:
    """Split a comma-separated header value (RFC 3261 §7.3.1); empty members are dropped."""
    if "," not in text:
        text = text.strip()
        return [text] if text else []
    return [piece for piece in split_outside_quotes(text, ",", brackets=True) if piece]


def unquote(text: str) -> str:
    """Take the quotes and escapes off a whole quoted string; any other text comes back as it is.

    Raises MalformedHeader when the quotes don't balance.
    """
    if not text.startswith('"'):
        return text
    if end_of_quoted(text, 0) != len(text):
        raise MalformedHeader("a quoted string is not closed where it should be")
    inner = text[1:-1]
    return _ESCAPED.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """Write a quoted string. Line breaks, which it cannot hold, become spaces."""
    text = _LINE_BREAKS.sub(" ", text)
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", text) + '"'


def parse_parameters(text: str) -> Parameters:
    """Read `name[=value]` pairs between semicolons (generic-param), without the leading semicolon.

    Values come without quotes. Raises MalformedHeader on an empty parameter, a bad name or an unbalanced quote.
    """
    parameters: list[tuple[str, str | None]] = []
    for piece in split_outside_quotes(text, ";"):
        name, equals, value = piece.partition("=")
        name = name.rstrip()
        if not _TOKEN.fullmatch(name):
            raise MalformedHeader("a parameter name is missing or malformed")
        if not equals:
            parameters.append((name, None))
            continue
        value = value.lstrip()
        if value.startswith('"'):
            value = unquote(value)
        elif _NOT_IN_VALUE.search(value):
            raise MalformedHeader("a parameter value is malformed")
        parameters.append((name, value))
    return tuple(parameters)


def format_parameters(parameters: Parameters) -> str:
    """Write parameters with their leading semicolons, quoting the values that need it."""
    written = []
    for name, value in parameters:
        if value is None:
            written.append(f";{name}")
        elif _PLAIN_VALUE.fullmatch(value):
            written.append(f";{name}={value}")
        else:
            written.append(f";{name}={quote(value)}")
    return "".join(written)


def find_parameter(parameters: Parameters, name: str) -> tuple[bool, str | None]:
    """Look a parameter up without regard to case: whether it is there, and its value."""
    for each, value in parameters:
        if each == name or each.lower() == name.lower():
            return True, value
    return False, None


def replace_parameter(parameters: Parameters, name: str, value: str | None) -> Parameters:
    """Set a parameter where it stands, or append it."""
    lowered = name.lower()
    if all(each.lower() != lowered for each, _ in parameters):
        return (*parameters, (name, value))
    return tuple((each, value if each.lower() == lowered else old) for each, old in parameters)


def drop_parameter(parameters: Parameters, name: str) -> Parameters:
    """Leave a parameter out."""
    lowered = name.lower()
    return tuple(pair for pair in parameters if pair[0].lower() != lowered)
