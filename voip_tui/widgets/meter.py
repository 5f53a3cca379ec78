"""Level meters and small graphs out of block characters, an eighth of a cell fine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment

from voip_tui.theme import Palette, blend, style
from voip_tui.words import SILENCE_DBFS

ACROSS = " ▏▎▍▌▋▊▉█"
UPWARDS = " ▁▂▃▄▅▆▇█"

HOT_DBFS = -6.0
"""From here on speech clips now and then."""
LOUD_DBFS = -14.0


def eighths(dbfs: float, cells: int) -> int:
    """How many eighths of a cell a level fills on a scale of `cells` cells from -60 to 0 dBFS."""
    fraction = min(1.0, max(0.0, 1 - dbfs / SILENCE_DBFS))
    return round(fraction * cells * 8)


def level_colour(dbfs: float, palette: Palette) -> str:
    """Green that brightens towards the loud end, then amber, then red; in few steps, so that cells share a style."""
    if dbfs <= LOUD_DBFS:
        quiet = (LOUD_DBFS - dbfs) / (LOUD_DBFS - SILENCE_DBFS)
        return blend(palette.good, palette.background, round(quiet * 12) / 12 * 0.6)
    if dbfs <= HOT_DBFS:
        return blend(palette.good, palette.fair, round((dbfs - LOUD_DBFS) / (HOT_DBFS - LOUD_DBFS) * 4) / 4)
    return blend(palette.fair, palette.bad, round((dbfs - HOT_DBFS) / -HOT_DBFS * 3) / 3)


@lru_cache(maxsize=8192)
def meter(filled: int, peak: int, cells: int, background: str, palette: Palette) -> tuple[Segment, ...]:
    """A bar of `filled` eighths with a tick at `peak` eighths (0 for none), as segments of `cells` cells."""
    track = palette.track if background == palette.background else blend(background, palette.text, 0.10)
    letters: list[tuple[str, str]] = []
    peak_cell = (peak - 1) // 8 if peak > filled else -1
    for cell in range(cells):
        colour = level_colour(SILENCE_DBFS * (1 - (cell + 0.5) / cells), palette)
        rest = filled - cell * 8
        if rest > 0:
            letters.append((ACROSS[min(8, rest)], colour))
        elif cell == peak_cell:
            letters.append(("▏" if (peak - 1) % 8 < 4 else "▕", colour))
        else:
            letters.append((" ", palette.faint))
    segments: list[Segment] = []
    start = 0
    for cell in range(1, cells + 1):
        if cell == cells or letters[cell][1] != letters[start][1]:
            text = "".join(letter for letter, _ in letters[start:cell])
            segments.append(Segment(text, style(letters[start][1], track)))
            start = cell
    return tuple(segments)


def sparkline(values: Sequence[float], cells: int, ceiling: float) -> str:
    """The last `cells` values as bars of one cell each; `ceiling` is the value of a full cell."""
    shown = list(values)[-cells:]
    bars = "".join(UPWARDS[min(8, max(1, round(value / ceiling * 8)))] for value in shown)
    return bars.rjust(cells)
