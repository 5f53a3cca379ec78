"""Engines for the tests of other projects' programs, and what docs/interop.md is written from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from support.certificates import Authority
from support.interop import Results

from voip_engine import Engine, EngineSettings

MakeEngine = Callable[..., Awaitable[Engine]]
RESULTS = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--interop", type=Path, help="write the rows of docs/interop.md to this file, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = Results()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        config.stash[RESULTS].collected(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report = yield
    item.config.stash[RESULTS].reported(report)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path = session.config.getoption("interop")
    if path is not None:
        session.config.stash[RESULTS].write(path)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom everybody trusts who trusts anybody here."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def make_engine() -> AsyncIterator[MakeEngine]:
    """Starts engines on loopback, and closes them in the end."""
    async with AsyncExitStack() as stack:

        async def make(*, modes: dict | None = None, **settings: object) -> Engine:
            wanted = EngineSettings(**{"listen": ("udp:127.0.0.1:0",), **settings})
            return await stack.enter_async_context(Engine(wanted, modes=modes))

        yield make
