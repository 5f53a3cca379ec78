"""Real messages, damaged anyhow: every parser still fails in its own way only. `python -m tests.fuzz` looks for longer."""

from __future__ import annotations

import pytest
from fuzz.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st

edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=4), st.integers(0, 60), st.booleans()), max_size=5
)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_breaks_no_promise(name: str, data: st.DataObject) -> None:
    target = TARGETS[name]
    message = data.draw(st.sampled_from(target.seeds))
    for at, cut, paste, word, doubled in data.draw(edits):
        place = int(at * len(message))
        piece = message[place : place + cut] * (2 if doubled else 0) + paste
        if target.words and word < len(target.words):
            piece += target.words[word]
        message = message[:place] + piece + message[place + cut :]
    target.run(message)
