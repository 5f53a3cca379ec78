"""An event loop whose clock jumps to the next timer, so that minutes of a call take milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class _Impatient(selectors.DefaultSelector):
    """Instead of waiting it tells how long it would have waited."""

    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self._patience_s = patience_s
        self.skipped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0 and self._patience_s:
            ready = super().select(self._patience_s)
        if not ready and timeout is None:
            raise RuntimeError("Nothing is due and nothing can come: the test waits for ever.")
        if not ready and timeout is not None:
            self.skipped_s += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` moves only when nothing is left to do before the next timer, and nothing came for `patience_s` of real time."""

    def __init__(self, patience_s: float = 0) -> None:
        self._impatient = _Impatient(patience_s)
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.skipped_s

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Do at once what a thread should do, for threads live in real time."""
        done: asyncio.Future[T] = self.create_future()
        done.set_result(func(*args))
        return done


def run(work: Coroutine[Any, Any, T], *, patience_s: float = 0) -> T:
    """Run a coroutine in virtual time. With real sockets it takes some patience until what was sent has come."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(patience_s)) as runner:
        return runner.run(work)
