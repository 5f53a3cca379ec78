"""What a voice mailbox says of itself (application/simple-message-summary, RFC 3842 §5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voip_engine.sip.messages.grammar import MalformedHeader

SIMPLE_MESSAGE_SUMMARY = "application/simple-message-summary"

_MAX_BODY_BYTES = 4096
_COUNTS = re.compile(r"([0-9]{1,9})[ \t]*/[ \t]*([0-9]{1,9})(?![0-9])")


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """Whether messages wait, and how many voice messages are new and old; 0 where nothing is said of them."""

    waiting: bool
    new: int
    old: int

    @staticmethod
    def parse(body: bytes) -> MessageSummary:
        """Read a body. Raises MalformedHeader."""
        if len(body) > _MAX_BODY_BYTES:
            raise MalformedHeader("a message summary is too long")
        fields: dict[str, str] = {}
        for line in body.decode(errors="replace").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip())
        waiting = fields.get("messages-waiting", "").lower()
        if waiting not in ("yes", "no"):
            raise MalformedHeader("a message summary does not say whether messages wait")
        counts = _COUNTS.match(fields.get("voice-message", ""))
        new, old = (int(counts[1]), int(counts[2])) if counts is not None else (0, 0)
        return MessageSummary(waiting == "yes", new, old)
