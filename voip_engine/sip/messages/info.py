"""Keys that are sent by INFO, in the two forms that phones use (RFC 6086 §1 leaves them as they were: undocumented)."""

from __future__ import annotations

import re

from voip_engine.sip.messages.grammar import MalformedHeader

RELAY = "application/dtmf-relay"
"""Lines of `Signal=5` and `Duration=160`."""
PLAIN = "application/dtmf"
"""The key alone."""
KEYS = "0123456789*#ABCD"
DEFAULT_DURATION_MS = 250
LONGEST_DURATION_MS = 5000

_FIELD = re.compile(r"[ \t]*(signal|duration)[ \t]*[=:][ \t]*([^\s]{1,10})[ \t]*", re.IGNORECASE)
_MAX_BODY_BYTES = 256


def read_key(media_type: str, body: bytes) -> tuple[str, int] | None:
    """Return the key and how long it was pressed in ms; None for what is no key (a hook flash).

    Raises MalformedHeader.
    """
    if len(body) > _MAX_BODY_BYTES:
        raise MalformedHeader("a key's INFO is too long")
    text = body.decode("ascii", errors="replace").strip()
    signal, duration = text, ""
    if media_type == RELAY:
        fields = {match[1].lower(): match[2] for line in text.splitlines() if (match := _FIELD.fullmatch(line))}
        signal, duration = fields.get("signal", ""), fields.get("duration", "")
    if not signal:
        raise MalformedHeader("an INFO names no key")
    known = duration.isascii() and duration.isdigit()
    duration_ms = min(int(duration), LONGEST_DURATION_MS) if known else DEFAULT_DURATION_MS
    key = signal.upper()
    if key.isascii() and key.isdigit() and len(key) == 2 and int(key) < len(KEYS):
        key = KEYS[int(key)]  # by its event code (RFC 4733 §3.2), as some exchanges write it
    return (key, duration_ms) if len(key) == 1 and key in KEYS else None


def write_key(media_type: str, key: str, duration_ms: int) -> bytes:
    """Write a key in one of the two forms."""
    if media_type == PLAIN:
        return key.encode()
    return f"Signal={key}\r\nDuration={duration_ms}\r\n".encode()
