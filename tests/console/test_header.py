"""What the header says of many accounts where there is room for few."""

from __future__ import annotations

from msgspec.structs import replace
from support.still_engine import NOON, REFUSED, REGISTERED, StillEngine

from voip_tui.app import ConsoleApp
from voip_tui.context import Setup
from voip_tui.widgets.header import Header


async def header_of(*accounts: object, width: int = 80) -> str:
    engine = StillEngine((), accounts)
    app = ConsoleApp(engine.open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        return app.main.query_one(Header).render_line(0).text


async def test_accounts_that_do_not_fit_are_counted_and_the_failed_one_is_shown() -> None:
    other = replace(REGISTERED, account="sip:reception@second.pbx.example")
    shown = await header_of(REGISTERED, other, REFUSED)
    assert "2 of 3 registered" in shown
    assert "sales@carrier.example" in shown


async def test_accounts_that_fit_are_shown_without_a_count() -> None:
    shown = await header_of(REGISTERED, REFUSED, width=120)
    assert "desk@pbx.example" in shown
    assert "wrong password (403)" in shown
    assert " of " not in shown
