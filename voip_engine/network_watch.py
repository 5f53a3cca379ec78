"""Notices that the machine slept or has another address, which registrars and NATs on the way know nothing of."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

EVERY_S = 2.0
SLEPT_S = 5.0
"""Asleep for less nothing is forgotten elsewhere."""


def slept_s() -> float:
    """Return how long this machine has slept since some moment: what its clocks disagree by.

    Linux counts that exactly. Elsewhere the wall clock stands in, so that setting it looks like sleep, which does no harm.
    """
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return time.time() - time.monotonic()


async def watch_network(
    addresses: Callable[[], Mapping[str, str]],
    on_change: Callable[[], None],
    *,
    slept_s: Callable[[], float] = slept_s,
    every_s: float = EVERY_S,
) -> None:
    """Call `on_change` after each sleep, and whenever the way to a server has another address of ours; until cancelled.

    `addresses` gives ours by server, empty where there is no way. One that comes back counts as another one.
    """
    known, slept_before_s, awake = addresses(), slept_s(), True
    while True:
        await asyncio.sleep(every_s)
        now, asleep_s = addresses(), slept_s()
        awake &= asleep_s - slept_before_s < SLEPT_S
        moved = any(now[server] not in ("", address) for server, address in known.items() if server in now)
        known, slept_before_s = now, asleep_s
        if (awake and not moved) or not any(now.values()):
            continue  # without a network a sleep is not over yet
        log.info("%s", "this machine's address has changed" if awake else "this machine was asleep")
        awake = True
        on_change()
