"""What is said on a call, as it is said: transcript and chat in one, the latest at the bottom.

Each line of the dialogue is wrapped once and kept. When one changes, only its rows are drawn again; a call of a thousand
lines on which nobody speaks costs a comparison.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from voip_engine.snapshots import DialogueLine, Speaker
from voip_tui import words
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, strip_of
from voip_tui.widgets.paragraph import Paragraph, paragraph

TIME_WIDTH = 7
NAME_WIDTHS = (6, 10)
"""At least and at most."""
WIDEST_TEXT = 110
"""Longer lines are hard to read."""
ROOMY_FROM_HEIGHT = 16
"""From here on every exchange is set apart by an empty row."""
DOTS = ("·  ", "·· ", "···")


class Dialogue(ScrollView, can_focus=False):
    """A dialogue that follows its end, until somebody scrolls up to read."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._call_id = ""
        self._other_side = "Caller"
        self._began_at = 0.0
        self._language: str | None = None
        self._empty = ""
        self._lines: tuple[DialogueLine, ...] = ()
        self._paragraphs: list[Paragraph] = []
        self._starts: list[int] = []
        self._rows = 0
        self._following = True
        self._phase = len(DOTS) - 1

    # ---- what is shown ----

    def show(
        self,
        call_id: str,
        lines: tuple[DialogueLine, ...],
        *,
        name: str,
        began_at: float,
        language: str | None,
        empty: str,
    ) -> None:
        """Show a call's dialogue, drawing what differs.

        `name` is the other side's; `began_at` what times are counted from; `language` the one that is expected; `empty`
        stands there while nothing was said.
        """
        if call_id != self._call_id or (name, began_at, language) != (self._other_side, self._began_at, self._language):
            self._following = self._following or call_id != self._call_id
            self._call_id, self._other_side, self._began_at, self._language = call_id, name, began_at, language
            self._lines, self._empty = lines, empty
            self._lay_out()
        elif empty != self._empty:
            self._empty = empty
            self.refresh()
        if lines is not self._lines:
            self._lines = lines
            self._update(lines)

    def pulse(self) -> None:
        """Let the dots of what is under way take a step."""
        self._phase = (self._phase + 1) % len(DOTS)
        for number in range(max(0, len(self._paragraphs) - 4), len(self._paragraphs)):
            if self._paragraphs[number].dots:
                self._refresh_paragraph(number)

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    @property
    def following(self) -> bool:
        """Whether the end is in sight and stays so."""
        return self._following

    def follow(self) -> None:
        """Go to the end, and stay there."""
        self._following = True
        self.scroll_end(animate=False)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls up reads; whoever comes back to the end follows."""
        super().watch_scroll_y(old_value, new_value)
        self._following = round(new_value) >= self.max_scroll_y

    def on_resize(self) -> None:
        """Wrap everything to the new width."""
        self._lay_out()

    # ---- layout ----

    @property
    def _name_width(self) -> int:
        return max(NAME_WIDTHS[0], len(self._other_side))

    @property
    def _text_width(self) -> int:
        return max(8, min(WIDEST_TEXT, self.size.width - TIME_WIDTH - self._name_width - 5))

    def _lay_out(self) -> None:
        self._paragraphs, self._starts, self._rows = [], [], -1
        self._update(self._lines)
        self.refresh()

    def _update(self, lines: Sequence[DialogueLine]) -> None:
        old, rows_before = self._paragraphs, self._rows
        same = 0
        for known, line in zip(old, lines, strict=False):
            if known.line is not line and known.line != line:
                break
            same += 1
        by_number = {known.line.number: known for known in old[same:]}
        del self._starts[same:]
        self._paragraphs = old[:same]
        row = self._starts[-1] + self._paragraphs[-1].height if same else 0
        roomy = self.size.height >= ROOMY_FROM_HEIGHT
        changed: list[int] = []
        for number, line in enumerate(lines[same:], start=same):
            before = self._paragraphs[-1] if self._paragraphs else None
            language = before.language if before is not None else self._language or ""
            apart = roomy and before is not None and line.speaker is Speaker.CALLER is not before.line.speaker
            made = paragraph(line, self._text_width, language=language, apart=apart)
            if made != by_number.get(line.number):
                changed.append(number)
            self._paragraphs.append(made)
            self._starts.append(row)
            row += made.height
        self._rows = row
        if row != rows_before or len(old) != len(self._paragraphs):
            self.virtual_size = Size(self.size.width, row)
            self.refresh()
            if self._following:
                self.scroll_end(animate=False)
        else:
            for number in changed:
                self._refresh_paragraph(number)

    def _refresh_paragraph(self, number: int) -> None:
        top = self._starts[number] - self.scroll_offset.y
        first, last = max(0, top), min(self.size.height, top + self._paragraphs[number].height)
        if first < last:
            self.refresh(Region(0, first, self.size.width, last - first))

    # ---- drawing ----

    def render_line(self, y: int) -> Strip:
        """One row of what was said."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        if not self._paragraphs:
            return strip_of([(f"  {self._empty}", ground)] if y == self._empty_row else [], width, ground)
        row = y + self.scroll_offset.y
        if row >= self._rows:
            return Strip.blank(width, ground)
        number = bisect_right(self._starts, row) - 1
        shown = self._paragraphs[number]
        row -= self._starts[number] + shown.apart
        if row < 0:
            return Strip.blank(width, ground)
        return strip_of([*self._margin(shown, first=row == 0), *self._text(shown, row)], width, ground)

    @property
    def _empty_row(self) -> int:
        return min(1, max(0, self.size.height - 1))

    def _margin(self, shown: Paragraph, *, first: bool) -> Pieces:
        palette = self.palette
        agent = shown.line.speaker is Speaker.AGENT
        voice = palette.ours if agent else palette.caller
        ground = style(palette.muted, palette.background)
        bar = style(blend(palette.background, voice, 0.75), palette.background)
        if not first:
            return [(" " * (TIME_WIDTH + self._name_width + 2), ground), ("▎ ", bar)]
        name = "Agent" if agent else self._other_side
        return [
            (f"{words.duration(shown.line.started_at - self._began_at):>{TIME_WIDTH - 1}}  ", ground),
            (words.fit(name, self._name_width), style(voice, palette.background, bold=True)),
            (" ", ground),
            ("▎ ", bar),
        ]

    def _text(self, shown: Paragraph, row: int) -> Pieces:
        palette = self.palette
        pieces: Pieces = []
        for text, look in shown.pieces(row):
            colour = style(getattr(palette, look.role), palette.background)
            pieces.append((text, colour + STRUCK if look.struck else colour))
        if row == shown.rows - 1:
            for number, note in enumerate(shown.notes):
                gap = "  " if number or pieces else ""
                dots = f" {DOTS[self._phase]}" if note.dots else ""
                pieces.append((f"{gap}{note.text}{dots}", style(getattr(palette, note.role), palette.background)))
        return pieces


STRUCK = Style(strike=True)
