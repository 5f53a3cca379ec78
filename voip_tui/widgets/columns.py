"""Groups of rows under headings, in columns: what is too long for the last one goes on below it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from voip_tui.theme import Palette

Row = Sequence[tuple[str, str]]
"""The cells of a row, each with its style."""


def columns(groups: Iterable[tuple[str, Iterable[Row]]], widths: Sequence[int], palette: Palette) -> Group:
    """Set groups one below the other, an empty line between them. `widths` are those of all columns but the last."""
    parts: list[Text | Table] = []
    for heading, rows in groups:
        if parts:
            parts.append(Text())
        parts.append(Text(heading, style=f"bold {palette.ours}"))
        table = Table.grid(expand=True)
        for width in widths:
            table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, style=look) for text, look in row))
        parts.append(table)
    return Group(*parts)
