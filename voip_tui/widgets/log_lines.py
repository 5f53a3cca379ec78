"""Lines of a log: time of day and a plain sentence, the latest at the bottom."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_tui import words
from voip_tui.history import LogLine, Tone
from voip_tui.theme import Palette, style
from voip_tui.widgets.lines import Pieces, strip_of

TONE_ROLES = {Tone.QUIET: "muted", Tone.PLAIN: "text", Tone.GOOD: "good", Tone.FAIR: "fair", Tone.BAD: "bad"}


class LogLines(ScrollView, can_focus=True):
    """A log that follows its end, until somebody scrolls up to read."""

    def __init__(self, palette: Palette, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette = palette
        self._empty = empty
        self._lines: list[tuple[LogLine, str]] = []

    def show(self, lines: Sequence[tuple[LogLine, str]]) -> None:
        """Show these lines, each with a name that stands before it (empty for none); draws only when they differ."""
        shown = list(lines)
        if shown == self._lines:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._lines = shown
        self.virtual_size = Size(self.size.width, len(shown))
        self.refresh()
        if at_end:
            self.scroll_end(animate=False)

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def on_resize(self) -> None:
        """Stay at the end when the size changes."""
        self.virtual_size = Size(self.size.width, len(self._lines))
        self.scroll_end(animate=False)

    def render_line(self, y: int) -> Strip:
        """One line of the log."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        number = y + self.scroll_offset.y
        if not self._lines and y == 0:
            return strip_of([(f" {self._empty}", ground)], width, ground)
        if number >= len(self._lines):
            return Strip.blank(width, ground)
        line, name = self._lines[number]
        pieces: Pieces = [(f" {words.clock(line.at)}  ", ground)]
        if name:
            pieces.append((words.fit(name, 20) + "  ", style(palette.accent, palette.background)))
        pieces.append((line.text, style(getattr(palette, TONE_ROLES[line.tone]), palette.background)))
        return strip_of(pieces, width, ground)
