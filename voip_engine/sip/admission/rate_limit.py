"""How often one source may ask: token buckets by address, in a table that does not grow."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address

from voip_engine.hosts import address_of

SOURCES = 4_096
"""How many sources are remembered; the one that asked longest ago is forgotten first."""
_HOST_BITS = 64


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 that an IPv6 address lies in (RFC 6177 §2)."""
    address = address_of(host)
    if not isinstance(address, IPv6Address):
        return host if address is None else str(address)
    return f"{IPv6Address(int(address) >> _HOST_BITS << _HOST_BITS)}/64"


class TokenBucket:
    """Holds `burst` tokens and is refilled by `rate` tokens a second. Times are in seconds and must not run backwards."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    def has(self, now: float) -> bool:
        """Whether there is a token to take."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1

    def take(self, now: float) -> bool:
        """Take a token, False when there is none."""
        if not self.has(now):
            return False
        self._tokens -= 1
        return True


class TokenBuckets:
    """A bucket for each source."""

    def __init__(self, rate: float, burst: int, *, sources: int = SOURCES) -> None:
        self._rate = rate
        self._burst = burst
        self._sources = sources
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, source: str, now: float) -> bool:
        """Take a token, False when there is none. `now` is in seconds and must not run backwards."""
        bucket = self._buckets.get(source) or TokenBucket(self._rate, self._burst)
        if not bucket.take(now):
            return False
        self._buckets[source] = bucket
        self._buckets.move_to_end(source)
        if len(self._buckets) > self._sources:
            self._buckets.popitem(last=False)
        return True

    def has(self, source: str, now: float) -> bool:
        """Whether there is a token to take."""
        bucket = self._buckets.get(source)
        return bucket is None or bucket.has(now)
