from __future__ import annotations

import pytest
from rich.cells import cell_len

from voip_tui.theme import DAY, NIGHT, palette_for
from voip_tui.widgets.meter import eighths, level_colour, meter, sparkline

PALETTE = palette_for(NIGHT)


def text(filled: int, peak: int = 0, cells: int = 10) -> str:
    return "".join(segment.text for segment in meter(filled, peak, cells, PALETTE.background, PALETTE))


@pytest.mark.parametrize(
    ("dbfs", "filled"), [(-100, 0), (-60, 0), (-59.25, 1), (-54, 8), (-30, 40), (0, 80), (6, 80)], ids=str
)
def test_levels_are_shown_an_eighth_of_a_cell_fine(dbfs: float, filled: int) -> None:
    assert eighths(dbfs, 10) == filled


def test_a_bar_grows_by_eighths_and_keeps_its_width() -> None:
    assert [text(filled).rstrip() for filled in range(10)] == ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█", "█▏"]
    for filled in range(81):
        for peak in range(81):
            assert cell_len(text(filled, peak)) == 10


def test_a_held_peak_stands_beyond_the_bar_and_hides_within_it() -> None:
    assert text(8, 41) == "█    ▏    "
    assert text(8, 48) == "█    ▕    "
    assert text(48, 41) == "██████    "


@pytest.mark.parametrize("theme", [NIGHT, DAY], ids=["night", "day"])
def test_quiet_is_green_and_clipping_is_red(theme: object) -> None:
    palette = palette_for(theme)
    assert level_colour(-14, palette) == palette.good
    assert level_colour(-6, palette) == palette.fair
    assert level_colour(0, palette) == palette.bad


def test_sparklines_show_the_latest_values_at_the_right() -> None:
    assert sparkline([0, 5, 10], 5, 10) == "  ▁▄█"
    assert sparkline([10, 0, 20], 2, 10) == "▁█"
