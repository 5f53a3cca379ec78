"""The table of calls, drawn by one widget line by line.

Every cell is a small value. A row whose values are the same as before is not drawn again; of a row that differs, only
the span from the first to the last cell that differs is. Meters count in eighths of a character cell, so a level has to
move visibly to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_engine.snapshots import CallSnapshot, CallState, MediaSnapshot, MonitorState
from voip_tui import words
from voip_tui.bridge import Board
from voip_tui.doing import TROUBLED, converses, doing
from voip_tui.history import CallView
from voip_tui.security import protection
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.meter import eighths, meter


@dataclass(frozen=True, slots=True)
class Word:
    """A cell of text. `role` names a colour of the palette."""

    text: str
    role: str = "text"
    bold: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell with a level meter, in eighths of a character cell."""

    filled: int
    peak: int


Cell = Word | Bar
Row = tuple[tuple[Cell, int], ...]
"""Cells with their widths, from left to right."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of all columns for one width of the table; `peer` takes what is left."""

    peer: int
    state: int
    mode: int
    codec: int
    sign: int
    meter: int
    loss: int
    jitter: int
    time: int

    @property
    def media(self) -> int:
        """The room from the mode to the jitter, which a sentence takes on calls without media."""
        return self.mode + self.codec + self.sign + 2 * self.meter + self.loss + self.jitter + 5


