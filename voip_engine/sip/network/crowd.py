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

    `knows` tells sources that may call from strangers, who get few. What a source was when it came, it stays to this count.
    """

    def __init__(self, limits: TcpLimits, knows: Callable[[Flow], bool]) -> None:
        self._limits = limits
        self._knows = knows
        self._inside: dict[int, tuple[str, bool]] = {}
        self._by_source: Counter[str] = Counter()
        self._strangers = 0
        self._full = False

    def enter(self, number: int, flow: Flow) -> bool:
        """Count a connection in, unless it is one too many; one that is counted already stays so."""
        if number in self._inside:
            return True
        source, stranger = source_of(flow.remote_host), not self._knows(flow)
        if self._is_full(flow) or not self._has_room(source, stranger):
            return False
        self._inside[number] = source, stranger
        self._by_source[source] += 1
        self._strangers += stranger
        return True

    def leave(self, number: int) -> None:
        """Count a connection out; one that is not counted does not matter."""
        source, stranger = self._inside.pop(number, ("", False))
        self._strangers -= stranger
        if source:
            self._by_source[source] -= 1
            if not self._by_source[source]:
                del self._by_source[source]

    def _is_full(self, flow: Flow) -> bool:
        full, self._full = self._full, len(self._inside) >= self._limits.connections
        if self._full and not full:
            log.warning("refusing connections: %d are open, the last from %s", len(self._inside), flow.remote_host)
        return self._full

    def _has_room(self, source: str, stranger: bool) -> bool:
        limits, from_there = self._limits, self._by_source[source]
        if not stranger:
            return from_there < limits.connections_per_source
        return from_there < limits.connections_per_stranger and self._strangers < limits.connections_of_strangers
