"""The bar that says who is calling, until somebody answers."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallSnapshot
from voip_tui import words
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, ends


class IncomingBar(Widget):
    """One line, gently pulsing, there only while somebody waits."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._waiting: Sequence[CallSnapshot] = ()
        self._bright = True

    def show(self, waiting: Sequence[CallSnapshot], *, bright: bool) -> None:
        """Show who waits; `bright` is the pulse."""
        self.display = bool(waiting)
        if (tuple(waiting), bright) != (tuple(self._waiting), self._bright):
            self._waiting, self._bright = waiting, bright
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Who calls, on which account, and two buttons."""
        palette, width = self.palette, self.size.width
        back = blend(palette.background, palette.accent, 0.85 if self._bright else 0.62)
        ground = style(palette.background, back)
        if not self._waiting:
            return Strip.blank(width, ground)
        first, more = self._waiting[0], len(self._waiting) - 1
        strong = style(palette.background, back, bold=True)
        left: Pieces = [(" ● ", strong), (words.peer(first), strong), (" is calling", ground)]
        address = words.bare_uri(words.identity(first)[1])
        if words.peer(first) != address:
            left.append((f"  {address}", ground))
        if first.asserted_uri:
            left.append(("  as the network says", ground))
        if more:
            left.append((f"  and {words.count(more, 'more waits', 'more wait')}", ground))
        button = style(palette.text, palette.background, bold=True)
        right: Pieces = [
            (" a ", style(palette.good, palette.background, bold=True) + _click("answer")),
            ("answer ", button + _click("answer")),
            (" ", ground),
            (" r ", style(palette.bad, palette.background, bold=True) + _click("reject")),
            ("reject ", button + _click("reject")),
            (" ", ground),
        ]
        return ends(left, right, width, ground)


def _click(action: str) -> Style:
    return Style.from_meta({"@click": f"screen.{action}"})