@lru_cache(maxsize=16)
def columns(width: int) -> Columns:
    """The layout for a table of `width` cells, at its best from 80 on."""
    spare = max(0, width - 80)
    meter_width = 5 + min(15, spare // 5)
    mode = 10 + min(2, spare // 10)
    codec = 5 if spare < 20 else 8
    sign = 1 if spare < 20 else 2
    time = 5 if spare < 20 else 7
    state = 11 if spare < 20 else 14
    fixed = 3 + 1 + state + 1 + (mode + 1) + (codec + sign + 1) + 2 * (meter_width + 1) + 6 + 7 + (time + 1) + 2
    return Columns(max(6, width - fixed), state, mode, codec, sign, meter_width, 5, 6, time)


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
        self._hide_ended = False
        self._board = Board()
        self._awaited: str | None = None

    # ---- what is shown ----

    def show(self, board: Board, *, hide_ended: bool = False) -> None:
        """Show how the calls stand now, drawing what differs."""
        self._board, self._hide_ended = board, hide_ended
        views = tuple(view for view in board.views if not (hide_ended and view.call.state is CallState.ENDED))
        before = [view.call.call_id for view in self._views]
        self._views = views
        self._keep_selection(before)
        layout = columns(self.size.width)
        rows = [row_of(view, board.now, layout) for view in views]
        if len(rows) != len(self._rows):
            self._rows = rows
            self.virtual_size = Size(self.size.width, len(rows) + 1)
            self.refresh()
            return
        for number, (old, new) in enumerate(zip(self._rows, rows, strict=True)):
            if old != new:
                self._rows[number] = new
                self._refresh_difference(number, old, new)

    def _keep_selection(self, before: list[str]) -> None:
        """Stay on the selected call; where it is gone, go to its neighbour."""
        now = [view.call.call_id for view in self._views]
        if self._awaited in now:
            awaited, self._awaited = self._awaited, None
            self.select(awaited)
        if self.selected in now:
            return
        place = before.index(self.selected) if self.selected in before else 0
        self.select(now[min(place, len(now) - 1)] if now else None)

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

    def select(self, call_id: str | None) -> None:
        """Make a call the selected one, and bring it into view."""
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
            return _heading(width, self.palette)
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


# ---- rows and cells ----

STATE_ROLES = {
    CallState.INCOMING: "accent",
    CallState.CALLING: "muted",
    CallState.RINGING: "accent",
    CallState.CONNECTED: "text",
    CallState.ENDED: "muted",
}

MONITOR_SIGNS = {
    MonitorState.OFF: Word(" "),
    MonitorState.STARTING: Word("♪", "muted"),
    MonitorState.ON: Word("♪", "accent", bold=True),
    MonitorState.FAILED: Word("♪", "bad"),
}

GAP: tuple[Cell, int] = (Word(""), 1)


def row_of(view: CallView, now: float, layout: Columns) -> Row:
    """One call as cells."""
    call, media = view.call, view.call.media
    over = call.state is CallState.ENDED
    shield = protection(call)
    name_role = "muted" if over else "text"
    state_role = state_colour(call)
    arrow_role = "faint" if over else "caller" if words.direction_arrow(call) == "↙" else "ours"
    head: Row = (
        (Word(words.direction_arrow(call), arrow_role), 2),
        (Word(words.peer(call), name_role, bold=not over), layout.peer),
        GAP,
        (_state(call, state_role), layout.state),
        GAP,
    )
    tail: Row = (
        (Word(words.duration(words.length(call, now), short=layout.time < 7), name_role, right=True), layout.time),
        GAP,
        (MONITOR_SIGNS[call.monitor] if not over else MONITOR_SIGNS[MonitorState.OFF], 1),
    )
    if call.state is not CallState.CONNECTED:
        return (
            *head,
            (Word(_situation(view), "text" if call.state is CallState.INCOMING else "muted"), layout.media),
            GAP,
            *tail,
        )
    return (
        *head,
        (Word(words.clean(call.mode)), layout.mode),
        GAP,
        (Word(words.codec(call.codec, short=layout.codec < 7), "muted"), layout.codec),
        (Word(shield.sign, shield.role), layout.sign),
        GAP,
        (_bar(view.level_in_dbfs, view.peak_in_dbfs, layout.meter), layout.meter),
        GAP,
        (_bar(view.level_out_dbfs, view.peak_out_dbfs, layout.meter), layout.meter),
        GAP,
        *_line_figures(media, layout),
        GAP,
        *tail,
    )


def state_colour(call: CallSnapshot) -> str:
    """The role of the colour in which a call's state is written."""
    if call.state is CallState.CONNECTED and words.state(call) == "transfer":
        return "accent"
    return "fair" if call.on_hold and call.state is not CallState.ENDED else STATE_ROLES[call.state]


def _state(call: CallSnapshot, role: str) -> Word:
    """Where the call stands; of one whose mode converses, what it is doing: then it is connected."""
    if call.state is CallState.CONNECTED and words.state(call) == str(CallState.CONNECTED.value):
        if call.trouble is not None:
            return Word(str(TROUBLED), TROUBLED.role, bold=True)
        if converses(call) and (busy := doing(call)) is not None:
            return Word(str(busy), busy.role)
    return Word(words.state(call), role, bold=call.state is CallState.INCOMING)


def _line_figures(media: MediaSnapshot, layout: Columns) -> Row:
    """Loss and jitter, or how long nothing has been heard: then the figures are old."""
    if media.silent_s:
        return ((Word(f"no audio {media.silent_s:.0f} s", "bad", right=True), layout.loss + 1 + layout.jitter),)
    return (
        (Word(words.percent(media.loss_percent), loss_role(media.loss_percent), right=True), layout.loss),
        GAP,
        (Word(words.milliseconds(media.jitter_ms), jitter_role(media.jitter_ms), right=True), layout.jitter),
    )


def loss_role(percent: float) -> str:
    """Loss is unremarkable under 1 %, heard from there on, and a nuisance from 3 %."""
    return "muted" if percent < 1 else "fair" if percent < 3 else "bad"


def jitter_role(jitter_ms: float) -> str:
    """Jitter under 20 ms is unremarkable; from 40 ms on buffers cannot hide it."""
    return "muted" if jitter_ms < 20 else "fair" if jitter_ms < 40 else "bad"


def _bar(level_dbfs: float, peak_dbfs: float, cells: int) -> Bar:
    return Bar(eighths(level_dbfs, cells), eighths(peak_dbfs, cells))


def _situation(view: CallView) -> str:
    """A sentence where a call without media has room for one."""
    match view.call.state:
        case CallState.INCOMING:
            return "wants to talk: a answers, r rejects"
        case CallState.CALLING:
            return "no answer yet"
        case CallState.RINGING:
            return "it rings, with early media" if view.call.early_media else "it rings"
    return words.clean(view.call.end_reason) or "over"


@lru_cache(maxsize=8192)
def _cell_segments(cell: Cell, width: int, background: str, palette: Palette) -> tuple[Segment, ...]:
    if isinstance(cell, Bar):
        return meter(cell.filled, cell.peak, width, background, palette)
    text = words.fit(cell.text, width, right=cell.right)
    return (Segment(text, style(getattr(palette, cell.role), background, bold=cell.bold)),)


@lru_cache(maxsize=16)
def _heading(width: int, palette: Palette) -> Strip:
    layout = columns(width)
    titles = (
        ("", 3, False),
        ("peer", layout.peer + 1, False),
        ("state", layout.state + 1, False),
        ("mode", layout.mode + 1, False),
        ("codec", layout.codec + layout.sign + 1, False),
        ("them", layout.meter + 1, False),
        ("us", layout.meter, False),
        ("loss", layout.loss + 1, True),
        ("jitter", layout.jitter + 1, True),
        ("time", layout.time + 1, True),
    )
    ground = style(palette.muted, palette.background)
    segments = [Segment(words.fit(title, size, right=right), ground) for title, size, right in titles]
    return Strip(segments).adjust_cell_length(width, ground)


def table_height(views: Sequence[CallView]) -> int:
    """The lines that the table wants: one a call and the heading."""
    return len(views) + 1
