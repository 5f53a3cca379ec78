"""A queue in which calls take turns, to wait at: one call that has much to say does not hold up the others."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from voip_engine.speech.backlog import Backlog

Item = TypeVar("Item")


class WaitingLine(Generic[Item]):
    """A `Backlog` without a bound; whoever puts an item in waits for what becomes of it."""

    def __init__(self) -> None:
        self._backlog = Backlog[Item]()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._backlog)

    def put(self, call_id: str, item: Item) -> None:
        """Add an item behind the others of its call."""
        self._backlog.put(call_id, item)
        self._filled.set()

    async def filled(self) -> None:
        """Wait until there is something to take."""
        await self._filled.wait()

    async def take(self) -> Item:
        """Wait for the next item."""
        while not len(self._backlog):
            await self._filled.wait()
        item = self._backlog.take()
        self._note_emptiness()
        return item

    def remove(self, call_id: str, item: Item) -> bool:
        """Take back what still waits; False if it no longer does."""
        removed = self._backlog.remove(call_id, item)
        self._note_emptiness()
        return removed

    def clear(self) -> list[Item]:
        """Take back everything, in the order it would have been taken."""
        items = [self._backlog.take() for _ in range(len(self._backlog))]
        self._note_emptiness()
        return items

    def _note_emptiness(self) -> None:
        if not len(self._backlog):
            self._filled.clear()
