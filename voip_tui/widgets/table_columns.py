"""How wide the columns of the table of calls are: for its width, and for what its calls have to say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from rich.cells import cell_len

from voip_engine.snapshots import CallSnapshot, CallState
from voip_tui import words
from voip_tui.doing import converses

SMALLEST_PEER = 13
"""Where the peer would get less than this, a column goes."""
LEAST_IMPORTANT_FIRST = ("jitter", "loss", "codec", "meter", "mode")


@dataclass(frozen=True, slots=True)
class Needs:
    """How many cells the calls would fill in those columns that may give room to the peer."""

    peer: int = 0
    state: int = 9
    mode: int = 4
    codec: int = 5


@dataclass(frozen=True, slots=True)
class Columns:
    """The widths of all columns; `peer` takes what is left. A width of 0 leaves the column out, and the gap before it."""

    peer: int
    state: int
    mode: int
    codec: int
    sign: int
    """Of the encryption sign, which stands beside the codec without a gap."""
    meter: int
    """Of each of both meters."""
    loss: int
    jitter: int
    time: int

    @property
    def media(self) -> int:
        """The room from the mode to the jitter, which a sentence takes on calls without media."""
        widths = (self.mode, self.codec + self.sign, self.meter, self.meter, self.loss, self.jitter)
        return max(0, sum(width + 1 for width in widths if width) - 1)


def needs_of(calls: Iterable[CallSnapshot]) -> Needs:
    """What these calls would fill. What a mode does changes by the second, so the longest word for it counts."""
    peer, state, mode, codec = Needs().peer, Needs().state, Needs().mode, Needs().codec
    for call in calls:
        peer = max(peer, cell_len(words.peer(call)))
        state = max(state, len(words.state(call)))
        if call.state is CallState.CONNECTED:
            state = max(state, 11 if converses(call) else 0)
            mode = max(mode, cell_len(words.clean(call.mode)))
            codec = max(codec, len(words.codec(call.codec)))
    return Needs(peer, state, mode, codec)


@lru_cache(maxsize=64)
def columns(width: int, needs: Needs = Needs()) -> Columns:
    """The layout for a table of `width` cells, whole from 80 on.

    Where names are longer than their column, it takes what the calls leave empty in others. Where it would still be too small,
    whole columns go, the least important first.
    """
    layout = _roomy(width)
    for name, needed in (("mode", needs.mode), ("state", needs.state), ("codec", needs.codec)):
        unused, missing = max(0, getattr(layout, name) - needed), max(0, needs.peer - layout.peer)
        given = min(unused, missing)
        layout = replace(layout, peer=layout.peer + given, **{name: getattr(layout, name) - given})
    for name in LEAST_IMPORTANT_FIRST:
        if layout.peer >= SMALLEST_PEER:
            break
        before, layout = layout.media, replace(layout, **{name: 0}, **({"sign": 0} if name == "codec" else {}))
        layout = replace(layout, peer=layout.peer + before - layout.media)
    return replace(layout, peer=max(6, layout.peer))


def _roomy(width: int) -> Columns:
    """Every column as wide as it is at its best in this width; little or nothing may be left for the peer."""
    spare = max(0, width - 80)
    meter = 5 + min(15, spare // 5)
    mode = 10 + min(2, spare // 10)
    codec = 5 if spare < 20 else 8
    sign = 1 if spare < 20 else 2
    time = 5 if spare < 20 else 7
    state = 11 if spare < 20 else 14
    fixed = 3 + 1 + state + 1 + (mode + 1) + (codec + sign + 1) + 2 * (meter + 1) + 6 + 7 + (time + 1) + 2
    return Columns(width - fixed, state, mode, codec, sign, meter, 5, 6, time)
