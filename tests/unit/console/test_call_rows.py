"""What a row of the table says of a line on which nothing comes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import NOON, call, figures

from voip_tui.history import CallHistory, CallView
from voip_tui.widgets.call_rows import Word, row_of
from voip_tui.widgets.table_columns import columns


@pytest.mark.parametrize(
    ("silent_s", "said"), [(6, "no audio 6 s"), (11, "quiet 11 s"), (125, "quiet 125 s"), (100_000, "quiet 27h46")]
)
@pytest.mark.parametrize("width", [80, 120])
def test_how_long_nothing_was_heard_is_told_with_its_unit(width: int, silent_s: float, said: str) -> None:
    shown = call(1, "Ada Lovelace", media=replace(figures(-100, -20), silent_s=silent_s))
    row = row_of(CallView.of(shown, CallHistory()), NOON, columns(width))
    texts = [(cell.text, len(cell.text) <= room) for cell, room in row if isinstance(cell, Word)]
    assert (said, True) in texts
