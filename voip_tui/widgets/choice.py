"""A choice of a few, side by side, on as many lines as they need."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from voip_tui import words
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, strip_of


class Choice(Widget, can_focus=True):
    """One of several words; arrow keys and clicks choose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", "Before", show=False),
        Binding("right,l,space", "step(1)", "Next", show=False),
    ]
    index: reactive[int] = reactive(0)

    def __init__(self, palette: Palette, options: tuple[str, ...], *, index: int = 0, id: str | None = None) -> None:
        super().__init__(id=id)
        self.palette = palette
        self.options = options
        self.set_reactive(Choice.index, index)

    @property
    def value(self) -> str:
        """The word that is chosen."""
        return self.options[self.index]

    def action_step(self, step: int) -> None:
        """Choose the next or the last word, going round."""
        self.index = (self.index + step) % len(self.options)

    def action_choose(self, index: int) -> None:
        """Choose a word by its place."""
        self.index = index

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as the words take."""
        return len(self._lines(width))

    def _lines(self, width: int) -> list[list[int]]:
        """The places of the words, line by line."""
        lines: list[list[int]] = [[]]
        used = 0
        for place, option in enumerate(self.options):
            needed = cell_len(words.clean(option)) + 3
            if lines[-1] and used + needed - 1 > width:
                lines.append([])
                used = 0
            lines[-1].append(place)
            used += needed
        return lines

    def render_line(self, y: int) -> Strip:
        """The words in rows, the chosen one lit."""
        palette, width = self.palette, self.size.width
        back = palette.surface
        pieces: Pieces = []
        lines = self._lines(width)
        for number in lines[y] if y < len(lines) else ():
            option, chosen = words.clean(self.options[number]), number == self.index
            lit = blend(back, palette.accent, 0.55 if self.has_focus else 0.28) if chosen else back
            click = Style.from_meta({"@click": f"choose({number})"})
            word = words.fit(option, min(cell_len(option), max(1, width - 2)))
            pieces += [
                (f" {word} ", style(palette.text if chosen else palette.muted, lit, bold=chosen) + click),
                (" ", style(palette.text, back)),
            ]
        return strip_of(pieces, width, style(palette.text, back))
