from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from voip_tui.wrapping import wrap


def rows(text: str, width: int) -> list[str]:
    return [text[start:end].rstrip() for start, end in wrap(text, width)]


def test_lines_break_between_words() -> None:
    assert rows("We have a table by the window", 10) == ["We have a", "table by", "the window"]


def test_a_line_that_just_fits_is_not_broken() -> None:
    assert rows("We have a", 9) == ["We have a"]
    assert rows("four five six", 9) == ["four five", "six"]


def test_a_word_that_is_too_long_is_broken_at_the_edge() -> None:
    assert rows("a Donaudampfschifffahrt", 8) == ["a", "Donaudam", "pfschiff", "fahrt"]


def test_wide_letters_break_anywhere_and_count_twice() -> None:
    assert rows("三人の子供たち", 5) == ["三人", "の子", "供た", "ち"]
    assert rows("for 三人の子供たち please", 9) == ["for 三人", "の子供た", "ち please"]


def test_an_emoji_counts_two_cells_with_its_style_sign() -> None:
    assert rows("a ❤️ b", 4) == ["a ❤️", "b"]


def test_nothing_is_one_empty_line() -> None:
    assert wrap("", 10) == ((0, 0),)


@given(st.text(alphabet="ab 日本🍕é-", max_size=60), st.integers(min_value=2, max_value=20))
def test_no_line_is_too_wide_and_nothing_but_spaces_is_lost(text: str, width: int) -> None:
    spans = wrap(text, width)
    assert all(cell_len(text[start:end]) <= width for start, end in spans)
    assert "".join(text[start:end] for start, end in spans).replace(" ", "") == text.replace(" ", "")
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("width", [1, 2])
def test_even_the_narrowest_width_ends(width: int) -> None:
    assert "".join(rows("日本 go", width)).replace(" ", "") == "日本go"
