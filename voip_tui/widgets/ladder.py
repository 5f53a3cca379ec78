"""A call's SIP messages as a ladder: when, which way, what it means. A click opens the whole message.

Only what is in sight is read: a message's text stays bytes until its row is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_tui import words
from voip_tui.sip_words import label, meaning, offset, role
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, ends, strip_of

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

TIME_WIDTH = 9
RAIL_WIDTHS = (34, 48)
"""From lifeline to lifeline, at least and at most."""
NARROW_RAIL = 26
"""The least where not all messages went the same way, so that there is room to say which."""
MEANING_WIDTH = 30
WAY_WIDTH = 26


class Ladder(ScrollView, can_focus=False):
    """Arrows between us and the other side, the latest at the bottom. It follows its end, until somebody scrolls up."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._call_id = ""
        self._entries: Sequence[SipTraceEntry] = ()
        self._ways = 0
        """How many there were, by transport and address of the other side."""
        self._following = True

    def show(self, call_id: str, entries: Sequence[SipTraceEntry]) -> None:
        """Show a call's messages; draws only when one more has gone by."""
        other = call_id != self._call_id
        if not other and len(entries) == len(self._entries) and entries[-1:] == self._entries[-1:]:
            return
        self._call_id, self._entries = call_id, entries
        self._ways = len({_way(entry) for entry in entries})
        self._following = self._following or other
        self.virtual_size = Size(self.size.width, len(entries) + 1)
        self.refresh()
        if self._following:
            self.scroll_end(animate=False)

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls up reads; whoever comes back to the end follows."""
        super().watch_scroll_y(old_value, new_value)
        self._following = round(new_value) >= self.max_scroll_y

    def on_resize(self) -> None:
        """Stay at the end when the size changes."""
        self.virtual_size = Size(self.size.width, len(self._entries) + 1)
        if self._following:
            self.scroll_end(animate=False)

    def render_line(self, y: int) -> Strip:
        """The two ends' names, or a message."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        if not self._entries:
            return strip_of([("  No messages yet." if y == 0 else "", ground)], width, ground)
        number = y + self.scroll_offset.y - 1
        if number < 0:
            return strip_of(self._heading(), width, ground)
        if number >= len(self._entries):
            return Strip.blank(width, ground)
        return self._message(number)

    @property
    def _rail(self) -> int:
        spare = self.size.width - TIME_WIDTH - MEANING_WIDTH - 4
        if self._ways > 1:
            return min(RAIL_WIDTHS[1], max(NARROW_RAIL, spare - WAY_WIDTH))
        return min(RAIL_WIDTHS[1], max(RAIL_WIDTHS[0], spare))

    def _heading(self) -> Pieces:
        palette = self.palette
        ground = style(palette.muted, palette.background)
        far = _far(self._entries[0])
        room = max(0, self._rail - 4)
        return [
            (f"{'s':>{TIME_WIDTH}}  ", ground),
            ("us", style(palette.ours, palette.background, bold=True)),
            (words.fit(far, room, right=True) + "  ", style(palette.caller, palette.background, bold=True)),
            (self._entries[0].transport, ground),
        ]

    def _message(self, number: int) -> Strip:
        palette, width = self.palette, self.size.width
        entry, first = self._entries[number], self._entries[0]
        ground = style(palette.muted, palette.background)
        voice = palette.ours if entry.sent else palette.caller
        line = style(blend(palette.background, voice, 0.35 if entry.repeated else 0.75), palette.background)
        text = style(getattr(palette, role(entry)), palette.background, bold=role(entry) == "text")
        rail = style(palette.faint, palette.background)
        name = words.fit(label(entry), min(cell_len(label(entry)), self._rail - 10))
        dashes = self._rail - 6 - cell_len(name)
        left, right = dashes // 2, dashes - dashes // 2
        arrow: Pieces = [("│", rail), ("◀" if not entry.sent else "─", line), ("─" * left, line)]
        arrow += [(f" {name} ", text), ("─" * right, line), ("▶" if entry.sent else "─", line), ("│", rail)]
        says = meaning(entry) + (" · SDP" if entry.has_description else "")
        note = "again" if entry.repeated else says
        click = Style.from_meta({"@click": f"screen.open_message({number})"})
        pieces: Pieces = [(f"{offset(entry.at - first.at):>{TIME_WIDTH}}  ", ground), *arrow, (f"  {note}", ground)]
        where: Pieces = [(f" {entry.transport} {_far(entry)} ", ground)] if _way(entry) != _way(first) else []
        return ends(pieces, where, width, ground).apply_style(click)


def _way(entry: SipTraceEntry) -> tuple[str, str]:
    return entry.transport, _far(entry)


def _far(entry: SipTraceEntry) -> str:
    return words.clean(entry.destination if entry.sent else entry.source)
