"""One STUN request until it is answered or given up (RFC 5389 §7.2.1), without a socket or a clock of its own."""

from __future__ import annotations

from typing import Final

from voip_engine.stun.messages import answers

FIRST_WAIT_S: Final = 0.1
"""Before the request is sent again; each further wait is twice as long.

RFC 5389 wants half a second, for the sake of servers that many ask at once. A caller waits meanwhile, and we ask once a call.
"""
TIMEOUT_S: Final = 0.5


class StunExchange:
    """Says when to send `request`, and recognizes its answer."""

    __slots__ = ("_due_s", "_until_s", "_wait_s", "answer", "request")

    def __init__(self, request: bytes, now: float) -> None:
        """Begin; `on_timer` gives the first datagram at once."""
        self.request = request
        self.answer: bytes | None = None
        self._due_s = now
        self._wait_s = FIRST_WAIT_S
        self._until_s = now + TIMEOUT_S

    def on_timer(self, now: float) -> bytes | None:
        """Give the datagram that is to be sent now, if any."""
        if now < self._due_s or self.done(now):
            return None
        self._due_s = now + self._wait_s
        self._wait_s *= 2
        return self.request

    def next_deadline(self) -> float:
        """When `on_timer` has something to do next."""
        return min(self._due_s, self._until_s)

    def receive(self, data: bytes) -> bool:
        """Take a datagram of the server's; whether it was the answer."""
        if self.answer is None and answers(data, self.request):
            self.answer = data
            return True
        return False

    def done(self, now: float) -> bool:
        """Whether there is an answer, or none is waited for any more."""
        return self.answer is not None or now >= self._until_s
