"""The facts of a call's line: whole, however long they are."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from support.still_engine import call

from voip_engine.snapshots import MediaSnapshot
from voip_tui.history import CallHistory
from voip_tui.widgets.facts import LABEL_WIDTH, facts_of

ADDRESS = "sip:reception.second.floor@[2001:db8:85a3::8a2e:370:7334]:5060;transport=tcp"


@pytest.mark.parametrize("width", [60, 80, 107, 120, 200])
def test_a_long_address_is_all_there(width: int) -> None:
    columns = facts_of(replace(call(1, "Ada Lovelace"), peer_uri=ADDRESS), CallHistory(), width)
    shown = "".join(fact.value for column in columns for fact in column)
    assert ADDRESS in shown
    room = width // len(columns) - LABEL_WIDTH - 1
    assert all(cell_len(fact.value) <= room for column in columns for fact in column)


def test_what_was_not_taken_has_its_reason_beside_it() -> None:
    history = CallHistory(not_taken="malformed RTP: version 0")
    *_, packets = facts_of(replace(call(1, "Ada Lovelace"), media=MediaSnapshot(rejected_packets=24)), history, 120)
    place = next(number for number, fact in enumerate(packets) if fact.label == "not taken")
    assert (packets[place].value, packets[place + 1].value) == ("24", "malformed RTP: version 0")
