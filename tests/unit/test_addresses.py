from __future__ import annotations

import pytest

from voip_engine import AccountSettings, EngineError
from voip_engine.addresses import destination, registers_at, registrar_of, routes_of
from voip_engine.secret import holds_password
from voip_engine.sip.flow import NextHop

HOME = AccountSettings(uri="sip:alice@pbx.example;transport=tcp")
OTHER = AccountSettings(uri="sip:bob@192.0.2.9:5070", outbound_proxy="proxy.example:5080")
ACCOUNTS = (HOME, OTHER)


@pytest.mark.parametrize(
    ("typed", "target", "account", "next_hop"),
    [
        ("sip:carol@192.0.2.1", "sip:carol@192.0.2.1", None, NextHop("UDP", "192.0.2.1", 0)),
        ("carol@192.0.2.1:5062", "sip:carol@192.0.2.1:5062", None, NextHop("UDP", "192.0.2.1", 5062)),
        ("192.0.2.1", "sip:192.0.2.1", None, NextHop("UDP", "192.0.2.1", 0)),
        ("sip:[::1]:5062;transport=tcp", "sip:[::1]:5062;transport=tcp", None, NextHop("TCP", "::1", 5062)),
        ("100", "sip:100@pbx.example", "sip:alice@pbx.example", NextHop("TCP", "pbx.example", 0)),
        ("  100 ", "sip:100@pbx.example", "sip:alice@pbx.example", NextHop("TCP", "pbx.example", 0)),
        ("sip:100@PBX.example", "sip:100@PBX.example", "sip:alice@pbx.example", NextHop("TCP", "pbx.example", 0)),
        ("sips:carol@sec.example", "sips:carol@sec.example", None, NextHop("TLS", "sec.example", 0)),
        (
            "sip:carol@192.0.2.1;transport=TLS",
            "sip:carol@192.0.2.1;transport=TLS",
            None,
            NextHop("TLS", "192.0.2.1", 0),
        ),
        ("100@192.0.2.9", "sip:100@192.0.2.9", "sip:bob@192.0.2.9:5070", NextHop("UDP", "proxy.example", 5080)),
    ],
)
def test_what_people_type_finds_its_way(typed, target, account, next_hop):
    found = destination(typed, ACCOUNTS, None)
    assert (str(found.target).lower(), found.account, found.next_hop) == (target.lower(), account, next_hop)


def test_a_named_account_is_taken():
    found = destination("100", ACCOUNTS, "sip:bob@192.0.2.9:5070")
    assert (str(found.target), found.next_hop.host) == ("sip:100@192.0.2.9:5070", "proxy.example")


def test_a_registrar_elsewhere():
    account = AccountSettings(uri="sip:alice@pbx.example", registrar="192.0.2.4:5066")
    assert registrar_of(account) == NextHop("UDP", "192.0.2.4", 5066)


@pytest.mark.parametrize(
    ("uri", "proxy", "route"),
    [
        ("sip:bob@192.0.2.9", "proxy.example:5080", "<sip:proxy.example:5080;lr>"),
        ("sip:bob@192.0.2.9;transport=tcp", "proxy.example", "<sip:proxy.example;transport=tcp;lr>"),
        ("sip:bob@192.0.2.9", "[2001:db8::1];transport=tls", "<sip:[2001:db8::1];transport=tls;lr>"),
        ("sips:bob@192.0.2.9", "sips:edge.example", "<sips:edge.example;lr>"),
    ],
)
def test_an_outbound_proxy_is_a_route(uri, proxy, route):
    account = AccountSettings(uri=uri, outbound_proxy=proxy)
    assert routes_of(account) == (route,)
    assert registers_at(account) is None


@pytest.mark.parametrize(("scheme", "registrar"), [("sip", "192.0.2.4:5066"), ("sips", "home.example")])
def test_a_registrar_behind_an_outbound_proxy_is_asked_of_that(scheme, registrar):
    account = AccountSettings(uri=f"{scheme}:alice@pbx.example", registrar=registrar, outbound_proxy="edge.example")
    assert str(registers_at(account)) == f"{scheme}:{registrar}"
    assert registrar_of(account).host == "edge.example"
    alone = AccountSettings(uri=f"{scheme}:alice@pbx.example", registrar=registrar)
    assert (registers_at(alone), routes_of(alone)) == (None, ())


def test_a_sips_account_dials_sips_addresses():
    account = AccountSettings(uri="sips:alice@pbx.example", outbound_proxy="sips:edge.example")
    found = destination("100", (account,), None)
    assert (str(found.target), found.next_hop) == ("sips:100@pbx.example", NextHop("TLS", "edge.example", 0))


def test_a_sips_address_is_not_reached_over_less_than_tls():
    with pytest.raises(EngineError, match=r"over TLS only, and sip:alice@pbx\.example goes over TCP"):
        destination("sips:100@pbx.example", ACCOUNTS, None)


def test_an_unknown_transport_is_named():
    with pytest.raises(EngineError, match="The transport SCTP is not supported; there are UDP, TCP and TLS"):
        destination("sip:100@192.0.2.1;transport=sctp", ACCOUNTS, None)


def test_an_unknown_account_is_named():
    with pytest.raises(EngineError, match=r"no account sip:eve@pbx\.example"):
        destination("100", ACCOUNTS, "sip:eve@pbx.example")


@pytest.mark.parametrize(
    "typed",
    [
        "sip:bob:PIN4711@192.0.2.1",
        " SIPS:bob:PIN4711@sec.example;transport=tls",
        "bob:PIN4711@192.0.2.1",
        "sip:bob:PIN4711@not a host",
        "sip:bob:PIN4711@",
    ],
)
def test_an_address_with_a_password_is_not_dialled_nor_repeated(typed):
    with pytest.raises(EngineError, match="holds no password") as refused:
        destination(typed, ACCOUNTS, None)
    assert "PIN4711" not in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "scheme"), [("http://x", "http"), (" HTTPS://x.example/y ", "https"), ("tel:+49301234", "tel")]
)
def test_another_kind_of_address_is_said_to_be_that(typed, scheme):
    with pytest.raises(EngineError, match=f"^Only sip: and sips: addresses can be dialled, not {scheme}:.$"):
        destination(typed, ACCOUNTS, None)


@pytest.mark.parametrize("typed", ["sip:bob@192.0.2.1:5062", "192.0.2.1:5062", "sip:[::1]:5062", "bob@[::1]:5062"])
def test_a_port_is_no_password(typed):
    assert not holds_password(typed)
