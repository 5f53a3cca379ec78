"""Lines of a log: time of day and a plain sentence, whole on as many rows as it takes, the latest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence

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
NAME_WIDTH = 20
NARROWEST = 24
"""Sentences are not broken into shorter rows than this."""


class LogLines(ScrollView, can_focus=True):
    """A log that follows its end, until somebody scrolls up to read."""

    def __init__(self, palette: Palette, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette = palette
        self._empty = empty
        self._lines: list[tuple[LogLine, str]] = []
        self._rows: list[tuple[int, Span]] = []
        """Of which line each row is, and the part of its sentence that stands there."""

    def show(self, lines: Sequence[tuple[LogLine, str]]) -> None:
        """Show these lines, each with a name that stands before it (empty for none); draws only when they differ."""
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
        self.scroll_end(animate=False)

    def _lay_out(self) -> None:
        width = self.size.width
        self._rows = [
            (number, span) for number, (line, name) in enumerate(self._lines) for span in _spans(line.text, name, width)
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
        line, name = self._lines[place]
        first = not number or self._rows[number - 1][0] != place
        pieces: Pieces = [(f" {words.clock(line.at)}  " if first else " " * CLOCK_WIDTH, ground)]
        if name:
            shown = words.fit(name if first else "", NAME_WIDTH) + "  "
            pieces.append((shown, style(palette.accent, palette.background)))
        tone = style(getattr(palette, TONE_ROLES[line.tone]), palette.background)
        pieces.append((line.text[start:end], tone))
        return strip_of(pieces, width, ground)


def _spans(text: str, name: str, width: int) -> tuple[Span, ...]:
    room = width - CLOCK_WIDTH - (NAME_WIDTH + 2 if name else 0)
    return ((0, len(text)),) if cell_len(text) <= room else wrap(text, max(NARROWEST, room))
