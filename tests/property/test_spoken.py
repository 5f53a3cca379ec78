"""Whatever a model writes can be made sayable, and once is enough."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from voip_engine.modes.spoken import SpokenText, speakable

markup = st.sampled_from((
    "*", "**", "_", "`", "```", "#", "# ", "- ", "> ", "|", "[", "](", ")", "(", "<b>", "<", ">", "&amp;", "lt;", "\n", "\\",
    "@", "https://", "www.", "a.b", "laughs", "\u200d", "\ufe0f", "\u20e3", "1", "👩🏽", "🇩🇪", " ", "<!--", "-->", "\u200b",
    "\x00", "mailto:", "1) ",
))  # fmt: skip
anything = st.lists(markup | st.text(max_size=8), max_size=25).map("".join)
letters = st.characters(categories=["Lu", "Ll", "Lo", "Nd"])
words = st.lists(st.text(letters, min_size=1, max_size=8), min_size=1, max_size=8)


@given(anything)
def test_applied_twice_it_does_no_more(text):
    said = speakable(text)
    assert speakable(said) == said
    assert len(SpokenText().clause(text)) <= 3 * len(text) + 3


@given(anything)
def test_nothing_unprintable_remains(text):
    said = speakable(text)
    odd = {character for character in said if unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")}
    assert odd <= {"\n"}
    assert not {"*", "`", "\u200b", "\ufeff", "\ufffc", "🇩", "👩"} & set(said)


@given(words, st.sampled_from([".", "!", "?", "。", "؟", "।"]))
def test_prose_stays_as_it_is(words, mark):
    text = ", ".join(words) + mark
    assert speakable(text) == text
