"""A call's two voices: big meters with held peaks, and the last seconds as a mirrored wave."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallDirection, CallState
from voip_tui import words
from voip_tui.history import CallView
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.lines import strip_of
from voip_tui.widgets.meter import UPWARDS, eighths, meter

LABEL_WIDTH = 11
FIGURE_WIDTH = 9
SCALE_DBFS = (-60, -50, -40, -30, -20, -10, 0)
AGE_STEPS = 10
FLAT_DBFS, FULL_DBFS = -52.0, -8.0
"""What the wave shows as nothing, and as full height."""


class VoiceMeters(Widget):
    """Two meters, their scale between them where there are three lines: the other side above, ours below, each with a
    lamp for speech."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._sides: list[tuple[object, ...]] = [(), ()]

    def show(self, view: CallView) -> None:
        """Show a call's levels; draws only the lines on which something moves."""
        media, cells = view.call.media, self._cells
        alive = view.call.state is CallState.CONNECTED
        sides: list[tuple[object, ...]] = [
            (
                "callee" if view.call.direction is CallDirection.OUTBOUND else "caller",
                alive and media.speaking,
                eighths(view.level_in_dbfs, cells),
                eighths(view.peak_in_dbfs, cells),
                words.level(view.level_in_dbfs),
            ),
            (
                "us",
                alive and media.playing,
                eighths(view.level_out_dbfs, cells),
                eighths(view.peak_out_dbfs, cells),
                words.level(view.level_out_dbfs),
            ),
        ]
        for number, side in enumerate(sides):
            if side != self._sides[number]:
                self._sides[number] = side
                self.refresh(Region(0, number * (self.size.height - 1), self.size.width, 1))

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    @property
    def _cells(self) -> int:
        return max(1, self.size.width - LABEL_WIDTH - FIGURE_WIDTH)

    def render_line(self, y: int) -> Strip:
        """A meter, or the scale of both."""
        palette, width = self.palette, self.size.width
        ground = style(palette.text, palette.background)
        if y == 1 and self.size.height > 2:
            return strip_of([(scale(self._cells), style(palette.muted, palette.background))], width, ground)
        side = min(y, 1)
        if y >= self.size.height or not self._sides[side]:
            return Strip.blank(width, ground)
        name, talking, filled, peak, figure = self._sides[side]
        assert isinstance(filled, int) and isinstance(peak, int)
        colour = palette.caller if y == 0 else palette.ours
        segments = [
            Segment(
                f" {name!s:<7}",
                style(palette.text if talking else palette.muted, palette.background, bold=bool(talking)),
            ),
            Segment("● " if talking else "○ ", style(colour if talking else palette.faint, palette.background)),
            Segment(" ", ground),
            *meter(filled, peak, self._cells, palette.background, palette),
            Segment(f"{figure!s:>{FIGURE_WIDTH - 1}} ", style(palette.muted, palette.background)),
        ]
        return Strip(segments).adjust_cell_length(width, ground)


def scale(cells: int) -> str:
    """The line of figures beside a meter of `cells` cells, the meter beginning after the label."""
    letters = [" "] * (cells + LABEL_WIDTH + FIGURE_WIDTH)
    for mark in SCALE_DBFS if cells >= 50 else SCALE_DBFS[::2]:
        place = LABEL_WIDTH + round((mark + 60) / 60 * cells)
        text = str(mark)
        start = place - (len(text) if mark == 0 else len(text) // 2 if mark > -60 else 0)
        letters[start : start + len(text)] = text
    return "".join(letters)


class VoiceWave(Widget):
    """Both voices over the last seconds, one column a tenth of a second: the caller upwards, our side downwards."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._remembered: Sequence[tuple[float, float]] = ()
        self._levels: list[tuple[float, float]] = []

    def show(self, levels: Sequence[tuple[float, float]]) -> None:
        """Show these levels in dBFS, the latest at the right; draws only when the picture differs."""
        self._remembered = levels
        shown = self._fitting()
        if shown != self._levels and (_heard(shown) or _heard(self._levels)):
            self._levels = shown
            self.refresh()

    def on_resize(self) -> None:
        """Show as much of the past as there is room for."""
        self._levels = self._fitting()
        self.refresh()

    def _fitting(self) -> list[tuple[float, float]]:
        return list(self._remembered)[-max(1, self.size.width - 2) :]

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of the wave. Lines in the upper half grow upwards, those in the lower half downwards."""
        palette, width, half = self.palette, self.size.width, max(1, self.size.height // 2)
        ground = style(palette.text, palette.background)
        room = max(1, width - 2)
        upper = y < half
        steps_below = (half - 1 - y) * 8 if upper else (y - half) * 8
        voice = palette.caller if upper else palette.ours
        first = room - len(self._levels)
        runs: list[tuple[str, Style]] = [(" ", ground)]
        for column in range(room):
            level = self._levels[column - first][0 if upper else 1] if column >= first else -100.0
            filled = min(8, max(0, round(_height(level) * half * 8) - steps_below))
            if filled == 0 and upper and steps_below == 0:
                letter, look = "▁", style(palette.faint, palette.background)
            elif filled == 0:
                letter, look = " ", ground
            else:
                age = 0.30 + 0.70 * round((column + 1) / room * AGE_STEPS) / AGE_STEPS
                colour = blend(palette.background, voice, age)
                # There are no blocks that hang from the top: the rest of the cell is drawn over a lit one instead.
                letter = UPWARDS[filled] if upper else UPWARDS[8 - filled]
                look = style(colour, palette.background) if upper else style(palette.background, colour)
            if runs[-1][1] is look:
                runs[-1] = (runs[-1][0] + letter, look)
            else:
                runs.append((letter, look))
        return strip_of(runs, width, ground)


def _height(dbfs: float) -> float:
    """How high a level stands, from 0 to 1: the range of speech, so that its syllables show."""
    return min(1.0, max(0.0, (dbfs - FLAT_DBFS) / (FULL_DBFS - FLAT_DBFS)))


def _heard(levels: Sequence[tuple[float, float]]) -> bool:
    return any(caller > words.SILENCE_DBFS or ours > words.SILENCE_DBFS for caller, ours in levels)
