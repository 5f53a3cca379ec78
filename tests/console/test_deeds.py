"""What keys and clicks do: a console over a real engine, another real engine at the far end."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from support.desk import Desk
from support.happenings import Happenings
from support.sip_responder import reply, responder
from support.uris import uri_of
from textual.widgets import Input

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallEnded, CallRinging, DtmfReceived, MediaChanged, ModeChanged
from voip_engine.settings import AccountSettings
from voip_engine.sip.messages.message import Request, Response
from voip_engine.snapshots import CallState
from voip_tui.screens.dial import DialScreen
from voip_tui.widgets.calls_table import CallsTable
from voip_tui.widgets.incoming import IncomingBar

ADA = '"Ada Lovelace" <sip:ada@example.org>'


@pytest.fixture
async def far(make_engine) -> Engine:
    return await make_engine()


@pytest.fixture
async def echo(make_engine) -> Engine:
    return await make_engine(auto_answer=True)


async def test_dialling_by_keys_reaches_the_other_side(desk: Desk, echo: Engine) -> None:
    await desk.press("d")
    await desk.type(uri_of(echo))
    await desk.press("enter")
    await desk.happened.wait_for(CallAnswered)
    await desk.shows("connected", "1 call")
    (call,) = desk.engine.calls.values()
    assert call.snapshot().mode == "echo"
    assert desk.app.console_state.dialled.addresses == [uri_of(echo)]


async def test_what_cannot_be_dialled_is_said_under_the_address(desk: Desk) -> None:
    await desk.press("d")
    await desk.type("bob")
    await desk.press("enter")
    await desk.shows("“bob” has no host. Type bob@host")
    assert not desk.engine.calls


async def test_what_is_not_dialled_is_said_in_the_form_which_stays(desk: Desk, echo: Engine) -> None:
    await desk.press("d")
    await desk.type("bob@no.such.invalid")
    await desk.press("enter")
    await desk.until(lambda: "wrong" in desk.app.screen.query_one("#problem").classes, "nothing was said")
    assert isinstance(desk.app.screen, DialScreen)
    assert "no.such.invalid" in desk.screen and "Traceback" not in desk.screen
    assert not desk.app.console_state.dialled.addresses
    desk.app.screen.query_one("#address", Input).value = ""
    await desk.type(uri_of(echo))
    await desk.press("enter")
    await desk.happened.wait_for(CallAnswered)
    await desk.until(lambda: desk.app.screen is desk.app.main, "the form stayed")


async def test_speakers_that_cannot_be_had_are_one_short_toast(desk: Desk, far: Engine) -> None:
    await desk.engine.set_monitor_device("no such device")
    await connect(desk, far)
    await desk.press("l")
    await desk.shows("Cannot play on the speakers", "Ada Lovelace: ", "sound output device")
    assert desk.screen.count("sound output device") == 1
    assert "lists the devices" not in desk.screen


async def test_answering_by_key(desk: Desk, far: Engine) -> None:
    at_far = Happenings(far)
    await far.dial(desk.uri, caller=ADA)
    await desk.shows("Ada Lovelace is calling", "a answer")
    await desk.press("a")
    await at_far.wait_for(CallAnswered)
    await desk.shows("connected")
    assert not desk.app.main.query_one(IncomingBar).display


async def test_rejecting_by_key(desk: Desk, far: Engine) -> None:
    at_far = Happenings(far)
    await far.dial(desk.uri, caller=ADA)
    await desk.shows("is calling")
    await desk.press("r")
    ended = await at_far.wait_for(CallEnded)
    assert (ended.by, ended.status) == ("remote", 486)
    await desk.shows("ended")


async def test_answering_by_mouse(desk: Desk, far: Engine) -> None:
    at_far = Happenings(far)
    await far.dial(desk.uri, caller=ADA)
    await at_far.wait_for(CallRinging)
    await desk.shows("is calling")
    bar = desk.app.main.query_one(IncomingBar)
    await desk.pilot.click(bar, offset=(bar.size.width - 17, 0))
    await at_far.wait_for(CallAnswered)


async def connect(desk: Desk, far: Engine, *, caller: str = ADA) -> Happenings:
    """A call from the far engine that the console has answered."""
    at_far = Happenings(far)
    await far.dial(desk.uri, caller=caller)
    await desk.shows("is calling")
    await desk.press("a")
    await at_far.wait_for(CallAnswered)
    await desk.shows("connected")
    return at_far


async def test_number_keys_switch_the_mode(desk: Desk, far: Engine) -> None:
    await connect(desk, far)
    place = desk.engine.modes.index("silence") + 1
    await desk.press(str(place))
    await desk.happened.wait_for(ModeChanged, mode="silence")
    await desk.shows("silence")


async def test_the_chooser_switches_the_mode(desk: Desk, far: Engine) -> None:
    await connect(desk, far)
    await desk.press("m")
    await desk.shows("Mode for Ada Lovelace")
    await desk.press(str(desk.engine.modes.index("silence") + 1))
    await desk.happened.wait_for(ModeChanged, mode="silence")


async def test_a_mode_that_is_not_there_is_said(desk: Desk, far: Engine) -> None:
    await connect(desk, far)
    await desk.press("9")
    await desk.shows("There is no mode 9")


async def test_the_keypad_sends_tones(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("t", "5")
    assert (await at_far.wait_for(DtmfReceived)).digit == "5"
    await desk.pilot.click("#key11")
    assert (await at_far.wait_for(DtmfReceived)).digit == "#"


async def test_hold_and_resume(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("h")
    await at_far.wait_for(MediaChanged)
    await desk.shows("on hold")
    await desk.press("h")
    await at_far.wait_for(MediaChanged)
    await desk.shows("connected")


async def test_hanging_up(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("x")
    assert (await at_far.wait_for(CallEnded)).by == "remote"
    await desk.shows("ended")


async def test_a_call_that_is_over_is_called_back(desk: Desk, echo: Engine) -> None:
    await connect(desk, echo, caller=f'"Ada Lovelace" <{uri_of(echo)}>')
    await desk.press("enter", "c")
    await desk.shows("This call is not over yet.")
    await desk.press("x")
    await desk.shows("c call back", "w save as text")
    assert "1 echo" not in desk.screen
    await desk.press("c")
    await desk.shows("Dial", uri_of(echo).partition(";")[0])
    await desk.press("enter")
    await desk.happened.wait_for(CallAnswered)
    await desk.happened.wait_for(CallAnswered)
    await desk.shows("1 call")


async def test_an_account_that_failed_is_registered_by_a_key(tmp_path: Path) -> None:
    statuses = iter((403, 403))

    def registrar(request: Request) -> list[Response]:
        bound = ("Contact", f"{request.headers.get('Contact')};expires=600")
        return [reply(request, next(statuses, 200), bound)]

    async with responder(registrar) as server:
        account = AccountSettings(uri=f"sip:desk@{server.address}", voicemail=False)
        async with Desk.open(tmp_path, accounts=(account,)) as desk:
            await desk.shows("refuses this account (403)", "n register")
            for attempt in (2, 3):
                await desk.press("n")
                await server.request("REGISTER", attempt)
            await desk.until(lambda: "n register" not in desk.screen, "the account is not registered")
            await desk.press("n")
            await desk.shows("No account has failed to register.")


async def test_ended_calls_can_be_hidden(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("x")
    await at_far.wait_for(CallEnded)
    await desk.shows("ended")
    await desk.press("e")
    await desk.shows("No calls now")
    await desk.press("e")
    await desk.shows("Ada Lovelace")


async def test_the_page_follows_the_selection(desk: Desk, far: Engine) -> None:
    await connect(desk, far)
    await connect(desk, far, caller='"Grace Hopper" <sip:grace@example.org>')
    await desk.press("k", "k", "enter")
    await desk.shows("Ada Lovelace", "RTP there", "esc back")
    await desk.press("j")
    await desk.shows("Grace Hopper", "RTP there")
    await desk.press("escape")
    await desk.shows("Ada Lovelace", "Grace Hopper")


async def test_a_double_click_opens_the_page(desk: Desk, far: Engine) -> None:
    await connect(desk, far)
    await desk.pilot.click(CallsTable, offset=(10, 1), times=2)
    await desk.shows("RTP there")


async def test_the_palette_runs_commands(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("ctrl+p")
    await desk.type("hang up")
    await desk.shows("End the selected call")
    await desk.press("enter", "enter")
    await at_far.wait_for(CallEnded)


async def test_the_log_tells_what_happened(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("x")
    await at_far.wait_for(CallEnded)
    await desk.press("g")
    await desk.shows("Ready, listening on udp", "Ada Lovelace calls", "Answered with Opus", "Ended")


async def test_what_does_not_apply_says_why(desk: Desk) -> None:
    await desk.shows("No calls yet")
    for key, reason in (
        ("x", "There is no call to hang up."),
        ("l", "There is no call to listen to."),
        ("a", "Nobody"),
    ):
        await desk.press(key)
        await desk.shows(reason)


async def test_quitting_with_a_call_up_asks_and_hangs_up(desk: Desk, far: Engine) -> None:
    at_far = await connect(desk, far)
    await desk.press("q")
    await desk.shows("1 call is up")
    await desk.press("n")
    (call,) = desk.engine.calls.values()
    assert call.snapshot().state is CallState.CONNECTED
    await desk.press("q", "y")
    assert (await at_far.wait_for(CallEnded)).by == "remote"
    await desk.until(lambda: desk.app.return_code == 0, "the console did not leave")


async def test_a_port_in_use_ends_the_console_with_the_reason(tmp_path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        from voip_engine import EngineSettings
        from voip_tui.app import ConsoleApp

        app = ConsoleApp(lambda: Engine(EngineSettings(listen=(f"udp:127.0.0.1:{port}",))))
        await app.run_async(headless=True, size=(80, 24))
    assert app.return_code == 1
    assert str(port) in app.failure
    assert "in use" in app.failure


async def test_a_picture_of_the_screen_is_saved(desk: Desk, tmp_path) -> None:
    await desk.press("ctrl+s")
    await desk.until(lambda: bool(list(tmp_path.glob("voip-tui-*.svg"))), "no picture was saved")
    await desk.shows("Saved as")
