"""What the console runs with: addresses, accounts, modes, files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Label, Static

from voip_engine.snapshots import AccountSnapshot, AccountState
from voip_tui import words
from voip_tui.bridge import Board
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette
from voip_tui.widgets.columns import Row, columns

LABEL_WIDTH = 24
Facts = Sequence[tuple[str, Sequence[tuple[str, str]]]]


class InfoScreen(Modal[None]):
    """Facts in groups. No secret is among them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,i,enter", "close", "Close")]

    def __init__(self, palette: Palette, facts: Facts) -> None:
        super().__init__()
        self._palette, self._facts = palette, facts

    def compose(self) -> ComposeResult:
        """The groups one after the other."""
        with Vertical(classes="dialogue", id="info"):
            yield Label("Settings", classes="title")
            with VerticalScroll():
                yield Static(columns(self._groups(), (LABEL_WIDTH,), self._palette))
            yield Label("esc closes", classes="quiet")

    def _groups(self) -> Iterator[tuple[str, list[Row]]]:
        palette = self._palette
        for group, facts in self._facts:
            yield group, [((label, palette.muted), (value, palette.text)) for label, value in facts]

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)


def _account(account: AccountSnapshot) -> Iterator[tuple[str, str]]:
    by = f"by {account.transport}" if account.state is AccountState.REGISTERED else words.clean(account.detail)
    yield words.bare_uri(account.account), f"{account.state.value} {by}".strip()
    if account.retry_at is not None and account.state is AccountState.FAILED:
        yield "", f"next try at {words.clock(account.retry_at)}; n tries now"
    if account.public_address:
        yield "", f"seen as {words.clean(account.public_address)}"
    if account.voicemail is not None:
        yield "", f"voicemail: {account.voicemail.new:,} new, {account.voicemail.old:,} old"


def live_facts(board: Board, volume: float) -> Facts:
    """What the engine says of itself."""
    engine = board.engine
    if engine is None:
        return ()
    accounts = [fact for account in board.accounts for fact in _account(account)]
    media = "running" if engine.media_running else "restarting"
    return (
        ("Listening", [("", words.listening(address)) for address in engine.listening] or [("", "nowhere")]),
        ("Accounts", accounts or [("", "none")]),
        ("Modes", [(f"key {number}", words.clean(mode)) for number, mode in enumerate(engine.modes, start=1)]),
        (
            "Media",
            [
                ("process", f"{media}, {words.count(engine.media_restarts, 'restart')}"),
                ("99 % of packets", f"within {words.milliseconds(engine.lateness_p99_ms)} of the clock"),
                ("overrun ticks", f"{engine.tick_overruns:,}"),
                ("load", f"{engine.busy_fraction * 100:.0f} % of a core"),
                ("malformed messages", f"{engine.malformed_messages:,}"),
                ("requests turned away", f"{engine.turned_away:,}"),
                ("speaker volume", f"{volume:.0%}"),
            ],
        ),
    )
