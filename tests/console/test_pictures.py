"""What the screens look like, as pictures: `pytest tests/console --snapshot-update` takes new ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace
from support.still_dialogue import REPLY, agents_at_work, booking, said
from support.still_engine import (
    NOON,
    OPUS,
    REFUSED,
    REGISTERED,
    TRUNK,
    StillEngine,
    busy_day,
    network_day,
    ringing_in,
    speech,
    transferring,
)
from textual.pilot import Pilot
from textual.widgets import Input

from voip_engine.events import (
    AccountChanged,
    AnyEvent,
    CallAnswered,
    CallCreated,
    ModeChanged,
    MonitorChanged,
    PlayoutEnded,
    PlayoutStarted,
    SpeechStarted,
    SpeechStopped,
)
from voip_engine.snapshots import (
    AccountSnapshot,
    CallDirection,
    CallSnapshot,
    CallState,
    DialogueLine,
    LineState,
    MonitorState,
    TransferState,
)
from voip_tui.app import ConsoleApp
from voip_tui.context import Setup

SMALL, LARGE, WIDE = (80, 24), (120, 40), (200, 60)
FRAMES = 260
"""Tenths of a second that each call has been watched for."""
ECHO_DELAY_FRAMES = 26

CONVERSATION: tuple[AnyEvent, ...] = (
    CallCreated(NOON - 87, "1", CallDirection.INBOUND, "sip:ada@198.51.100.1", "Ada Lovelace", None, "7f3a"),
    CallAnswered(NOON - 83, "1", OPUS),
    ModeChanged(NOON - 83, "1", "echo"),
    SpeechStarted(NOON - 80, "1", 3.0),
    SpeechStopped(NOON - 77, "1", 6.0),
    PlayoutStarted(NOON - 76, "1", 3.1),
    PlayoutEnded(NOON - 73, "1", 3.1, True),
    MonitorChanged(NOON - 40, "1", MonitorState.ON),
)

Compare = Callable[..., bool]


@dataclass
class Scene:
    """Calls, watched for a while; then the keys that lead to the picture."""

    calls: Sequence[CallSnapshot] = ()
    keys: Sequence[str] = ()
    happened: Sequence[AnyEvent] = CONVERSATION
    theme: str = "night"
    accounts: tuple[AccountSnapshot, ...] = (REGISTERED, REFUSED)
    turned_away: int = 0
    _now: float = field(default=NOON - 90, init=False)

    def app(self) -> ConsoleApp:
        self._engine = StillEngine(self.calls, self.accounts, happened=self.happened, turned_away=self.turned_away)
        return ConsoleApp(self._engine.open, Setup(poll_s=None, now=lambda: self._now, bell=False))

    async def play(self, pilot: Pilot[int]) -> None:
        app = pilot.app
        assert isinstance(app, ConsoleApp)
        await pilot.pause()
        bridge = app.console_state.bridge
        assert bridge is not None
        for frame in range(FRAMES):
            self._now = NOON - (FRAMES - 1 - frame) * 0.1
            self._engine.shown = [as_it_was(call, frame) for call in self.calls]
            bridge.poll()
        app.theme = self.theme
        await pilot.pause()
        for key in self.keys:
            await pilot.press(key)
        for address in app.screen.query(Input):
            address.cursor_blink = False
        await pilot.pause()


def as_it_was(call: CallSnapshot, frame: int) -> CallSnapshot:
    """The call some frames before the picture, when other syllables were spoken."""
    if call.state is not CallState.CONNECTED or frame == FRAMES - 1:
        return call
    media, voice = call.media, float(call.call_id)
    caller = speech(frame, voice) if media.level_in_dbfs > -100 else -100.0
    ours = speech(frame - ECHO_DELAY_FRAMES, voice)
    jitter_ms = media.jitter_ms * (1 + (frame % 70) / 90)
    return replace(call, media=replace(media, level_in_dbfs=caller, level_out_dbfs=ours, jitter_ms=jitter_ms))


def compare(snap_compare: Compare, scene: Scene, size: tuple[int, int]) -> bool:
    play: Callable[[Pilot[int]], Awaitable[None]] = scene.play
    return snap_compare(scene.app(), terminal_size=size, run_before=play)


EVERY_SIZE = pytest.mark.parametrize("size", [SMALL, LARGE, WIDE], ids=["small", "large", "wide"])


@EVERY_SIZE
def test_calls_in_every_state(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(busy_day()), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_page_of_a_call(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["enter"]), size)


def on_networks(*keys: str) -> Scene:
    return Scene(network_day(), keys=keys, accounts=(TRUNK,), turned_away=1482)


@EVERY_SIZE
def test_what_networks_bring(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, on_networks(), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    "place", [0, 1, 2, 3, 5, 7], ids=["encrypted", "in-clear", "identified", "held", "transfer", "early-media"]
)
def test_page_of_a_call_over_a_network(snap_compare: Compare, size: tuple[int, int], place: int) -> None:
    assert compare(snap_compare, on_networks(*"j" * place, "enter"), size)


def test_page_of_a_call_that_was_not_transferred(snap_compare: Compare) -> None:
    refused = transferring(network_day()[0], TransferState.FAILED, "The other side does not want to (603).")
    assert compare(snap_compare, Scene([refused], keys=["enter"]), SMALL)


@EVERY_SIZE
def test_sip_messages_of_a_call(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, on_networks("enter", "tab", "tab"), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_a_sip_message(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, on_networks("enter", "tab", "tab", "enter", *["left"] * 8), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_transferring(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, on_networks("f", *"100"), size)


def test_an_address_that_nobody_can_be_sent_to(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene([network_day()[0]], keys=["f", *"bob@", "enter"]), SMALL)


def test_settings_behind_nat(snap_compare: Compare) -> None:
    assert compare(snap_compare, on_networks("i"), LARGE)


@EVERY_SIZE
def test_agents_at_work(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(agents_at_work()), size)


@EVERY_SIZE
def test_dialogue(snap_compare: Compare, size: tuple[int, int]) -> None:
    asked = said(9, "Könnten wir einen Hochstuhl haben?", ago_s=9, language="de")
    answer = "Naturally, a high chair will be ready at your table when you arrive tomorrow evening at half past seven."
    speaking = said(10, answer, LineState.SPEAKING, ago_s=3, heard_characters=43)
    assert compare(snap_compare, Scene([booking(asked, speaking, activity="speaking")], keys=["enter"]), size)


@pytest.mark.parametrize(
    "line",
    [
        said(9, state=LineState.TRANSCRIBING, ago_s=3),
        said(9, state=LineState.LOST, ago_s=3, detail="Not transcribed: this machine is 20 s behind."),
        said(10, state=LineState.THINKING, ago_s=1),
        said(10, REPLY, LineState.PAUSED, ago_s=3, heard_characters=10),
    ],
    ids=["transcribing", "lost", "thinking", "paused"],
)
def test_dialogue_under_way(snap_compare: Compare, line: DialogueLine) -> None:
    assert compare(snap_compare, Scene([booking(line)], keys=["enter"]), SMALL)


def test_dialogue_by_day(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(agents_at_work(), theme="day"), LARGE)


def test_nothing_said_yet(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["enter", "tab", "tab", "tab"]), SMALL)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_waterfall(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene([booking()], keys=["enter", "tab"]), size)


@EVERY_SIZE
def test_trouble(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(agents_at_work(), keys=[*"jjjjjj", "enter"]), size)


def test_log_of_a_call(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["enter", "tab"]), SMALL)


def test_page_of_a_bad_line(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["j", "j", "j", "j", "enter"]), SMALL)


def test_light_theme(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), theme="day"), LARGE)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_no_calls_says_what_to_do_next(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(happened=()), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_incoming_call(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene([*busy_day(), ringing_in()]), size)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_dialling_a_number(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["d", *"030 1234"]), size)


def test_an_address_that_cannot_be_dialled(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["d", *"bob@", "enter"]), SMALL)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_help(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["question_mark"]), size)


def test_quitting_with_calls_up_asks(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["q"]), SMALL)


def test_choosing_a_mode(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["m"]), SMALL)


def test_keypad(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["t", *"42#"]), SMALL)


def test_log(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["g"]), SMALL)


def test_settings(snap_compare: Compare) -> None:
    assert compare(snap_compare, Scene(busy_day(), keys=["i"]), LARGE)


def test_what_goes_wrong_is_said_in_plain_words(snap_compare: Compare) -> None:
    refused = AccountChanged(NOON, REFUSED)
    assert compare(snap_compare, Scene(busy_day(), keys=["a"], happened=(*CONVERSATION, refused)), SMALL)
