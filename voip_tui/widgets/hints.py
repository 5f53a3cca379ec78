"""The line at the bottom: the keys that do something right now, each of them a button as well."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_tui.actions import Action
from voip_tui.theme import Palette, style
from voip_tui.widgets.lines import Pieces, strip_of


class HintBar(Widget):
    """Keys and their words. Where there is no room for all, the least important ones are left out."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._hints: list[tuple[Action, str]] = []

    def show(self, hints: list[tuple[Action, str]]) -> None:
        """Show these hints; draws only when they differ."""
        if hints != self._hints:
            self._hints = hints
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The hints that fit."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        pieces: Pieces = [(" ", ground)]
        for action, word in fitting(self._hints, width - 1):
            click = Style.from_meta({"@click": f"screen.{action.name}"})
            urgent = action.priority == 0
            colour = palette.good if action.name == "answer" else palette.bad if urgent else palette.accent
            pieces += [
                (action.key_title, style(colour, palette.background, bold=True) + click),
                (f" {word}", (style(palette.text, palette.background) if urgent else ground) + click),
                ("   ", ground),
            ]
        return strip_of(pieces, width, ground)


def fitting(hints: list[tuple[Action, str]], width: int) -> list[tuple[Action, str]]:
    """The most important hints that fit into `width` cells together, in their given order."""
    chosen: set[str] = set()
    used = -3
    for action, word in sorted(hints, key=lambda hint: hint[0].priority):
        needed = len(action.key_title) + len(word) + 4
        if used + needed <= width:
            used += needed
            chosen.add(action.name)
    return [(action, word) for action, word in hints if action.name in chosen]
