"""Waiting for what an engine tells."""

from __future__ import annotations

from typing import TypeVar

from voip_engine import Engine
from voip_engine.events import AnyEvent

E = TypeVar("E")


class Happenings:
    """All events of an engine from now on. `wait_for` finds one that came or will come, each at most once.

    With `call_id` set, what happens on other calls is passed over.
    """

    def __init__(self, engine: Engine) -> None:
        self.call_id: str | None = None
        self._subscription = engine.events()
        self.seen: list[AnyEvent] = []
        self._taken: set[int] = set()

    async def next(self) -> AnyEvent:
        """Wait for whatever happens next."""
        async for event in self._subscription:
            self.seen.append(event)
            return event
        raise AssertionError(f"the engine stopped; it told {self.seen}")

    async def wait_for(self, kind: type[E], **fields: object) -> E:
        for number, event in enumerate(self.seen):
            if number not in self._taken and self._fits(event, kind, fields):
                self._taken.add(number)
                return event
        async for event in self._subscription:
            self.seen.append(event)
            if self._fits(event, kind, fields):
                self._taken.add(len(self.seen) - 1)
                return event
        raise AssertionError(f"the engine stopped without {kind.__name__} {fields}; it told {self.seen}")

    def _fits(self, event: object, kind: type, fields: dict[str, object]) -> bool:
        if self.call_id is not None and getattr(event, "call_id", self.call_id) != self.call_id:
            return False
        return isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
