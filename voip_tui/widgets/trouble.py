"""What a call's mode lacks and what mends it, with the progress of fetching it."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import Trouble
from voip_tui import words
from voip_tui.pulling import Pull
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, ends
from voip_tui.widgets.meter import ACROSS
from voip_tui.wrapping import wrap

MOST_ROWS = 3
"""Of the sentence; what is longer stands in the call's log."""
BAR_CELLS = 24
FIRST, FURTHER = " ▲ ", "   "


class TroubleBanner(Widget):
    """There only while something is wrong: a sentence, and the command or the key that mends it."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self.display = False
        self._shown: tuple[Trouble | None, Pull | None] = (None, None)
        self._rows: tuple[str, ...] = ()

    def show(self, trouble: Trouble | None, pull: Pull | None) -> None:
        """Show what is wrong (None: nothing), and how its pull stands; draws only when that differs."""
        if (trouble, pull) == self._shown:
            return
        self._shown = trouble, pull
        self._lay_out()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def on_resize(self) -> None:
        """Wrap the sentence to the new width."""
        self._lay_out()

    def _lay_out(self) -> None:
        trouble, pull = self._shown
        self.display = trouble is not None
        if trouble is None:
            return
        said = pull.failure if pull is not None and pull.failure else trouble.detail
        text = words.one_line(said) or f"{words.one_line(trouble.what)} is missing."
        width = max(20, self.size.width or 80) - len(FIRST) - 1
        self._rows = tuple(text[start:end] for start, end in wrap(text, width)[:MOST_ROWS])
        height = len(self._rows) + bool(trouble.mend or trouble.model)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The sentence, and below it what to do."""
        palette, width = self.palette, self.size.width
        back = blend(palette.background, palette.bad, 0.16)
        trouble, pull = self._shown
        ground = style(palette.muted, back)
        if trouble is None:
            return Strip.blank(width, ground)
        if y < len(self._rows):
            sign = FIRST if y == 0 else FURTHER
            row: Pieces = [(sign, style(palette.bad, back, bold=True)), (self._rows[y], style(palette.text, back))]
            return ends(row, [], width, ground)
        if pull is not None and pull.running:
            return ends(self._progress(pull, back), [], width, ground)
        left: Pieces = [(FURTHER, ground)]
        if trouble.mend:
            left.append((words.one_line(trouble.mend), style(palette.text, back, bold=True)))
        right: Pieces = []
        if trouble.model is not None:
            click = Style.from_meta({"@click": "screen.pull_model"})
            button = blend(back, palette.text, 0.14)
            right = [
                (" p ", style(palette.accent, button, bold=True) + click),
                ("try again " if pull is not None and pull.failure else "pull ", style(palette.text, button) + click),
                (" ", ground),
            ]
        return ends(left, right, width, ground)

    def _progress(self, pull: Pull, back: str) -> Pieces:
        palette = self.palette
        ground, plain = style(palette.muted, back), style(palette.text, back)
        pieces: Pieces = [(FURTHER, ground), (f"pulling {words.one_line(pull.model)}  ", plain)]
        fraction = pull.fraction
        if fraction is not None:
            filled = round(fraction * BAR_CELLS * 8)
            bar = "█" * (filled // 8) + (ACROSS[filled % 8] if filled % 8 else "")
            track = blend(back, palette.text, 0.12)
            pieces += [(bar.ljust(BAR_CELLS), style(palette.accent, track)), (f"  {fraction * 100:.0f} %", plain)]
        pieces.append((f"  {pull.figures}", ground))
        return pieces
