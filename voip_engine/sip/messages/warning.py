"""Why an offer was refused, as one side writes it for the people of the other: Warning (RFC 3261 §20.43)."""

from __future__ import annotations

from typing import Final

from voip_engine.hosts import bracketed
from voip_engine.sip.messages.grammar import MalformedHeader, quote, unquote
from voip_engine.sip.messages.message import Headers

_MISCELLANEOUS: Final = 399
_SESSION_CODES: Final = frozenset({*range(300, 308), 370, _MISCELLANEOUS})
"""Those that speak of the session. Proxies tell of themselves under others (392)."""
_LONGEST: Final = 200


def warning(host: str, text: str) -> str:
    """Write the value of a Warning header: `text` is for people, `host` is who warns."""
    return f"{_MISCELLANEOUS} {bracketed(host)} {quote(_printable(' '.join(text.split())))}"


def warn(headers: Headers, host: str, text: str) -> None:
    """Add a Warning, if there is anything to say."""
    if text:
        headers.add("Warning", warning(host, text))


def warning_text(headers: Headers) -> str:
    """Return what the first warning about the session says, in at most 200 characters that print; empty for none."""
    for value in headers.get_list("Warning"):
        code, _, rest = value.partition(" ")
        _, _, text = rest.strip().partition(" ")
        if code.isascii() and code.isdecimal() and int(code[:4]) in _SESSION_CODES:
            try:
                return _printable(unquote(text.strip())).strip()
            except MalformedHeader:
                continue
    return ""


def _printable(text: str) -> str:
    return "".join(letter for letter in text[:_LONGEST] if letter.isprintable())
