"""What the header says of many accounts where there is room for few."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, REFUSED, REGISTERED, StillEngine

from voip_engine.events import CallRefused
from voip_engine.snapshots import AccountState
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup
from voip_tui.widgets.header import Header


async def header_of(*accounts: object, width: int = 80, line: int = 0, **engine: object) -> str:
    still = StillEngine((), accounts, **engine)
    app = ConsoleApp(still.open, Setup(poll_s=None, now=lambda: NOON, bell=False))
    async with app.run_test(size=(width, 24)) as pilot:
        await pilot.pause()
        app.console_state.bridge.poll()
        await pilot.pause()
        return app.main.query_one(Header).render_line(line).text


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


async def test_why_an_account_failed_has_a_line_of_its_own_where_it_is_long() -> None:
    why = "The registrar localhost did not accept the name or the password (403)."
    refused = replace(REFUSED, detail=why, retry_at=NOON + 7200)
    assert why in await header_of(refused, line=1)
    assert "Next try at 17:06." in await header_of(refused, width=120, line=1)
    both = replace(refused, account="sip:reception@second.pbx.example", detail="No answer.")
    assert "sales: The registrar" in await header_of(refused, both, line=1)


@pytest.mark.parametrize("width", [80, 120])
async def test_of_two_accounts_that_failed_both_names_and_causes_are_told_in_the_order_of_the_settings(
    width: int,
) -> None:
    why = "The registrar localhost did not accept the name or the password (403)."
    alice = replace(REFUSED, account="sip:alice@localhost:5071", detail=why, retry_at=NOON + 7200)
    bob = replace(REFUSED, account="sip:bob@localhost:5072", detail="Nobody answers at localhost:5072.")
    names = await header_of(alice, bob, width=width)
    assert names.index("alice@localhost:5071") < names.index("bob@localhost:5072")
    causes = await header_of(alice, bob, width=width, line=1)
    assert "alice: The registrar localhost" in causes
    assert "bob: Nobody answers at localhost" in causes
    mended = await header_of(replace(alice, state=AccountState.REGISTERED), bob, width=width)
    assert mended.index("alice@localhost:5071") < mended.index("bob@localhost:5072")


async def test_of_three_accounts_that_do_not_fit_those_that_failed_are_named() -> None:
    reception, office = (replace(REFUSED, account=f"sip:{who}@second.pbx.example") for who in ("reception", "office"))
    shown = await header_of(reception, REGISTERED, office)
    assert shown.index("1 of 3 registered") < shown.index("reception") < shown.index("office")


async def test_calls_that_come_over_a_registration_are_not_called_unheard() -> None:
    assert "calls come in over 2 accounts" in await header_of(REGISTERED, REGISTERED, line=1, listening=())
    assert "not listening" in await header_of(line=1, listening=())


async def test_refused_calls_are_counted() -> None:
    refused = [CallRefused(NOON + at, f"sip:{who}@x.example", 488, "No.") for at, who in enumerate("aabc" * 5)]
    app = ConsoleApp(StillEngine((), (REGISTERED,), happened=refused).open, Setup(poll_s=None, now=lambda: NOON))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        app.console_state.bridge.poll()
        await pilot.pause()
        assert "20 refused" in app.main.query_one(Header).render_line(1).text
