"""Findings in columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def shortened(text: str, width: int) -> str:
    """A text that fits a column, the middle of a longer one left out: what a path ends with tells most."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[head + 1 - width :]}"


def fitting(names: Sequence[str], width: int) -> list[str]:
    """Names for a column, longer ones shortened; those that would look like another one's stay whole."""
    looks = Counter(shortened(name, width) for name in set(names))
    return [name if looks[shortened(name, width)] > 1 else shortened(name, width) for name in names]


def size(size_bytes: int | None) -> str:
    """`145 MB`, or `12 kB`; nothing for what is smaller or not known."""
    if size_bytes is None or size_bytes < 1_000:
        return ""
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1e3:.0f} kB"
