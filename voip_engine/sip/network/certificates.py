"""Whom a certificate speaks for (RFC 5922 §7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voip_engine.hosts import address_of
from voip_engine.sip.messages.uri import MalformedUri, SipUri

Certificate = Mapping[str, Any]
"""A peer's certificate as `ssl` decodes it: `subject` and `subjectAltName` as tuples of names and values."""


def names_in(certificate: Certificate) -> tuple[str, ...]:
    """Return the domains that a certificate speaks for: its SIP URIs, else its DNS names, else its common name."""
    alternatives: tuple[tuple[str, str], ...] = tuple(certificate.get("subjectAltName", ()))
    uris = [domain for kind, text in alternatives if kind == "URI" and (domain := _domain_of(text))]
    if uris:
        return tuple(uris)
    if alternatives:
        return tuple(text.lower() for kind, text in alternatives if kind == "DNS")
    return tuple(
        value.lower() for part in certificate.get("subject", ()) for name, value in part if name == "commonName"
    )


def speaks_for(certificate: Certificate, host: str) -> bool:
    """Say whether a certificate was issued for a domain or a literal address.

    Departs from RFC 5922 §7.2 in one point: `*.pbx.example` covers one label (RFC 9525 §6.3), for carriers use that.
    """
    if address_of(host) is not None:
        addresses = (text for kind, text in certificate.get("subjectAltName", ()) if kind == "IP Address")
        return any(address_of(text.strip()) == address_of(host) for text in addresses)
    wanted = host.lower().rstrip(".")
    parent = wanted.partition(".")[2]
    return any(name == wanted or ("." in parent and name == f"*.{parent}") for name in names_in(certificate))


def _domain_of(text: str) -> str:
    """Return the domain of a SIP URI that names no user (RFC 5922 §7.1), else nothing."""
    try:
        uri = SipUri.parse(text)
    except MalformedUri:
        return ""
    return uri.host.lower() if uri.scheme == "sip" and uri.user is None else ""
