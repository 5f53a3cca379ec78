"""Consoles for tests: one over an engine that stands still, for pictures, and one over a real engine, for deeds."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.desk import Desk

from voip_engine import Engine, EngineSettings


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day on the screen are the same on every machine."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def truecolor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures have the colours of a full-colour terminal, whatever runs the tests."""
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


MakeEngine = Callable[..., Awaitable[Engine]]


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """Starts engines on loopback for the other end of the line, and closes them in the end."""
    async with AsyncExitStack() as stack:

        async def make(**settings: object) -> Engine:
            wanted = EngineSettings(**{"listen": ("udp:127.0.0.1:0",), **settings})
            return await stack.enter_async_context(Engine(wanted))

        yield make


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A console over a real engine that listens on loopback and answers nothing by itself."""
    async with Desk.open(tmp_path) as desk:
        yield desk
