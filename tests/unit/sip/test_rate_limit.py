from __future__ import annotations

import pytest

from voip_engine.sip.admission.rate_limit import TokenBuckets, source_of


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_counts_as_one_source(host, source):
    assert source_of(host) == source


def test_a_burst_passes_and_then_the_rate():
    buckets = TokenBuckets(2.0, 3)
    assert [buckets.take("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert not buckets.take("a", 10.4)
    assert buckets.take("a", 10.5)
    assert not buckets.has("a", 10.9)
    assert [buckets.take("a", 1000.0) for _ in range(4)] == [True, True, True, False], "no more than a bucket holds"


def test_sources_share_nothing():
    buckets = TokenBuckets(1.0, 1)
    assert buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 0.0)


def test_the_table_forgets_who_asked_longest_ago():
    buckets = TokenBuckets(0.001, 1, sources=100)
    for number in range(10_000):
        buckets.take(str(number), 0.0)
    assert len(buckets) == 100
    assert not buckets.take("9999", 0.0)
    assert buckets.take("0", 0.0)
