"""What the keys of a call's page do, over an engine whose calls say what the test says."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.still_dialogue import CHATTER, NO_WHISPER, REPLY, booking, said
from support.still_engine import NOON, StillEngine, call
from textual.pilot import Pilot

from voip_engine import EngineError
from voip_engine.snapshots import CallSnapshot, LineState
from voip_tui.app import ConsoleApp
from voip_tui.bridge import PullProgressLike
from voip_tui.context import Setup
from voip_tui.widgets.dialogue import Dialogue


@dataclass(frozen=True)
class Progress:
    model: str
    done_bytes: int
    total_bytes: int
    status: str = ""


@dataclass
class FetchingEngine(StillEngine):
    """Fetches models as far as the test lets it."""

    asked: list[str] = field(default_factory=list, init=False)
    outcome: asyncio.Future[None] = field(default_factory=asyncio.Future, init=False)
    progress: Callable[[PullProgressLike], None] = field(default=lambda _: None, init=False)

    async def pull_model(self, model: str, on_progress: Callable[[PullProgressLike], None]) -> None:
        self.asked.append(model)
        self.progress = on_progress
        await self.outcome


@dataclass
class Page:
    """A console with one call's page open."""

    app: ConsoleApp
    engine: FetchingEngine
    pilot: Pilot[int]

    @classmethod
    @asynccontextmanager
    async def of(cls, shown: CallSnapshot, folder: Path, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Page]:
        engine = FetchingEngine([shown])
        setup = Setup(poll_s=None, now=lambda: NOON, bell=False, pictures_folder=folder)
        app = ConsoleApp(engine.open, setup)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            page = cls(app, engine, pilot)
            await page.press("enter")
            yield page
            app.shut_down()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def becomes(self, shown: CallSnapshot) -> None:
        self.engine.shown = [shown]
        bridge = self.app.console_state.bridge
        assert bridge is not None
        bridge.poll()
        await self.pilot.pause()
        await self.pilot.pause()

    @property
    def screen(self) -> str:
        picture = self.app.export_screenshot()
        return html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", "", picture, flags=re.S)).replace("\xa0", " ")

    async def shows(self, *texts: str) -> None:
        for _ in range(250):
            if all(text in self.screen for text in texts):
                return
            await self.pilot.pause(0.02)
        raise AssertionError(f"there was no {texts}:\n{self.screen}")

    @property
    def dialogue(self) -> Dialogue:
        return self.app.main.query_one(Dialogue)


def long_call(lines: int) -> CallSnapshot:
    said_lines = tuple(said(n, f"{n}: {CHATTER[n % 8]}", ago_s=80) for n in range(1, lines + 1))
    return replace(call(1, "Ada Lovelace", mode="agent"), dialogue=said_lines)


async def test_tab_goes_round_the_panes(tmp_path: Path) -> None:
    async with Page.of(booking(), tmp_path) as page:
        await page.shows("Under which", "p50")
        for key, text in (
            ("tab", "endpoint"),
            ("tab", "RTP there"),
            ("tab", "nothing has happened yet"),
            ("tab", "wants to talk · SDP"),
            ("tab", "Under"),
        ):
            await page.press(key)
            await page.shows(text)
        await page.press("shift+tab")
        await page.shows("wants to talk · SDP")


async def test_a_click_on_a_tab_shows_its_pane(tmp_path: Path) -> None:
    async with Page.of(booking(), tmp_path) as page:
        await page.pilot.click("PageTabs", offset=(12, 0))
        await page.shows("endpoint", "p95")


async def test_the_page_of_an_echo_call_is_about_its_line(tmp_path: Path) -> None:
    async with Page.of(call(1, "Ada"), tmp_path) as page:
        await page.shows("RTP there", "7f3a0001c1d2@198.51.100.1")
        await page.press("tab", "tab", "tab")
        await page.shows("Nothing said yet: press 3 for transcribe or 4 for agent.")


async def test_the_dialogue_follows_its_end_until_somebody_reads(tmp_path: Path) -> None:
    async with Page.of(long_call(40), tmp_path) as page:
        await page.shows("40: ")
        await page.becomes(long_call(41))
        await page.shows("41: ")
        await page.press("pageup", "pageup")
        await page.shows("↓ latest")
        above = page.dialogue.scroll_offset.y
        await page.becomes(long_call(60))
        assert page.dialogue.scroll_offset.y == above
        assert "60: " not in page.screen
        await page.press("end")
        await page.shows("60: ")
        await page.becomes(long_call(61))
        await page.shows("61: ")


