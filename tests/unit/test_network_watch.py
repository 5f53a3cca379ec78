from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from support import virtual_time

from voip_engine.network_watch import watch_network

HOME = {"pbx": "192.0.2.10"}


def changes(steps: Iterable[tuple[dict[str, str], float]]) -> list[int]:
    """At which steps a change is told; each is what our addresses are and how long the machine has slept by then."""
    left = list(steps)
    told: list[int] = []
    step = -1

    def addresses() -> dict[str, str]:
        nonlocal step
        step += 1
        return left[step][0]

    async def watch() -> None:
        watching = asyncio.create_task(
            watch_network(addresses, lambda: told.append(step), slept_s=lambda: left[step][1], every_s=2)
        )
        await asyncio.sleep(2 * len(left) - 1)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching

    virtual_time.run(watch())
    assert step == len(left) - 1
    return told


def test_nothing_is_told_while_nothing_changes() -> None:
    # A server that becomes known is no change, and neither are clocks that drift.
    assert changes([({}, 0), (HOME, 0.1), (HOME | {"other": "10.0.0.1"}, 0.2), (HOME, 0.3)]) == []


def test_another_address_is_told_once() -> None:
    assert changes([(HOME, 0), ({"pbx": "10.1.1.1"}, 0), ({"pbx": "10.1.1.1"}, 0)]) == [1]


def test_a_network_that_comes_back_is_a_new_one() -> None:
    assert changes([(HOME, 0), ({"pbx": ""}, 0), ({"pbx": ""}, 0), (HOME, 0), (HOME, 0)]) == [3]


def test_a_sleep_is_told_when_there_is_a_network_again() -> None:
    assert changes([(HOME, 0), (HOME, 3600), (HOME, 3600)]) == [1]
    assert changes([(HOME, 0), ({"pbx": ""}, 3600), (HOME, 3600), (HOME, 3600)]) == [2]
