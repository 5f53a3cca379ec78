"""What happened since the console started, over all calls and accounts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Label

from voip_tui.history import LogLine
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette
from voip_tui.widgets.log_lines import LogLines

REFRESH_S = 0.25


class LogScreen(Modal[None]):
    """A scrolling log; `read` gives its lines."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,g", "close", "Close")]

    def __init__(self, palette: Palette, read: Callable[[], Sequence[LogLine]]) -> None:
        super().__init__()
        self._read = read
        self._lines = LogLines(
            replace(palette, background=palette.surface), empty="nothing has happened yet", named=True
        )

    def compose(self) -> ComposeResult:
        """The log fills the screen."""
        with Vertical(classes="dialogue", id="log"):
            yield Label("Log", classes="title")
            yield self._lines
            yield Label("↑ ↓ scroll     esc closes", classes="quiet")

    def on_mount(self) -> None:
        """Show the log and keep it up to date."""
        self._lines.focus()
        self._update()
        self.set_interval(REFRESH_S, self._update)

    def _update(self) -> None:
        self._lines.show(self._read())

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)
