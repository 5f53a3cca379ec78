"""Lines drawn cell by cell: pieces of text put together to strips of an exact width."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Pieces = list[tuple[str, Style]]


def strip_of(pieces: Iterable[tuple[str, Style]], width: int, fill: Style) -> Strip:
    """The pieces in one strip of `width` cells: what is too long is cut, what is missing filled."""
    strip = Strip([Segment(text, style) for text, style in pieces if text])
    return strip.adjust_cell_length(max(0, width), fill)


def ends(left: Pieces, right: Pieces, width: int, fill: Style) -> Strip:
    """Two groups of pieces at both ends of a line; the left one is shortened where they would meet."""
    right_width = sum(cell_len(text) for text, _ in right)
    if right_width >= width:
        return strip_of(left, width, fill)
    room = width - right_width
    if (
        sum(
            cell_len(text.rstrip()) if number + 1 == len(left) else cell_len(text)
            for number, (text, _) in enumerate(left)
        )
        > room
    ):
        cut = strip_of(left, room - 2, fill)
        return Strip.join([cut, strip_of([("… ", fill), *right], right_width + 2, fill)])
    return Strip.join([strip_of(left, width - right_width, fill), strip_of(right, right_width, fill)])
