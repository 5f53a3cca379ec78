from __future__ import annotations

import pytest

from voip_engine.sip.network.certificates import names_in, speaks_for

CARRIER = {"subjectAltName": (("DNS", "Edge.Example"), ("DNS", "*.pbx.example"), ("IP Address", "192.0.2.1"))}
BY_URI = {"subjectAltName": (("URI", "sip:pbx.example"), ("DNS", "other.example"))}
BY_COMMON_NAME = {"subject": ((("countryName", "DE"),), (("commonName", "old.example"),))}


@pytest.mark.parametrize(
    ("certificate", "host"),
    [
        (CARRIER, "edge.example"),
        (CARRIER, "EDGE.example."),
        (CARRIER, "sip.pbx.example"),
        (CARRIER, "192.0.2.1"),
        (BY_URI, "pbx.example"),
        (BY_COMMON_NAME, "old.example"),
        ({"subjectAltName": (("IP Address", "2001:DB8:0:0:0:0:0:1"),)}, "2001:db8::1"),
    ],
)
def test_a_certificate_speaks_for_whom_it_names(certificate: dict[str, object], host: str) -> None:
    assert speaks_for(certificate, host)


@pytest.mark.parametrize(
    ("certificate", "host"),
    [
        (CARRIER, "example"),
        (CARRIER, "pbx.example"),
        (CARRIER, "a.b.pbx.example"),
        (CARRIER, "192.0.2.2"),
        (CARRIER, "evil-edge.example"),
        # RFC 5922 §7.1: with a SIP URI in it the DNS names do not count, with any name of these the common name does not.
        (BY_URI, "other.example"),
        ({**CARRIER, **BY_COMMON_NAME}, "old.example"),
        ({"subjectAltName": (("URI", "sips:pbx.example"), ("URI", "sip:bob@pbx.example"))}, "pbx.example"),
        ({"subjectAltName": (("URI", "sip:[broken"), ("DNS", "*.example"))}, "pbx.example"),
        ({"subjectAltName": (("DNS", "192.0.2.1"),)}, "192.0.2.1"),
        ({}, "pbx.example"),
    ],
)
def test_a_certificate_speaks_for_nobody_else(certificate: dict[str, object], host: str) -> None:
    assert not speaks_for(certificate, host)


def test_names_are_told_for_people() -> None:
    assert names_in(CARRIER) == ("edge.example", "*.pbx.example")
    assert names_in(BY_URI) == ("pbx.example",)
