"""What a model thinks between tags stays out of its reply, wherever the pieces break."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voip_engine.speech.thoughts import ThoughtFilter


def filtered(pieces):
    thoughts = ThoughtFilter()
    return "".join([*map(thoughts.feed, pieces), thoughts.finish()])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Good morning.", "Good morning."),
        ("<think>Who is it?</think>Good morning.", "Good morning."),
        ("<think>\nWho?\n</think>\n\nGood morning.", "Good morning."),
        ("<Thinking >Who?</THINKING>Good.", "Good."),
        ("One. <thought>Hm.</thought>Two. <reasoning>Hm.</reasoning>Three.", "One. Two. Three."),
        ("<think></think>Good.", "Good."),
        ("<think>never ends", ""),
        ("Good. <think>never ends", "Good. "),
        ("Good.</think> Fine.", "Good. Fine."),
        ("<think>a <b>bold</b> idea</think>Good.", "Good."),
        ("3 < 4 and <b>5</b> and <thinker> and <th", "3 < 4 and <b>5</b> and <thinker> and <th"),
        ("<<think>x</think>>", "<>"),
        ("", ""),
    ],
)
def test_thoughts_vanish_wherever_the_pieces_break(text, spoken):
    assert filtered([text]) == spoken
    assert filtered(text) == spoken
    for cut in range(len(text)):
        assert filtered([text[:cut], text[cut:]]) == spoken


def test_what_cannot_become_a_tag_is_not_held_back():
    thoughts = ThoughtFilter()
    assert thoughts.feed("Is 3 <") == "Is 3 "
    assert thoughts.feed(" 4?") == "< 4?"
    assert thoughts.feed("<thinks") == "<thinks"


@given(st.lists(st.sampled_from(["<", ">", "/", "think", "thinking", " ", "x", "<think>", "</think>"]), max_size=30))
def test_how_a_reply_is_cut_into_pieces_changes_nothing(pieces):
    assert filtered(pieces) == filtered(["".join(pieces)]) == filtered("".join(pieces))
