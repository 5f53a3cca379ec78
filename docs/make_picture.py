"""Makes docs/console.svg: the console itself, with the demo's callers on it. Run: python docs/make_picture.py"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from voip_engine import Engine, EngineSettings
from voip_engine.demo.process import demo_callers
from voip_tui.app import ConsoleApp
from voip_tui.bridge import ConsoleEngine
from voip_tui.context import Setup

SIZE = (120, 40)
TALK_S = 19


@asynccontextmanager
async def demo_engine() -> AsyncIterator[ConsoleEngine]:
    """An engine with four callers on the line."""
    settings = EngineSettings(listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"), auto_answer=True)
    async with Engine(settings) as engine, demo_callers(engine.snapshot().listening):
        yield engine


async def main() -> None:
    """Let them talk for a while, then take the picture."""
    app = ConsoleApp(demo_engine, Setup(title="voip-tui demo"))
    async with app.run_test(size=SIZE) as pilot:
        await asyncio.sleep(TALK_S)
        Path(__file__).with_name("console.svg").write_text(
            app.export_screenshot(title="voip-tui demo"), encoding="utf-8"
        )
        await pilot.press("q", "tab", "enter")


if __name__ == "__main__":
    asyncio.run(main())
