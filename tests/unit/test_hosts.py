from __future__ import annotations

from ipaddress import ip_address

import pytest

from voip_engine.hosts import address_of, bracketed, host_port, is_literal, is_public, literal, plain


@pytest.mark.parametrize(
    ("host", "one_spelling"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(host: str, one_spelling: str) -> None:
    assert plain(host) == one_spelling
    assert address_of(host) == ip_address(one_spelling)
    assert is_literal(host)


@pytest.mark.parametrize("host", ["pbx.example", "192.0.2", "192.0.2.7%eth0", "[::1]", "", "010.0.0.1"])
def test_what_is_no_address_is_a_name(host: str) -> None:
    assert (plain(host), literal(host), address_of(host)) == (host, None, None)
    assert not is_literal(host)
    assert not is_public(host)


def test_an_address_as_it_is_written_keeps_its_family() -> None:
    written = literal("::ffff:192.0.2.7")
    assert written is not None
    assert written.version == 6


def test_private_addresses_are_not_public() -> None:
    hosts = ("198.41.0.4", "2001:503:ba3e::2:30", "10.0.0.1", "127.0.0.1", "fd00::1", "100.64.0.1")
    assert [is_public(host) for host in hosts] == [True, True, False, False, False, False]


def test_ipv6_stands_in_brackets_before_a_port() -> None:
    assert [host_port("::1", 5060), host_port("pbx.example", 5061)] == ["[::1]:5060", "pbx.example:5061"]
    assert bracketed("192.0.2.7") == "192.0.2.7"
