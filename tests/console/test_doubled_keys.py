"""Keys that a terminal hands over in one read: all of them reach a dialogue before the first has closed it."""

from __future__ import annotations

import pytest
from support.desk import Desk
from support.happenings import Happenings
from support.still_engine import StillEngine, call
from support.uris import uri_of
from textual.events import Key
from textual.widgets import Button

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallEnded, ModeChanged
from voip_engine.snapshots import CallState
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup
from voip_tui.screens.choose import ChooseScreen
from voip_tui.screens.dial import DialScreen
from voip_tui.screens.transfer import TransferScreen


def in_one_read(desk: Desk, *keys: str) -> None:
    """Hand keys over with nothing in between."""
    for key in keys:
        desk.app.post_message(Key(key, key if len(key) == 1 else None))


async def back_at_the_calls(desk: Desk) -> None:
    await desk.until(lambda: desk.app.screen is desk.app.main, "the dialogue stayed")
    await desk.pilot.pause()
    assert desk.app.screen is desk.app.main


@pytest.fixture
async def echo(make_engine) -> Engine:
    return await make_engine(auto_answer=True)


async def connect(desk: Desk, echo: Engine) -> None:
    await desk.engine.dial(uri_of(echo))
    await desk.happened.wait_for(CallAnswered)
    await desk.shows("connected")


async def test_closing_twice_closes_once(desk: Desk) -> None:
    for opening in ("g", "i", "question_mark", "d"):
        await desk.press(opening)
        await desk.until(lambda: desk.app.screen is not desk.app.main, "nothing opened")
        in_one_read(desk, "escape", "escape", "escape")
        await back_at_the_calls(desk)


async def test_enter_twice_dials_once(desk: Desk, echo: Engine) -> None:
    await desk.press("d")
    await desk.type(uri_of(echo))
    in_one_read(desk, "enter", "enter", "enter")
    await desk.happened.wait_for(CallAnswered)
    await back_at_the_calls(desk)
    assert len(desk.engine.calls) == 1


async def test_a_digit_twice_chooses_once(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    await desk.press("m")
    place = str(desk.engine.modes.index("silence") + 1)
    in_one_read(desk, place, place)
    await desk.happened.wait_for(ModeChanged, mode="silence")
    await back_at_the_calls(desk)


async def test_only_the_first_choice_counts(desk: Desk) -> None:
    chosen: list[int | None] = []
    await desk.app.push_screen(ChooseScreen("Speakers", ["one", "two"]), chosen.append)
    in_one_read(desk, "1", "enter", "2", "escape")
    await back_at_the_calls(desk)
    assert chosen == [0]


async def test_keys_behind_the_end_of_a_keypad_do_nothing(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    await desk.press("t")
    in_one_read(desk, "escape", "t", "5", "escape")
    await back_at_the_calls(desk)


async def test_a_transfer_is_asked_for_once(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    await desk.press("f")
    assert isinstance(desk.app.screen, TransferScreen)
    in_one_read(desk, "escape", "escape")
    await back_at_the_calls(desk)
    await desk.press("f")
    desk.app.screen.query_one("#cancel", Button).focus()
    in_one_read(desk, "enter", "enter")
    await back_at_the_calls(desk)


async def test_a_sip_message_closes_once(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    desk.app.main.action_open_message(0)
    await desk.shows("INVITE", "esc closes")
    in_one_read(desk, "escape", "escape", "escape")
    await back_at_the_calls(desk)


async def test_staying_twice_stays(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    await desk.press("q")
    await desk.shows("1 call is up")
    in_one_read(desk, "n", "n", "escape")
    await back_at_the_calls(desk)
    (connected,) = desk.engine.calls.values()
    assert connected.snapshot().state is CallState.CONNECTED


async def test_leaving_twice_leaves(desk: Desk, echo: Engine) -> None:
    at_echo = Happenings(echo)
    await connect(desk, echo)
    await desk.press("q")
    await desk.shows("1 call is up")
    in_one_read(desk, "y", "y")
    assert (await at_echo.wait_for(CallEnded)).by == "remote"
    await desk.until(lambda: desk.app.return_code == 0, "the console did not leave")


@pytest.mark.parametrize("before", [(), ("d",), ("question_mark",)], ids=["calls", "dialling", "help"])
async def test_ctrl_c_asks_and_a_second_one_hangs_up_and_quits(
    desk: Desk, echo: Engine, before: tuple[str, ...]
) -> None:
    at_echo = Happenings(echo)
    await connect(desk, echo)
    await desk.press(*before, "ctrl+c")
    await desk.shows("1 call is up", "^c again does so at once")
    in_one_read(desk, "ctrl+c", "ctrl+c")
    assert (await at_echo.wait_for(CallEnded)).by == "remote"
    await desk.until(lambda: desk.app.return_code == 0, "the console did not leave")


async def test_one_dialogue_opens_however_often_it_is_asked_for(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    for opening in ("d", "g", "i", "question_mark", "f", "t", "m"):
        in_one_read(desk, opening, opening, opening)
        await desk.until(lambda: desk.app.screen is not desk.app.main, "nothing opened")
        await desk.pilot.pause()
        assert len(desk.app.screen_stack) == 2, opening
        await desk.press("escape")
        await back_at_the_calls(desk)


async def test_keys_behind_an_opened_dialogue_do_nothing_to_calls(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo)
    (connected,) = desk.engine.calls.values()
    before = connected.snapshot()
    for key in ("h", "x", str(desk.engine.modes.index("silence") + 1), "g", "enter"):
        in_one_read(desk, "d", key)
        await desk.until(lambda: isinstance(desk.app.screen, DialScreen), "nothing opened")
        await desk.pilot.pause()
        assert len(desk.app.screen_stack) == 2, key
        await desk.press("escape")
        await back_at_the_calls(desk)
    after = connected.snapshot()
    assert (after.state, after.mode, after.held_by) == (before.state, before.mode, before.held_by)


async def test_one_list_of_speakers_opens_though_finding_them_takes_a_while() -> None:
    app = ConsoleApp(StillEngine([call(1, "Ada Lovelace")]).open, Setup(poll_s=None, bell=False))
    async with app.run_test() as pilot:
        await pilot.pause()
        for key in ("s", "s", "s"):
            app.post_message(Key(key, key))
        for _ in range(3):
            await pilot.pause()
        assert isinstance(app.screen, ChooseScreen)
        assert len(app.screen_stack) == 2
