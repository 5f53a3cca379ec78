"""Settings as values: which are taken, and what is said of others."""

from __future__ import annotations

from typing import Any

import pytest

from voip_engine.settings import AccountSettings, EngineSettings, ListenAddress, SettingsError

PASSWORD = "correct horse"


def test_the_defaults_are_valid() -> None:
    settings = EngineSettings()
    assert settings.codecs == ("opus", "G722", "PCMA", "PCMU")
    assert (settings.mode, settings.max_calls, settings.auto_answer) == ("echo", 100, False)
    assert (settings.voice.threshold_rms, settings.voice.silence_s) == (0.001, 0.5)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("max_calls", 0, "max_calls must be a whole number from 1 to 10000, not 0"),
        ("max_calls", "many", "max_calls must be a whole number from 1 to 10000, not 'many'"),
        ("auto_answer", 1, "auto_answer must be true or false, not 1"),
        ("mode", "two words", "mode must be the name of a mode"),
        ("codecs", (), "codecs must be one or more of opus, G722, PCMA and PCMU"),
        (
            "codecs",
            ("opus", "GSM"),
            "codecs must be one or more of opus, G722, PCMA and PCMU, the best first, not 'GSM'",
        ),
        ("codecs", ("opus", "opus"), "one stands there twice"),
        ("accounts", ("sip:a:secret@b",), "accounts must be [[accounts]] tables."),
        ("media_host", "pbx.example", "'pbx.example' is none"),
        ("rtp_ports", (5000, 4000), "5000 to 4000 is no such range"),
        ("rtp_ports", (80, 4000), "80 to 4000 is no such range"),
        ("rtp_ports", (5000, 70000), "5000 to 70000 is no such range"),
        ("rtp_ports", (5000,), "the lowest and the highest UDP port"),
        ("listen", ("5060",), "'5060'"),
        ("listen", "udp:127.0.0.1:5060", "listen must be addresses as udp:HOST:PORT"),
        ("monitor_volume", 1.5, "monitor_volume must be 0 to 1, not 1.5"),
        ("monitor_layout", "stereo", "split"),
        ("media_timeout_s", float("inf"), "1 to 3600 seconds"),
        ("keep_ended_s", float("nan"), "0 to 86400 seconds"),
        ("console", [], "a [console] table"),
    ],
)
def test_a_wrong_value_is_named_with_its_rule(field: str, value: Any, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        EngineSettings(**{field: value})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp:127.0.0.1:5060", ListenAddress("UDP", "127.0.0.1", 5060)),
        ("tcp:[::]:5060", ListenAddress("TCP", "::", 5060)),
        ("UDP:localhost:0", ListenAddress("UDP", "localhost", 0)),
        ("tls:0.0.0.0:5061", ListenAddress("TLS", "0.0.0.0", 5061)),
    ],
)
def test_listen_addresses_are_read(text: str, expected: ListenAddress) -> None:
    assert ListenAddress.parse(text) == expected
    assert EngineSettings(listen=(text,)).listen == (text,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("127.0.0.1:5060", "udp:, tcp: or tls:"),
        ("sctp:127.0.0.1:5061", "udp:, tcp: or tls:"),
        ("udp:127.0.0.1", "port"),
        ("udp:127.0.0.1:65536", "port"),
        ("udp:127.0.0.1:٣", "port"),
        ("udp:127.0.0.1:-1", "port"),
        ("udp:::1:5060", "brackets"),
        ("udp::5060", "no address"),
        ("", "udp:, tcp: or tls:"),
    ],
)
def test_other_listen_addresses_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ListenAddress.parse(text)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:alice@pbx.example",
        "sip:alice@pbx.example;transport=tcp",
        "sip:alice@pbx.example;transport=tls",
        "sips:alice@pbx.example",
        "sip:alice@[::1]:5070",
        "SIP:1000@192.0.2.1",
    ],
)
def test_account_addresses_are_taken(uri: str) -> None:
    assert AccountSettings(uri=uri).uri == uri


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("alice@pbx.example", "a SIP address with a user name"),
        ("sip:pbx.example", "no user name"),
        ("tel:+49301234", "instead of sip:"),
        ("sip:alice@pbx.example;transport=sctp", "udp, tcp or tls"),
        ("sips:alice@pbx.example;transport=udp", "sips: goes over TLS"),
        ("sip:alice@pbx.example?subject=x", "question mark"),
        ("sip:alice@", "a SIP address with a user name"),
        ("", "a SIP address with a user name"),
    ],
)
def test_other_account_addresses_are_refused(uri: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        AccountSettings(uri=uri)


def test_a_password_in_an_account_address_is_refused_unseen_with_the_other_ways() -> None:
    with pytest.raises(SettingsError) as caught:
        AccountSettings(uri=f"sip:alice:{PASSWORD.replace(' ', '')}@pbx.example")
    assert "VOIP_PASSWORD" in str(caught.value)
    assert "settings file" in str(caught.value)
    assert PASSWORD.replace(" ", "") not in str(caught.value)


def test_a_password_that_is_no_secret_is_refused_unseen() -> None:
    with pytest.raises(SettingsError) as caught:
        AccountSettings(uri="sip:alice@pbx.example", password=PASSWORD)  # type: ignore[arg-type]
    assert PASSWORD not in str(caught.value)


def test_the_same_account_twice_is_refused() -> None:
    accounts = (
        AccountSettings(uri="sip:alice@pbx.example"),
        AccountSettings(uri="sip:alice@PBX.example;transport=tcp"),
    )
    with pytest.raises(SettingsError, match=r"sip:alice@pbx\.example stands there twice"):
        EngineSettings(accounts=accounts)


@pytest.mark.parametrize(
    "server", ["pbx.example", "pbx.example:5080", "[::1]:5080", "sip:pbx.example;transport=tcp;lr", "pbx;transport=tls"]
)
def test_registrars_and_proxies_are_hosts_with_or_without_a_port(server: str) -> None:
    account = AccountSettings(uri="sip:alice@pbx.example", registrar=server, outbound_proxy=server)
    assert (account.registrar, account.outbound_proxy) == (server, server)


@pytest.mark.parametrize("server", ["", "bob@pbx.example", "pbx.example:99999", "pbx.example;transport=sctp", "a b"])
def test_other_registrars_and_proxies_are_refused(server: str) -> None:
    with pytest.raises(SettingsError, match="registrar must be a host name or address"):
        AccountSettings(uri="sip:alice@pbx.example", registrar=server)
    with pytest.raises(SettingsError, match="outbound_proxy must be a host name or address"):
        AccountSettings(uri="sip:alice@pbx.example", outbound_proxy=server)
