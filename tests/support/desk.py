"""A console over a real engine, worked by keys and mouse, read as text."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from support.happenings import Happenings
from support.uris import uri_of
from textual.pilot import Pilot

from voip_engine import Engine, EngineSettings
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup

LOOK_AGAIN_S = 0.02
PATIENCE_S = 10.0


@dataclass
class Desk:
    """The console, its engine, and hands and eyes."""

    app: ConsoleApp
    engine: Engine
    pilot: Pilot[int]
    happened: Happenings

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, *, size: tuple[int, int] = (80, 24), **settings: object) -> AsyncIterator[Desk]:
        wanted = EngineSettings(**{"listen": ("udp:127.0.0.1:0",), **settings})
        opened: asyncio.Future[tuple[Engine, Happenings]] = asyncio.get_running_loop().create_future()

        @asynccontextmanager
        async def open_engine() -> AsyncIterator[Engine]:
            async with Engine(wanted) as engine:
                opened.set_result((engine, Happenings(engine)))
                yield engine

        setup = Setup(mode=wanted.mode, dialled_file=folder / "dialled", pictures_folder=folder, bell=False)
        app = ConsoleApp(open_engine, setup)
        async with app.run_test(size=size, notifications=True) as pilot:
            engine, happened = await opened
            desk = cls(app, engine, pilot, happened)
            await desk.until(lambda: app.console_state.bridge is not None, "the engine was not taken over")
            yield desk
            # The engine must be closed in the test's time, as the console closes it: before it leaves.
            app.shut_down()
            await desk.until(lambda: app.return_code is not None, "the console did not leave")

    @property
    def uri(self) -> str:
        """Where the engine takes calls."""
        return uri_of(self.engine)

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        await self.pilot.press(*text)

    @property
    def screen(self) -> str:
        """What can be read on the screen."""
        picture = self.app.export_screenshot()
        return html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", "", picture, flags=re.S)).replace("\xa0", " ")

    async def shows(self, *texts: str) -> None:
        """Wait until all of these can be read."""
        await self.until(lambda: all(text in self.screen for text in texts), f"there was no {texts} on the screen")

    async def until(self, true: Callable[[], bool], complaint: str) -> None:
        """Look again until it is so."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not true():
                    await self.pilot.pause(LOOK_AGAIN_S)
        except TimeoutError:
            raise AssertionError(f"{complaint}:\n{self.screen}") from None
