"""Events on their way from the engine to whoever listens.

Each subscriber has a queue of its own. A subscriber that does not keep up loses its oldest events, counted in `dropped`;
it never slows the engine or another subscriber.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """One subscriber's view of the bus: an async iterator that ends when the bus closes."""

    def __init__(self, bus: Bus[T], capacity: int) -> None:
        self._bus = bus
        self._queue: deque[T] = deque(maxlen=capacity)
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Append an item; the oldest goes when the queue is full."""
        if self._closed:
            return
        if len(self._queue) == self._queue.maxlen:
            self.dropped += 1
        self._queue.append(item)
        self._wake.set()

    def take_unread(self) -> list[T]:
        """Give all at once what waits to be read."""
        unread = list(self._queue)
        self._queue.clear()
        return unread

    def close(self) -> None:
        """Let the iterator end once the queue is empty, and take no more."""
        self._closed = True
        self._wake.set()
        self._bus.forget(self)

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


class Bus(Generic[T]):
    """Hands every published item to every subscriber, without waiting for any."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription[T]] = set()
        self._closed = False

    def subscribe(self, capacity: int = 1000) -> Subscription[T]:
        """Return what is published from now on; keeps at most `capacity` unread items."""
        subscription = Subscription(self, capacity)
        if self._closed:
            subscription.close()
        else:
            self._subscriptions.add(subscription)
        return subscription

    def publish(self, item: T) -> None:
        """Give an item to every subscriber."""
        for subscription in self._subscriptions:
            subscription.put(item)

    def forget(self, subscription: Subscription[T]) -> None:
        """Drop a subscriber; unknown ones are ignored."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription once it has been read to its end."""
        self._closed = True
        for subscription in tuple(self._subscriptions):
            subscription.close()
