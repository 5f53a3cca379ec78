"""Every seed passes its target, and the guard sees what it is there for."""

from __future__ import annotations

import time

import pytest

from fuzz.guard import INFLATED_BYTES, Finding, check, inflated
from fuzz.target import Target
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_holds_whole_and_cut_short(name: str) -> None:
    for seed in TARGETS[name].seeds:
        for end in {len(seed), len(seed) - 1, len(seed) // 2, 1, 0}:
            check(TARGETS[name], seed[:end])


def test_a_foreign_error_is_a_finding_with_its_input() -> None:
    with pytest.raises(Finding) as caught:
        check(Target(lambda data: [][len(data)], ()), b"abc")
    assert caught.value.data == b"abc"
    assert "IndexError" in str(caught.value)


def _spin(seconds: float) -> None:
    end_s = time.thread_time() + seconds
    while time.thread_time() < end_s:
        pass


def test_what_is_not_linear_is_found_from_a_small_input() -> None:
    grown = next(data for data in (bytes([byte]) * 8 for byte in range(256)) if inflated(data))
    assert len(inflated(grown)) > INFLATED_BYTES // 2
    with pytest.raises(Finding, match=r" s, with"):
        check(Target(lambda data: _spin(len(data) ** 2 * 2e-9), ()), grown)
    check(Target(lambda data: _spin(len(data) * 2e-6), ()), grown)
