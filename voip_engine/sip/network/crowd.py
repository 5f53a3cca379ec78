"""Who has opened connections to us, counted as they come and go: asking whether there is room for one more costs the same
however many there are.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from voip_engine.sip.admission.rate_limit import source_of
from voip_engine.sip.flow import Flow
from voip_engine.sip.network.tcp import TcpLimits

log = logging.getLogger(__name__)


class Crowd:
    """Connections that others opened, from before they shake hands over TLS until they are gone.

    `knows` tells sources that may call from strangers, who get few, and stay strangers until `keep`. One who comes when there
    are as many strangers as there may be takes the place of the one that is here longest, by `cut_off`: a listed user needs a
    moment to prove himself, while the others only wait.
    """

    def __init__(self, limits: TcpLimits, knows: Callable[[Flow], bool], cut_off: Callable[[int], None]) -> None:
        self._limits = limits
        self._knows = knows
        self._cut_off = cut_off
        self._inside: dict[int, str] = {}
        self._by_source: Counter[str] = Counter()
        self._strangers: dict[int, str] = {}
        self._strangers_by_source: Counter[str] = Counter()
        self._full = False

    def enter(self, number: int, flow: Flow) -> bool:
        """Count a connection in, unless it is one too many; one that is counted already stays so."""
        if number in self._inside:
            return True
        source, limits, stranger = source_of(flow.remote_host), self._limits, not self._knows(flow)
        if self._is_full(flow) or self._by_source[source] >= limits.connections_per_source:
            return False
        if stranger:
            if self._strangers_by_source[source] >= limits.connections_per_stranger:
                return False
            if len(self._strangers) >= limits.connections_of_strangers:
                longest_here = next(iter(self._strangers))
                self.leave(longest_here)
                self._cut_off(longest_here)
            self._strangers[number] = source
            self._strangers_by_source[source] += 1
        self._inside[number] = source
        self._by_source[source] += 1
        return True

    def leave(self, number: int) -> None:
        """Count a connection out; one that is not counted does not matter."""
        self.keep(number)
        source = self._inside.pop(number, None)
        if source is not None:
            _take_one(self._by_source, source)

    def keep(self, number: int) -> None:
        """Count a connection among those of sources that may call, for what came over it was let in."""
        source = self._strangers.pop(number, None)
        if source is not None:
            _take_one(self._strangers_by_source, source)

    def is_stranger(self, number: int, flow: Flow) -> bool:
        """Whether nothing speaks for a connection yet: `knows` may say otherwise than when it came."""
        if number in self._strangers and self._knows(flow):
            self.keep(number)
        return number in self._strangers

    def _is_full(self, flow: Flow) -> bool:
        full, self._full = self._full, len(self._inside) >= self._limits.connections
        if self._full and not full:
            log.warning("refusing connections: %d are open, the last from %s", len(self._inside), flow.remote_host)
        return self._full


def _take_one(counter: Counter[str], source: str) -> None:
    counter[source] -= 1
    if not counter[source]:
        del counter[source]
