"""The panes of a call's page, as a row of words of which one is lit."""

from __future__ import annotations

from enum import StrEnum

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallSnapshot
from voip_tui.doing import TROUBLED, Doing, doing
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import Pieces, ends


class Pane(StrEnum):
    """What the lower part of the page shows."""

    DIALOGUE = "dialogue"
    TURNS = "turns"
    LINE = "line"
    LOG = "log"
    SIP = "sip"

    @property
    def heading(self) -> str:
        """As it is written on its tab."""
        return "SIP" if self is Pane.SIP else self.value.title()

    @property
    def next(self) -> Pane:
        """The one to the right, going round."""
        panes = list(Pane)
        return panes[(panes.index(self) + 1) % len(panes)]

    @property
    def before(self) -> Pane:
        """The one to the left, going round."""
        return list(Pane)[list(Pane).index(self) - 1]


class PageTabs(Widget):
    """Which pane is shown, and at the right what the call's mode is doing."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._drawn: tuple[Pane, Doing | None, bool] = (Pane.LINE, None, True)

    def show(self, call: CallSnapshot, pane: Pane, *, following: bool) -> None:
        """Light a pane; `following` is whether the latest line of the dialogue is in sight. Draws when a word differs."""
        drawn = pane, TROUBLED if call.trouble is not None else doing(call), following
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One bar across the page."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.surface)
        shown, activity, following = self._drawn
        pieces: Pieces = []
        for pane in Pane:
            click = Style.from_meta({"@click": f"screen.show_pane('{pane.value}')"})
            lit = pane is shown
            back = blend(palette.surface, palette.accent, 0.30) if lit else palette.surface
            pieces.append((f" {pane.heading} ", style(palette.text if lit else palette.muted, back, bold=lit) + click))
        pieces.append(("  tab", style(blend(palette.surface, palette.accent, 0.7), palette.surface)))
        right: Pieces = []
        if not following and shown is Pane.DIALOGUE:
            click = Style.from_meta({"@click": "screen.scroll_end"})
            right = [
                (" end ", style(palette.accent, palette.surface, bold=True) + click),
                ("↓ latest   ", ground + click),
            ]
        if activity is not None:
            right.append((f"{activity} ", style(getattr(palette, activity.role), palette.surface)))
        return ends(pieces, right, width, ground)
