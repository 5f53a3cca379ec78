"""Which columns the table of calls has at which width, and how wide."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.still_engine import busy_day, call

from voip_tui import words
from voip_tui.widgets.table_columns import Columns, columns, needs_of


def whole(layout: Columns) -> int:
    """The cells of a row: its cursor, the arrow, the columns with their gaps, the speaker's sign."""
    return 1 + 2 + layout.peer + 1 + layout.state + 1 + layout.media + (1 if layout.media else 0) + layout.time + 1 + 1


@pytest.mark.parametrize("width", [40, 50, 60, 70, 80, 100, 120, 200])
def test_a_row_fits_its_table(width: int) -> None:
    for calls in ((), busy_day()):
        assert whole(columns(width, needs_of(calls))) <= width


def test_from_eighty_on_there_are_all_columns_below_only_whole_ones() -> None:
    assert 0 not in (columns(80).mode, columns(80).codec, columns(80).meter, columns(80).loss, columns(80).jitter)
    narrow = columns(60, needs_of(busy_day()))
    assert (narrow.jitter, narrow.loss, narrow.codec, narrow.sign) == (0, 0, 0, 0)
    assert narrow.meter and narrow.mode and narrow.time


def test_a_long_name_gets_what_other_columns_leave_empty() -> None:
    long = needs_of([call(1, "Ludwig van Beethoven")])
    assert columns(80, long).peer > columns(80).peer
    assert columns(80, needs_of([call(1, "Ada")])) == columns(80)
    transcribed = needs_of([call(1, "Ludwig van Beethoven", mode="transcribe")])
    assert columns(80, transcribed).mode == len("transcribe")


def test_the_host_goes_without_saying_at_the_accounts_own_server() -> None:
    somebody = replace(call(1, ""), account="sip:desk@pbx.example")
    assert words.peer(replace(somebody, peer_uri="sip:bob@PBX.example:5060")) == "bob"
    assert words.peer(replace(somebody, peer_uri="sip:bob@carrier.example")) == "bob@carrier.example"
    direct = replace(somebody, account=None, peer_uri="sip:bob@pbx.example")
    assert words.peer(direct) == "bob@pbx.example"
