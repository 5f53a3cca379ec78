"""What waits for a model: calls take turns, and there may be a bound."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Backlog(Generic[Item]):
    """Round robin over calls, in order within a call. Beyond `limit` items, if there is one, the oldest of all is dropped."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        # Who stands first is served next; a call that has more goes to the end.
        self._calls: dict[str, deque[tuple[int, Item]]] = {}
        self._length = 0
        self._count = 0

    def __len__(self) -> int:
        return self._length

    def put(self, call_id: str, item: Item) -> Item | None:
        """Add an item; gives the one that had to go for it."""
        dropped = None
        if self._limit is not None and self._length >= self._limit:
            oldest = min(self._calls, key=lambda each: self._calls[each][0][0])
            dropped = self._pop(oldest)
        self._calls.setdefault(call_id, deque()).append((self._count, item))
        self._count += 1
        self._length += 1
        return dropped

    def take(self) -> Item:
        """Give the next item. Raises IndexError when there is none."""
        if not self._calls:
            raise IndexError("The queue is empty.")
        call_id = next(iter(self._calls))
        item = self._pop(call_id)
        if call_id in self._calls:
            self._calls[call_id] = self._calls.pop(call_id)
        return item

    def remove(self, call_id: str, item: Item) -> bool:
        """Take an item back; False if it isn't there any more."""
        items = self._calls.get(call_id, ())
        for entry in items:
            if entry[1] is item:
                self._calls[call_id].remove(entry)
                self._length -= 1
                if not self._calls[call_id]:
                    del self._calls[call_id]
                return True
        return False

    def _pop(self, call_id: str) -> Item:
        items = self._calls[call_id]
        _, item = items.popleft()
        self._length -= 1
        if not items:
            del self._calls[call_id]
        return item
