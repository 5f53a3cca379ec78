"""Cutting a reply loses nothing, whatever it is and however it arrives."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from voip_engine.modes.clauses import ClauseCutter

likely = st.sampled_from(
    ["Yes", ", ", ". ", "e.g. ", "3.5", "10:30", "\n", "…", "。", "你好", "،", "—", " ", "```", "*", "\u200d", "👩🏽"]
)
pieces = st.lists(likely | st.text(max_size=20), max_size=30)


def clauses_of(pieces, longest=40):
    cutter = ClauseCutter(longest=longest)
    return [*(clause for piece in pieces for clause in cutter.feed(piece)), *cutter.finish()]


@given(pieces)
def test_nothing_is_lost_but_space_between_clauses(pieces):
    reply = "".join(pieces)
    clauses = clauses_of(pieces)
    assert all(reply[clause.start : clause.end] == clause.text == clause.text.strip() != "" for clause in clauses)
    assert all(len(clause.text) <= 40 for clause in clauses)
    edges = [0, *(place for clause in clauses for place in (clause.start, clause.end)), len(reply)]
    assert edges == sorted(edges)
    between = zip(edges[::2], edges[1::2], strict=True)
    assert all(not reply[start:end].strip() for start, end in between)
    assert all(one.end <= other.start for one, other in pairwise(clauses))


@given(pieces)
def test_how_a_reply_arrives_changes_no_clause(pieces):
    reply = "".join(pieces)
    assert clauses_of(pieces) == clauses_of([reply]) == clauses_of(reply)
