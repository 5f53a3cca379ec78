from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from voip_engine import Engine, EngineSettings

LOOPBACK = ("udp:127.0.0.1:0", "tcp:127.0.0.1:0")

MakeEngine = Callable[..., Awaitable[Engine]]


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """Starts engines on loopback, and closes them in the end."""
    async with AsyncExitStack() as stack:

        async def make(*, modes: dict | None = None, **settings: object) -> Engine:
            wanted = EngineSettings(**{"listen": LOOPBACK, **settings})
            return await stack.enter_async_context(Engine(wanted, modes=modes))

        yield make


@pytest.fixture
async def echo(make_engine: MakeEngine) -> Engine:
    """An engine that answers and echoes."""
    return await make_engine(auto_answer=True)
