"""Which refused calls are news: all are counted, and who is refused again and again is told of now and then."""

from __future__ import annotations

from voip_engine.events import CallRefused

QUIET_S = 10.0
"""How long nothing more is told after one refusal, whoever calls."""
SAME_QUIET_S = 60.0
"""How long the same caller refused for the same reason is no news."""


class Refusals:
    """Counts refused calls, and remembers which one was told of last."""

    def __init__(self) -> None:
        self.count = 0
        self._told: tuple[str, str] | None = None
        self._told_at = 0.0

    def is_new(self, event: CallRefused) -> bool:
        """Count a refused call, and say whether it is worth a toast."""
        self.count += 1
        who = (event.caller, event.reason)
        if self._told is not None and event.at - self._told_at < (SAME_QUIET_S if who == self._told else QUIET_S):
            return False
        self._told, self._told_at = who, event.at
        return True
