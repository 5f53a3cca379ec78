"""What the log looks like where sentences are longer than its lines, and when calls are gone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, REFUSED, StillEngine, call

from voip_engine.events import AccountChanged, CallCreated, CallEnded
from voip_engine.snapshots import CallDirection
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup
from voip_tui.widgets.log_lines import LogLines

REASON = (
    "The registrar carrier.example does not answer: nothing came back within 32 s from any of its three addresses, "
    "so look at the firewall"
)


@pytest.mark.parametrize("width", [80, 120])
async def test_reasons_go_on_indented_rows(width: int) -> None:
    failed = replace(REFUSED, detail=REASON)
    events = [AccountChanged(NOON, failed), CallEnded(NOON, "1", "remote", 503, REASON, 0.0)]
    engine = StillEngine([call(1, "Ada Lovelace")], (failed,), happened=events)
    app = ConsoleApp(engine.open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(width, 40)) as pilot:
        await pilot.pause()
        await pilot.press("g")
        await pilot.pause()
        log = app.screen.query_one(LogLines)
        rows = [log.render_line(y).text for y in range(log.size.height)]
    first = next(number for number, row in enumerate(rows) if "is not registered" in row)
    assert rows[first + 1].startswith(" " * 11)
    assert " ".join(" ".join(rows).split()).count(REASON) == 2


@pytest.mark.parametrize("width", [70, 71, 72, 80])
async def test_no_letter_stands_where_the_scroll_bar_comes(width: int) -> None:
    events = [AccountChanged(NOON, replace(REFUSED, account=f"sip:{'a' * n}@b", detail=REASON)) for n in range(1, 20)]
    app = ConsoleApp(StillEngine((), happened=events).open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        await pilot.press("g")
        await pilot.pause()
        log = app.screen.query_one(LogLines)
        assert log.show_vertical_scrollbar
        assert {log.render_line(y).text[log.size.width - 1 :] for y in range(log.size.height)} == {" "}


async def test_who_called_is_told_also_when_nobody_has_the_call_any_more() -> None:
    created = CallCreated(
        NOON, "1", CallDirection.INBOUND, "sip:ada@pbx.example", "Ada Lovelace", None, "x@pbx.example"
    )
    engine = StillEngine([call(1, "Ada Lovelace")], happened=[created, CallEnded(NOON, "1", "remote", 200, "", 5.0)])
    app = ConsoleApp(engine.open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        engine.shown = []
        assert app.console_state.bridge is not None
        app.console_state.bridge.poll()
        await pilot.press("g")
        await pilot.pause()
        log = app.screen.query_one(LogLines)
        rows = [log.render_line(y).text for y in range(log.size.height)]
    assert rows[1].split()[1:] == ["Ada", "Lovelace", "Ada", "Lovelace", "calls"]
    assert rows[2].split()[1:4] == ["Ada", "Lovelace", "Ended"]
