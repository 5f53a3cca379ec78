"""Every key there is, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Label, Static

from voip_tui.actions import ACTIONS, key_title
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette
from voip_tui.widgets.columns import Row, columns

KEYS_WIDTH = 9
TITLE_WIDTH = 16


class HelpScreen(Modal[None]):
    """The table of actions, grouped."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark,f1,enter", "close", "Close")]

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._palette = palette

    def compose(self) -> ComposeResult:
        """Groups of keys with what they do."""
        with Vertical(classes="dialogue", id="help"):
            yield Label("Keys", classes="title")
            with VerticalScroll():
                yield Static(columns(key_groups(self._palette), (KEYS_WIDTH, TITLE_WIDTH), self._palette))
            yield Label("The mouse does all of it too; ^p finds commands by name.    esc closes", classes="quiet")

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)


def key_groups(palette: Palette) -> Iterator[tuple[str, list[Row]]]:
    """The actions by group, each in a row of its own, and then the signs."""
    for group, actions in groupby(ACTIONS, key=lambda action: action.group):
        rows = []
        for action in actions:
            keys = " ".join(key_title(key) for key in action.keys[:2])
            rows.append(_row(keys, action.title, action.explanation, palette))
            if action.name == "choose_mode":
                rows.append(_row("1 … 9", "Mode 1 … 9", "Switch to that mode at once.", palette))
        yield group, rows
    yield "Signs", [_row(*sign, palette) for sign in SIGNS]


SIGNS = (
    ("◆", "encrypted", "Nobody on the way hears the call."),
    ("◇", "keys in clear", "Encrypted, but its keys could be read on the way."),
    ("✉ 3", "voicemail", "New messages in an account's mailbox."),
)


def _row(keys: str, title: str, explanation: str, palette: Palette) -> Row:
    return (keys, f"bold {palette.accent}"), (title, palette.text), (explanation, palette.muted)
