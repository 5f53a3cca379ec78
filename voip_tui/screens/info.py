"""What the console runs with: addresses, accounts, modes, files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from voip_tui.theme import Palette

Facts = Sequence[tuple[str, Sequence[tuple[str, str]]]]


class InfoScreen(ModalScreen[None]):
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
                yield Static(Content("\n").join(self._lines()))
            yield Label("esc closes", classes="quiet")

    def _lines(self) -> Iterator[Content]:
        for number, (group, facts) in enumerate(self._facts):
            if number:
                yield Content("")
            yield Content.assemble((group, f"bold {self._palette.ours}"))
            for label, value in facts:
                yield Content.assemble((f"{label:<18}", self._palette.muted), value)

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)
