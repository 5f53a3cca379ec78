"""Lines of a log: time of day and a plain sentence, whole on as many rows as it takes, the latest at the bottom."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_tui import words
from voip_tui.history import LogLine, Tone
from voip_tui.theme import Palette, style
from voip_tui.widgets.lines import Pieces, strip_of
from voip_tui.wrapping import Span, wrap

TONE_ROLES = {Tone.QUIET: "muted", Tone.PLAIN: "text", Tone.GOOD: "good", Tone.FAIR: "fair", Tone.BAD: "bad"}
CLOCK_WIDTH = len(" 12:34:56  ")
WIDEST_NAME = 20
SCROLL_BAR = 1
"""The cell that it covers, as soon as there is one: no letter may stand there."""
NARROWEST = 24
"""Sentences are not broken into shorter rows than this."""


class LogLines(ScrollView, can_focus=True):
    """A log that follows its end, until somebody scrolls up to read. `named`: who was on the line stands before each line."""

    def __init__(self, palette: Palette, *, empty: str = "", named: bool = False) -> None:
        super().__init__()
        self.palette = palette
        self._empty = empty
        self._named = named
        self._name_width = 0
        self._lines: list[LogLine] = []
        self._rows: list[tuple[int, Span]] = []
        """Of which line each row is, and the part of its sentence that stands there."""

    def show(self, lines: Iterable[LogLine]) -> None:
        """Show these lines; draws only when they differ."""
        shown = list(lines)
        if shown == self._lines:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._lines = shown
        self._lay_out()
        self.refresh()
        if at_end:
            self.scroll_end(animate=False)

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def on_resize(self) -> None:
        """Stay at the end when the size changes."""
        self._lay_out()
        self.refresh()
        self.scroll_end(animate=False)

    def _lay_out(self) -> None:
        width = self.size.width
        names = [cell_len(line.peer) for line in self._lines] if self._named else []
        self._name_width = min(WIDEST_NAME, max(names, default=0))
        self._rows = [
            (number, span)
            for number, line in enumerate(self._lines)
            for span in _spans(line.text, width - SCROLL_BAR - CLOCK_WIDTH - self._name_columns(line))
        ]
        self.virtual_size = Size(width, len(self._rows))

    def render_line(self, y: int) -> Strip:
        """One row of the log."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        number = y + self.scroll_offset.y
        if not self._lines and y == 0:
            return strip_of([(f" {self._empty}", ground)], width, ground)
        if number >= len(self._rows):
            return Strip.blank(width, ground)
        place, (start, end) = self._rows[number]
        line = self._lines[place]
        first = not number or self._rows[number - 1][0] != place
        pieces: Pieces = [(f" {words.clock(line.at)}  " if first else " " * CLOCK_WIDTH, ground)]
        if self._name_columns(line):
            shown = words.fit(line.peer if first else "", self._name_width) + "  "
            pieces.append((shown, style(palette.accent, palette.background)))
        tone = style(getattr(palette, TONE_ROLES[line.tone]), palette.background)
        pieces.append((line.text[start:end], tone))
        return strip_of(pieces, width, ground)

    def _name_columns(self, line: LogLine) -> int:
        return self._name_width + 2 if self._named and line.peer else 0


def _spans(text: str, room: int) -> tuple[Span, ...]:
    return ((0, len(text)),) if cell_len(text) <= room else wrap(text, max(NARROWEST, room))
