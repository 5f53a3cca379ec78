"""The table of calls, drawn by one widget line by line.

Every cell is a small value. A row whose values are the same as before is not drawn again; of a row that differs, only
the span from the first to the last cell that differs is. Meters count in eighths of a character cell, so a level has to
move visibly to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_engine.snapshots import CallState
from voip_tui import words
from voip_tui.bridge import Board
from voip_tui.history import CallView
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.call_rows import Bar, Cell, Row, row_of
from voip_tui.widgets.meter import meter
from voip_tui.widgets.table_columns import Columns, columns, needs_of

ENDED_SEEN_S = 3
"""How long the end of a call is shown before the selection goes on by itself, and a key just pressed means another call."""


class CallsTable(ScrollView, can_focus=True, inherit_bindings=False):
    """All calls, one a line, with live meters. Posts `Selected`, `Opened` and `MonitorClicked`."""

    selected: reactive[str | None] = reactive(None, repaint=False)

    class Selected(Message):
        """Another call is selected now."""

        def __init__(self, call_id: str | None) -> None:
            self.call_id = call_id
            super().__init__()

    class Opened(Message):
        """A call was double-clicked."""

    class MonitorClicked(Message):
        """The loudspeaker sign of the selected call was clicked."""

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette = palette
        self._views: tuple[CallView, ...] = ()
        self._rows: list[Row] = []
        self._layout = columns(80)
        self._hide_ended = False
        self._board = Board()
        self._awaited: str | None = None
        self._kept = False
        """Whether somebody chose the selected call, or did something with it."""

    # ---- what is shown ----

    def show(self, board: Board, *, hide_ended: bool = False) -> None:
        """Show how the calls stand now, drawing what differs."""
        self._board, self._hide_ended = board, hide_ended
        views = tuple(view for view in board.views if not (hide_ended and view.call.state is CallState.ENDED))
        before = [view.call.call_id for view in self._views]
        self._views = views
        self._keep_selection(before)
        layout = columns(self.size.width, needs_of(view.call for view in views))
        rows = [row_of(view, board.now, layout) for view in views]
        if len(rows) != len(self._rows) or layout != self._layout:
            self._rows, self._layout = rows, layout
            self.virtual_size = Size(self.size.width, len(rows) + 1)
            self.refresh()
            return
        for number, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old != new:
                self._rows[number] = new
                self._refresh_difference(number, old, new)

    def _keep_selection(self, before: list[str]) -> None:
        """Stay on the selected call; where it is gone, go to its neighbour, and where it is over and nobody chose it, on."""
        now = [view.call.call_id for view in self._views]
        if self._awaited in now:
            awaited, self._awaited = self._awaited, None
            self.select(awaited)
        if self.selected in now:
            if not self._kept and self._was_seen_ending():
                self.select(self._first_live() or self.selected, kept=False)
            return
        place = before.index(self.selected) if self.selected in before else 0
        self.select(now[min(place, len(now) - 1)] if now else None, kept=False)

    def _was_seen_ending(self) -> bool:
        call = next(view.call for view in self._views if view.call.call_id == self.selected)
        over = call.state is CallState.ENDED
        return over and self._board.now - (call.ended_at or call.created_at) >= ENDED_SEEN_S

    def _first_live(self) -> str | None:
        live = (view.call.call_id for view in self._views if view.call.state is not CallState.ENDED)
        return next(live, None)

    def _refresh_difference(self, number: int, old: Row, new: Row) -> None:
        y = number + 1 - self.scroll_offset.y
        if y < 1 or y >= self.size.height:
            return
        if [width for _, width in old] != [width for _, width in new]:
            self.refresh(Region(0, y, self.size.width, 1))
            return
        position, start, end = 1, None, 0
        for (before, width), (after, _) in zip(old, new, strict=True):
            if before != after:
                start = position if start is None else start
                end = position + width
            position += width
        if start is not None:
            self.refresh(Region(start, y, end - start, 1))

    def repaint(self, palette: Palette) -> None:
        """Draw everything anew in other colours."""
        self.palette = palette
        self.refresh()

    # ---- selection ----

    def keep(self) -> None:
        """Stay on the selected call also when it is over: somebody is busy with it."""
        self._kept = self.selected is not None

    def select(self, call_id: str | None, *, kept: bool = True) -> None:
        """Make a call the selected one, and bring it into view; `kept` is whether somebody chose it."""
        self._kept = kept
        if call_id == self.selected:
            return
        for line in (self._line_of(self.selected), self._line_of(call_id)):
            if line is not None:
                self.refresh_line(line)
        self.selected = call_id
        line = self._line_of(call_id)
        if line is not None and self.size.height > 1:
            top, height = self.scroll_offset.y, self.size.height
            if line - 1 < top:
                self.scroll_to(y=line - 1, animate=False)
            elif line >= top + height:
                self.scroll_to(y=line - height + 1, animate=False)
        self.post_message(self.Selected(call_id))

    def select_soon(self, call_id: str) -> None:
        """Select a call that was just created, as soon as it is shown."""
        self._awaited = call_id

    def move(self, step: int) -> None:
        """Select the call `step` lines further down."""
        if not self._views:
            return
        ids = [view.call.call_id for view in self._views]
        place = ids.index(self.selected) if self.selected in ids else -1
        self.select(ids[min(len(ids) - 1, max(0, place + step))])

    def _line_of(self, call_id: str | None) -> int | None:
        for number, view in enumerate(self._views):
            if view.call.call_id == call_id:
                return number + 1
        return None

    # ---- drawing ----

    def render_line(self, y: int) -> Strip:
        """The heading, or one call."""
        width = self.size.width
        ground = style(self.palette.text, self.palette.background)
        if y == 0:
            return _heading(width, self._layout, self.palette)
        number = y - 1 + self.scroll_offset.y
        if number >= len(self._rows):
            return Strip.blank(width, ground)
        call = self._views[number].call
        chosen = call.call_id == self.selected
        background = self.palette.selected if chosen else self.palette.background
        if call.state is CallState.INCOMING:
            background = blend(background, self.palette.accent, 0.28 if chosen else 0.16)
        segments = [Segment("▌" if chosen else " ", style(self.palette.accent, background))]
        for cell, cell_width in self._rows[number]:
            segments.extend(_cell_segments(cell, cell_width, background, self.palette))
        fill = style(self.palette.text, background)
        return Strip(segments).adjust_cell_length(width, fill)

    # ---- input ----

    def on_resize(self) -> None:
        """Lay the columns out for the new width."""
        self._rows = []
        self.show(self._board, hide_ended=self._hide_ended)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Select the call that was clicked; open it on a double click."""
        number = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or number >= len(self._views):
            return
        self.select(self._views[number].call.call_id)
        if event.chain == 2:
            self.post_message(self.Opened())
        elif event.x >= self.size.width - 3:
            self.post_message(self.MonitorClicked())


