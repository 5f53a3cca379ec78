"""What is shown without a key: the operator's choice stays selected, what nobody chose goes on to a live call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, StillEngine, call
from textual.pilot import Pilot

from voip_engine.snapshots import CallState
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup
from voip_tui.widgets.call_page import Welcome
from voip_tui.widgets.calls_table import ENDED_SEEN_S, CallsTable


@dataclass
class Watched:
    """A console that polls when it is told to."""

    engine: StillEngine
    app: ConsoleApp
    pilot: Pilot[int]

    async def poll(self) -> None:
        assert self.app.console_state.bridge is not None
        self.app.console_state.bridge.poll()
        await self.pilot.pause()

    @property
    def selected(self) -> str | None:
        return self.app.main.table.selected

    async def end(self, number: int, *, ago_s: float) -> None:
        """Let a call be over for a while."""
        self.engine.shown = [
            replace(each, state=CallState.ENDED, ended_at=NOON - ago_s) if each.call_id == str(number) else each
            for each in self.engine.shown
        ]
        await self.poll()


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    engine = StillEngine(
        [call(1, "Olga", ago_s=60), call(2, "Ada Lovelace", ago_s=50), call(3, "Grace Hopper", ago_s=40)]
    )
    app = ConsoleApp(engine.open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        console = Watched(engine, app, pilot)
        await console.poll()
        assert console.selected == engine.shown[0].call_id
        yield console


async def test_from_an_ended_call_that_nobody_chose_it_goes_on_to_a_live_one_once_the_end_was_seen() -> None:
    async with watched() as console:
        olga, ada, _ = (each.call_id for each in console.engine.shown)
        await console.end(int(olga), ago_s=ENDED_SEEN_S - 1)
        assert console.selected == olga
        await console.end(int(olga), ago_s=ENDED_SEEN_S)
        assert console.selected == ada


@pytest.mark.parametrize("keys", [("j", "k"), ("tab",), ("enter",), ("pageup",), ("h",)])
async def test_what_somebody_chose_or_is_busy_with_stays(keys: tuple[str, ...]) -> None:
    async with watched() as console:
        olga = console.engine.shown[0].call_id
        await console.pilot.press(*keys)
        await console.end(int(olga), ago_s=60)
        assert console.selected == olga


async def test_what_was_clicked_stays() -> None:
    async with watched() as console:
        olga = console.engine.shown[0].call_id
        await console.pilot.click(CallsTable, offset=(10, 1))
        await console.end(int(olga), ago_s=60)
        assert console.selected == olga


async def test_where_all_calls_are_over_it_stays() -> None:
    async with watched() as console:
        olga, *others = (each.call_id for each in console.engine.shown)
        for other in others:
            await console.end(int(other), ago_s=70)
        await console.end(int(olga), ago_s=60)
        assert console.selected == olga


async def test_what_follows_a_chosen_call_that_is_gone_was_chosen_by_nobody() -> None:
    async with watched() as console:
        _, ada, grace = (each.call_id for each in console.engine.shown)
        await console.pilot.press("j", "k")
        console.engine.shown = console.engine.shown[1:]
        await console.poll()
        assert console.selected == ada
        await console.end(int(ada), ago_s=60)
        assert console.selected == grace


async def test_in_the_demo_it_says_that_callers_come() -> None:
    app = ConsoleApp(StillEngine().open, Setup(demo=True, poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.console_state.bridge is not None
        app.console_state.bridge.poll()
        await pilot.pause()
        welcome = app.main.query_one(Welcome)
        shown = " ".join(welcome.render_line(y).text for y in range(welcome.size.height))
    assert "Callers come in a moment." in shown
    assert "callers of its own" not in shown
    assert "SIP phone" not in shown
