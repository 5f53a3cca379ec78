"""A queue in which calls take turns: one that has much to say does not hold up the others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class WaitingLine(Generic[Item]):
    """Items by call: the call that has waited longest gives its oldest, and goes to the end of the line.

    It has no bound of its own; whoever puts an item in waits for what becomes of it.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, call_id: str, item: Item) -> None:
        """Add an item behind the others of its call."""
        self._lines.setdefault(call_id, deque()).append(item)
        self._filled.set()

    async def filled(self) -> None:
        """Wait until there is something to take."""
        await self._filled.wait()

    async def take(self) -> Item:
        """Wait for the next item."""
        while not self._lines:
            await self._filled.wait()
        call_id, line = self._lines.popitem(last=False)
        item = line.popleft()
        if line:
            self._lines[call_id] = line
        self._note_emptiness()
        return item

    def remove(self, call_id: str, item: Item) -> bool:
        """Take back what still waits; False if it no longer does."""
        line = self._lines.get(call_id)
        if line is None or item not in line:
            return False
        line.remove(item)
        if not line:
            del self._lines[call_id]
        self._note_emptiness()
        return True

    def clear(self) -> list[Item]:
        """Take back everything."""
        items = [item for line in self._lines.values() for item in line]
        self._lines.clear()
        self._note_emptiness()
        return items

    def _note_emptiness(self) -> None:
        if not self._lines:
            self._filled.clear()
