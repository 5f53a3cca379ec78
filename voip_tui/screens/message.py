"""One SIP message of a call, whole but for its secrets, and the way to the ones before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Label, Static

from voip_tui import words
from voip_tui.screens.modal import Modal
from voip_tui.sip_words import label, meaning, offset
from voip_tui.theme import Palette

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry


class MessageScreen(Modal[None]):
    """A message with its start line, headers and description. ← and → go through the call."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "close", "Close"),
        Binding("left,k,p", "step(-1)", "Before", show=False),
        Binding("right,j,n", "step(1)", "Next", show=False),
    ]

    def __init__(self, palette: Palette, entries: Sequence[SipTraceEntry], place: int) -> None:
        super().__init__()
        self._palette, self._entries, self._place = palette, tuple(entries), place

    def compose(self) -> ComposeResult:
        """What it is, the message, the keys."""
        with Vertical(classes="dialogue", id="message"):
            yield Label("", classes="title", id="what", markup=False)
            yield Label("", classes="quiet", id="where", markup=False)
            with VerticalScroll():
                yield Static("", id="text")
            yield Label("← → the ones before and after    ↑ ↓ scroll    esc closes", classes="quiet")

    def on_mount(self) -> None:
        """Arrow keys scroll at once."""
        self.query_one(VerticalScroll).focus()
        self._show()

    def _show(self) -> None:
        entry, first = self._entries[self._place], self._entries[0]
        says = meaning(entry)
        again = ", sent again" if entry.repeated else ""
        self.query_one("#what", Label).update(f"{label(entry)}{f'  {says}' if says else ''}{again}")
        who = f"we to {entry.destination}" if entry.sent else f"{entry.source} to us"
        when = f"{words.clock(entry.at)}, {offset(entry.at - first.at)} s"
        place = f"{self._place + 1} of {len(self._entries)}"
        self.query_one("#where", Label).update(f"{when}   {words.clean(who)} over {entry.transport}   {place}")
        self.query_one("#text", Static).update(Content("\n").join(message_lines(entry, self._palette)))
        self.query_one(VerticalScroll).scroll_home(animate=False)

    def action_step(self, step: int) -> None:
        """Show another message of the call."""
        self._place = min(len(self._entries) - 1, max(0, self._place + step))
        self._show()

    def action_close(self) -> None:
        """Back to the ladder."""
        self.dismiss(None)


def message_lines(entry: SipTraceEntry, palette: Palette) -> list[Content]:
    """The lines of a message: its start line bold, the names of its headers quiet."""
    start, *rest = entry.text.split("\n")
    lines = [Content.styled(words.clean(start), f"bold {palette.text}")]
    in_head = True
    for line in map(words.one_line, rest):
        in_head = in_head and bool(line)
        name, colon, value = line.partition(":")
        if in_head and colon:
            lines.append(Content.assemble((f"{name}:", palette.muted), value))
        else:
            lines.append(Content.styled(line, palette.text if in_head else palette.caller))
    return lines
