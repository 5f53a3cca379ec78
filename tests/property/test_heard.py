from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from voip_engine.modes.heard import HeardText, Pace
from voip_engine.modes.spoken import speakable

CLAUSES = st.lists(
    st.tuples(
        st.text(st.sampled_from("abei ,.*😀5€日本"), min_size=1, max_size=30), st.integers(1, 20_000), st.booleans()
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(CLAUSES, st.integers(0, 2**32 - 1))
def test_more_samples_never_mean_less_text_and_all_of_them_all_of_it(
    clauses: list[tuple[str, int, bool]], seed: int
) -> None:
    noise = np.random.default_rng(seed)
    heard = HeardText(Pace(), speakable)
    start = 0
    for text, samples, quiet in clauses:
        level = noise.uniform(0, 0.3, samples) * (noise.random(samples) > 0.5 if quiet else 1.0)
        heard.begin_clause(text, start, start + len(text)).add(level.astype(np.float32))
        heard.end_clause()
        start += len(text) + 1
    total = sum(samples for _, samples, _ in clauses)
    assert heard.heard(0).characters == 0
    last = 0
    for went_out in sorted({*noise.integers(0, total + 1, 12).tolist(), total}):
        characters = heard.heard(went_out).characters
        assert characters >= last
        last = characters
    assert last == start - 1
    assert heard.all_heard(total)
