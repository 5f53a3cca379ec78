"""How often one source may ask: token buckets by address, in a table that does not grow."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

SOURCES = 4_096
"""How many sources are remembered; the one that asked longest ago is forgotten first."""
_HOST_BITS = 64


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that an IPv6 address lies in (RFC 6177 §2)."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/64"


class TokenBuckets:
    """A bucket a source, which holds `burst` tokens and is refilled by `rate` tokens a second."""

    def __init__(self, rate: float, burst: int, *, sources: int = SOURCES) -> None:
        self._rate = rate
        self._burst = burst
        self._sources = sources
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: str, now: float) -> bool:
        """Take a token, False when there is none. `now` is in seconds and must not run backwards."""
        tokens = self._tokens(source, now)
        if tokens < 1:
            return False
        self._buckets[source] = tokens - 1, now
        self._buckets.move_to_end(source)
        if len(self._buckets) > self._sources:
            self._buckets.popitem(last=False)
        return True

    def has(self, source: str, now: float) -> bool:
        """Whether there is a token to take."""
        return self._tokens(source, now) >= 1

    def _tokens(self, source: str, now: float) -> float:
        tokens, at = self._buckets.get(source, (float(self._burst), now))
        return min(self._burst, tokens + (now - at) * self._rate)
