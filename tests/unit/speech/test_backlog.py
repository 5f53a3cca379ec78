"""Calls take turns in what waits to be transcribed."""

from __future__ import annotations

import pytest

from voip_engine.speech.backlog import Backlog


def fill(queue: Backlog[str], *items: str) -> list[str | None]:
    """Put items that begin with their call's name; gives what had to go for each."""
    return [queue.put(item[0], item) for item in items]


def drain(queue: Backlog[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


@pytest.mark.parametrize(
    ("put", "taken"),
    [
        (("a1", "a2", "a3"), ["a1", "a2", "a3"]),
        (("a1", "a2", "a3", "b1"), ["a1", "b1", "a2", "a3"]),
        (("a1", "a2", "b1", "b2", "c1"), ["a1", "b1", "c1", "a2", "b2"]),
    ],
)
def test_calls_take_turns_and_keep_their_order(put, taken):
    queue: Backlog[str] = Backlog(10)
    assert fill(queue, *put) == [None] * len(put)
    assert drain(queue) == taken


def test_a_call_that_was_just_served_waits_for_the_others():
    queue: Backlog[str] = Backlog(10)
    fill(queue, "a1", "a2", "b1")
    assert queue.take() == "a1"
    fill(queue, "c1", "a3")
    assert drain(queue) == ["b1", "a2", "c1", "a3"]


def test_the_oldest_of_all_goes_when_there_is_no_room():
    queue: Backlog[str] = Backlog(3)
    assert fill(queue, "b1", "a1", "a2", "a3", "c1") == [None, None, None, "b1", "a1"]
    assert len(queue) == 3
    assert drain(queue) == ["a2", "c1", "a3"]


def test_an_item_is_taken_back_once():
    queue: Backlog[str] = Backlog(3)
    fill(queue, "a1", "b1", "a2")
    assert queue.remove("b", "b1")
    assert not queue.remove("b", "b1")
    assert queue.remove("a", "a1")
    assert not queue.remove("nobody", "a2")
    assert drain(queue) == ["a2"]
    with pytest.raises(IndexError):
        queue.take()
