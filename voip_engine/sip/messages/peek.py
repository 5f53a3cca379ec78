"""What can be told of a message without parsing it: enough to pass over what strangers send."""

from __future__ import annotations

import re
from dataclasses import dataclass

_HEAD_BYTES = 8_192
"""Where a Call-ID that stands further down is not looked for."""
_METHOD = re.compile(rb"([A-Z]{1,20}) [^\r\n]* SIP/2\.0\r\n", re.IGNORECASE)
_STATUS = re.compile(rb"SIP/2\.0 [1-6][0-9][0-9] ", re.IGNORECASE)
_CALL_ID = re.compile(rb"\r\n(?:call-id|i)[ \t]*:(?:[ \t]|\r\n[ \t])*([^\r\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Peek:
    """A message's method, empty for a response or for what is no SIP at all, and its Call-ID, empty if there is none."""

    method: str
    call_id: str


def peek(data: bytes) -> Peek:
    """Read method and Call-ID off the first 8 KB. What comes of it may be malformed all the same."""
    head = data[:_HEAD_BYTES]
    start = _METHOD.match(head)
    method = start.group(1).decode() if start else ""
    if not start and not _STATUS.match(head):
        return Peek("", "")
    call_id = _CALL_ID.search(head)
    return Peek(method, call_id.group(1).strip(b" \t").decode(errors="replace") if call_id else "")
