"""One out of a list, for modes and loudspeakers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from voip_tui.screens.modal import Modal


class ChooseScreen(Modal[int | None]):
    """Gives the place of what was chosen, or None. A digit chooses at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Cancel"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
    ]

    def __init__(
        self, title: str, options: Sequence[str], *, current: int | None = None, explanation: str = ""
    ) -> None:
        super().__init__()
        self._title, self._options, self._current, self._explanation = title, list(options), current, explanation

    def compose(self) -> ComposeResult:
        """A title and the list, with the choice in force marked."""
        with Vertical(classes="dialogue"):
            yield Label(self._title, classes="title", markup=False)
            yield OptionList(*(self._option(number, text) for number, text in enumerate(self._options)), compact=True)
            if self._explanation:
                yield Label(self._explanation, classes="quiet", markup=False)

    def _option(self, number: int, text: str) -> Option:
        key = f"{number + 1}" if number < 9 else " "
        mark = "  ●" if number == self._current else ""
        return Option(Content.assemble((f" {key}  ", "bold $primary"), text, (mark, "$success")))

    def on_mount(self) -> None:
        """Begin at the choice in force."""
        options = self.query_one(OptionList)
        options.focus()
        options.highlighted = self._current or 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click chooses."""
        self.dismiss(event.option_index)

    def on_key(self, event: events.Key) -> None:
        """A digit chooses at once."""
        if event.character and event.character.isdigit() and 1 <= int(event.character) <= len(self._options):
            event.stop()
            self.dismiss(int(event.character) - 1)

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)

    def action_down(self) -> None:
        """Go down the list."""
        self.query_one(OptionList).action_cursor_down()

    def action_up(self) -> None:
        """Go up the list."""
        self.query_one(OptionList).action_cursor_up()