async def test_what_is_no_longer_in_the_snapshot_stays_on_the_page(tmp_path: Path) -> None:
    async with Page.of(long_call(30), tmp_path) as page:
        whole = long_call(50)
        await page.becomes(replace(whole, dialogue=whole.dialogue[25:]))
        await page.press(*["pageup"] * 12)
        await page.shows(" 1: ")


async def test_a_reply_that_was_taken_back_is_gone(tmp_path: Path) -> None:
    thinking = said(9, state=LineState.THINKING, confidence=None)
    async with Page.of(booking(replace(thinking, number=10)), tmp_path) as page:
        await page.shows("thinking")
        await page.becomes(booking())
        assert "thinking" not in page.screen


async def test_when_nothing_differs_nothing_is_drawn(tmp_path: Path) -> None:
    async with Page.of(long_call(200), tmp_path) as page:
        await page.shows("200: ")
        drawn: list[int] = []
        render = page.dialogue.render_line
        page.dialogue.render_line = lambda y: drawn.append(y) or render(y)  # type: ignore[method-assign]
        await page.becomes(replace(long_call(200), media=replace(call(1, "").media, received_packets=7)))
        assert drawn == []
        talking = replace(long_call(200), activity="speaking")
        growing = replace(talking.dialogue[-1], state=LineState.SPEAKING, heard_characters=4)
        await page.becomes(replace(talking, dialogue=(*talking.dialogue[:-1], growing)))
        assert 0 < len(drawn) <= 3


def saved_in(folder: Path) -> list[str]:
    return [file.read_text(encoding="utf-8") for file in folder.glob("dialogue-Ada*.txt")]


async def test_saving_writes_the_dialogue(tmp_path: Path) -> None:
    async with Page.of(booking(), tmp_path) as page:
        await page.press("w")
        await page.shows("Saved as")
        (text,) = saved_in(tmp_path)
        assert REPLY in text


async def test_of_a_call_on_which_nothing_was_said_the_messages_are_saved(tmp_path: Path) -> None:
    async with Page.of(call(1, "Ada"), tmp_path) as page:
        await page.press("w")
        await page.shows("Saved as")
        (text,) = saved_in(tmp_path)
        assert "CSeq: 2 INVITE" in text
        assert "inline:" not in text


TROUBLED = replace(call(1, "Ada", mode="transcribe", activity=""), trouble=NO_WHISPER)


async def test_what_is_missing_is_fetched_by_a_key(tmp_path: Path) -> None:
    async with Page.of(TROUBLED, tmp_path) as page:
        await page.shows("is not on this machine", "voip-tui models pull whisper:base", "p pull")
        await page.press("p")
        assert page.engine.asked == ["whisper:base"]
        page.engine.progress(Progress("whisper:base", 45_000_000, 145_000_000))
        await page.shows("pulling whisper:base", "31 %", "45 of 145 MB")
        await page.press("p")
        await page.shows("It is being fetched already.")
        assert page.engine.asked == ["whisper:base"]
        page.engine.outcome.set_result(None)
        await page.shows("Whisper model base is here.")
        await page.becomes(replace(TROUBLED, trouble=None))
        await page.shows("What the caller says will appear here.")
        assert "whisper:base" not in page.screen


async def test_a_pull_that_fails_says_why_and_can_be_tried_again(tmp_path: Path) -> None:
    async with Page.of(TROUBLED, tmp_path) as page:
        await page.press("p")
        page.engine.outcome.set_exception(EngineError("There is no network: models.example cannot be reached."))
        await page.shows("models.example cannot be reached", "p try again")
        page.engine.outcome = asyncio.Future()
        await page.press("p")
        await page.shows("pulling whisper:base")
        assert page.engine.asked == ["whisper:base"] * 2


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (None, "This call lacks nothing."),
        (replace(NO_WHISPER, model=None, mend="ollama serve"), "This cannot be fetched from here."),
    ],
)
async def test_what_cannot_be_fetched_says_so(trouble: object, reason: str, tmp_path: Path) -> None:
    async with Page.of(replace(TROUBLED, trouble=trouble), tmp_path) as page:
        await page.press("p")
        await page.shows(reason)
        assert page.engine.asked == []


@pytest.mark.parametrize("sizes", [[(80, 24), (200, 60), (60, 20), (120, 40)]])
async def test_it_fits_whatever_size_the_terminal_takes(sizes: Sequence[tuple[int, int]], tmp_path: Path) -> None:
    async with Page.of(booking(), tmp_path) as page:
        for width, height in sizes:
            await page.pilot.resize_terminal(width, height)
            await page.pilot.pause()
            await page.shows("as long", "listening")
