"""Text wrapped to a width by words, counted in terminal cells."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import get_character_cell_size

Span = tuple[int, int]
EMOJI_STYLE = "\ufe0f"
"""Makes the character before it an emoji, two cells wide."""


@lru_cache(maxsize=512)
def wrap(text: str, width: int) -> tuple[Span, ...]:
    """Where each line of `text` starts and ends, in characters, so that none is wider than `width` cells.

    Lines break at spaces, and on either side of wide letters (Chinese, Japanese, emoji), which are written without spaces. A
    word longer than a line is broken where the line ends. The space at a break belongs to no line or hangs at its end.
    """
    rows: list[Span] = []
    start, used = 0, 0
    cut, used_at_cut = 0, 0
    for place, letter in enumerate(text):
        cells = _cells(text, place)
        if letter == " " and used == width:
            rows.append((start, place))
            start, used, cut, used_at_cut = place + 1, 0, place + 1, 0
            continue
        if cells == 2 and letter != EMOJI_STYLE:
            cut, used_at_cut = place, used
        if used + cells > width:
            if cut <= start:
                cut, used_at_cut = max(place, start), used
            if cut > start:
                rows.append((start, cut))
            start, used = cut, used - used_at_cut
        used += cells
        if letter == " ":
            cut, used_at_cut = place + 1, used
    rows.append((start, len(text)))
    return tuple(rows)


def _cells(text: str, place: int) -> int:
    if text[place] == EMOJI_STYLE:
        return 1 if place and get_character_cell_size(text[place - 1]) == 1 else 0
    return get_character_cell_size(text[place])