@lru_cache(maxsize=8192)
def _cell_segments(cell: Cell, width: int, background: str, palette: Palette) -> tuple[Segment, ...]:
    if isinstance(cell, Bar):
        return meter(cell.filled, cell.peak, width, background, palette)
    text = words.fit(cell.text, width, right=cell.right)
    return (Segment(text, style(getattr(palette, cell.role), background, bold=cell.bold)),)


@lru_cache(maxsize=16)
def _heading(width: int, layout: Columns, palette: Palette) -> Strip:
    titles = (
        ("", 3, False),
        ("peer", layout.peer + 1, False),
        ("state", layout.state, False),
        (" mode", layout.mode and layout.mode + 1, False),
        (" codec", layout.codec and layout.codec + layout.sign + 1, False),
        (" them", layout.meter and layout.meter + 1, False),
        (" us", layout.meter and layout.meter + 1, False),
        ("loss", layout.loss and layout.loss + 1, True),
        ("jitter", layout.jitter and layout.jitter + 1, True),
        ("time", layout.time + 1, True),
    )
    ground = style(palette.muted, palette.background)
    segments = [Segment(words.fit(title, size, right=right), ground) for title, size, right in titles]
    return Strip(segments).adjust_cell_length(width, ground)


def table_height(views: Sequence[CallView]) -> int:
    """The lines that the table wants: one a call and the heading."""
    return len(views) + 1
