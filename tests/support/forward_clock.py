"""An event loop in real time whose clock can be put forward: what an engine keeps for half a minute is due at once then."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

STEP_S = 0.5
"""Small enough that nobody is taken for dead for not having answered meanwhile."""
T = TypeVar("T")


class ForwardLoop(asyncio.SelectorEventLoop):
    """Runs `ahead_s` ahead of the system's clock."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


async def put_forward(seconds: float) -> None:
    """Let time pass in a hurry, with a moment for all that falls due."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ForwardLoop)
    for _ in range(round(seconds / STEP_S)):
        loop.ahead_s += STEP_S
        await asyncio.sleep(0.001)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine with a clock that can be put forward."""
    with asyncio.Runner(loop_factory=ForwardLoop) as runner:
        return runner.run(work)
