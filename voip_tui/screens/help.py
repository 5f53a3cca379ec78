"""Every key there is, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Label, Static

from voip_tui.actions import ACTIONS, key_title
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette

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
                yield Static(Content("\n").join(help_lines(self._palette)))
            yield Label("The mouse does all of it too; ^p finds commands by name.    esc closes", classes="quiet")

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)


def help_lines(palette: Palette) -> Iterator[Content]:
    """The groups one after the other, every action on a line of its own."""
    group = ""
    for action in ACTIONS:
        if action.group != group:
            if group:
                yield Content("")
            group = action.group
            yield Content.assemble((group, f"bold {palette.ours}"))
        keys = " ".join(key_title(key) for key in action.keys[:2])
        yield _line(keys, action.title, action.explanation, palette)
        if action.name == "choose_mode":
            yield _line("1 … 9", "Mode 1 … 9", "Switch to that mode at once.", palette)
    yield Content("")
    yield Content.assemble(("Signs", f"bold {palette.ours}"))
    for sign, title, explanation in SIGNS:
        yield _line(sign, title, explanation, palette)


SIGNS = (
    ("◆", "encrypted", "Nobody on the way hears the call."),
    ("◇", "keys in clear", "Encrypted, but its keys could be read on the way."),
    ("✉ 3", "voicemail", "New messages in an account's mailbox."),
)


def _line(keys: str, title: str, explanation: str, palette: Palette) -> Content:
    return Content.assemble(
        (f"{keys:<{KEYS_WIDTH}}", f"bold {palette.accent}"), f"{title:<{TITLE_WIDTH}}", (explanation, palette.muted)
    )
