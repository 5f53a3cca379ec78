"""Transferring, and reading a call's SIP messages: a console over a real engine, other real engines at the far ends."""

from __future__ import annotations

import pytest
from support.desk import Desk
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallCreated, CallEnded, CallReferred
from voip_engine.network_settings import DiallingSettings
from voip_engine.snapshots import CallState
from voip_tui.widgets.calls_table import CallsTable
from voip_tui.widgets.ladder import Ladder

ADA = '"Ada Lovelace" <sip:ada@example.org>'
GRACE = '"Grace Hopper" <sip:grace@example.org>'


@pytest.fixture
async def far(make_engine) -> Engine:
    """Somebody who goes wherever they are sent."""
    return await make_engine(dialling=DiallingSettings(transfer=("*",)))


async def answered_from(desk: Desk, far: Engine, caller: str) -> Happenings:
    at_far = Happenings(far)
    await far.dial(desk.uri, caller=caller)
    await desk.shows("is calling")
    await desk.press("a")
    await at_far.wait_for(CallAnswered)
    await desk.shows("connected")
    return at_far


async def test_a_key_sends_the_other_side_to_an_address(desk: Desk, far: Engine, make_engine) -> None:
    bob = await make_engine(auto_answer=True)
    at_bob, at_far = Happenings(bob), await answered_from(desk, far, ADA)
    await desk.press("f")
    await desk.shows("Transfer Ada Lovelace")
    await desk.type(uri_of(bob))
    await desk.press("enter")
    assert (await at_far.wait_for(CallReferred)).refusal == ""
    await at_bob.wait_for(CallAnswered)
    await desk.happened.wait_for(CallEnded)
    await desk.shows("Transferred to")


async def test_after_a_transfer_the_cursor_is_on_a_call_that_is_up(desk: Desk, far: Engine, make_engine) -> None:
    bob, stays = await make_engine(auto_answer=True), await make_engine()
    await answered_from(desk, far, ADA)
    await answered_from(desk, stays, GRACE)
    await desk.press("k", "k", "f")
    await desk.shows("Transfer Ada Lovelace")
    await desk.type(uri_of(bob))
    await desk.press("enter")
    await desk.happened.wait_for(CallEnded)
    (up,) = (call for call in desk.engine.calls.values() if call.state is CallState.CONNECTED)
    table = desk.app.main.query_one(CallsTable)
    await desk.until(lambda: table.selected == up.call_id, "the cursor stayed on the call that is over")


async def test_another_call_takes_over(desk: Desk, far: Engine, make_engine) -> None:
    bob = await make_engine(dialling=DiallingSettings(transfer=("*",)))
    at_far, at_bob = await answered_from(desk, far, ADA), await answered_from(desk, bob, GRACE)
    await desk.press("k", "k", "f")
    await desk.shows("Transfer Ada Lovelace", "or connect with", "Grace Hopper")
    await desk.press("down", "enter")
    await at_far.wait_for(CallReferred)
    await at_bob.wait_for(CallCreated)
    for _ in range(2):
        await desk.happened.wait_for(CallEnded)
    assert all(call.state is CallState.ENDED for call in desk.engine.calls.values())
    assert any(call.state is CallState.CONNECTED for call in bob.calls.values())


async def test_who_hangs_up_while_a_transfer_is_asked_for_is_no_longer_offered(desk: Desk, far: Engine) -> None:
    await answered_from(desk, far, ADA)
    await answered_from(desk, far, GRACE)
    await desk.press("k", "k", "f")
    await desk.shows("Transfer Ada Lovelace", "or connect with")
    await desk.press("down")
    await next(iter(reversed(far.calls.values()))).hang_up()
    await desk.shows("Grace Hopper has hung up.")
    assert "or connect with" not in desk.screen
    assert desk.app.screen.query_one("#address").has_focus
    await next(iter(far.calls.values())).hang_up()
    await desk.shows("Ada Lovelace has hung up. There is nobody to transfer.")
    await desk.type(uri_of(far))
    await desk.press("enter")
    await desk.shows("There is nobody to transfer.")


async def test_who_does_not_want_to_be_sent_stays_and_it_is_said(desk: Desk, make_engine) -> None:
    far = await make_engine()
    await answered_from(desk, far, ADA)
    await desk.press("f")
    await desk.type("bob@127.0.0.1:9")
    await desk.press("enter")
    await desk.shows("Not transferred")
    (call,) = desk.engine.calls.values()
    assert call.state is CallState.CONNECTED


async def test_the_ladder_shows_what_goes_by_and_a_click_opens_it(desk: Desk, far: Engine) -> None:
    at_far = await answered_from(desk, far, ADA)
    await desk.press("enter", "shift+tab", "shift+tab", "shift+tab")
    await desk.shows("wants to talk · SDP", "180 Ringing", "agrees · SDP", "ACK")
    await desk.pilot.click(Ladder, offset=(30, 1))
    await desk.shows("INVITE  wants to talk", "Call-ID:", "Content-Type: application/sdp")
    await desk.press("right")
    await desk.shows("100 Trying  has it")
    await desk.press("escape", "enter")
    await desk.shows("ACK  got it")
    await desk.press("escape", "x")
    await at_far.wait_for(CallEnded)
    await desk.shows("BYE", "hangs up")
