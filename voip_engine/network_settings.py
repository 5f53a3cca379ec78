"""What can be set about networks: encryption, who may call, who may be called."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from voip_engine.dial_patterns import Pattern
from voip_engine.secret import Secret
from voip_engine.settings_fields import SettingsError, check, check_fields

DtmfPolicy = Literal["auto", "rfc4733", "info"]
"""How keys are sent: as telephone-events where the other side takes them and else by INFO, or one way only."""


class TlsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Certificates for SIP over TLS. Raises SettingsError."""

    ca_file: Annotated[
        str | None, Meta(description="a PEM file with the authorities to trust", examples=["/etc/voip-tui/ca.pem"])
    ] = None
    """None trusts what the system trusts."""
    certificate_file: Annotated[
        str | None, Meta(description="a PEM file with a certificate, its chain below it", examples=["phone.pem"])
    ] = None
    """Shown to those who connect to us, and to servers that ask for a client certificate."""
    key_file: Annotated[
        str | None, Meta(description="a PEM file with the certificate's key", examples=["phone.key"])
    ] = None
    """None: the key stands in `certificate_file`."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.key_file is not None and self.certificate_file is None:
            raise SettingsError("key_file of [tls] needs a certificate_file beside it.")


class AdmittedUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may call from anywhere with a password (digest). Raises SettingsError.

    Only an INVITE whose From has `username` before the @ is asked for the password; all others find nobody here.
    """

    username: Annotated[str, Meta(min_length=1, description="a text in quotes", examples=["branch-office"])]
    password: Annotated[Secret, Meta(description="a text in quotes that is not empty", examples=["…"])]

    def __post_init__(self) -> None:
        check_fields(self)


class AdmissionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may call here. The servers of our accounts always may. Raises SettingsError.

    Everybody else is not answered at all, so that scanners find nothing.
    """

    networks: Annotated[
        tuple[str, ...] | None,
        Meta(description="networks or addresses", examples=[["192.0.2.0/24", "2001:db8::/32"]]),
    ] = None
    """None: with accounts nobody else; without accounts this machine and private networks (RFC 1918, RFC 4193).

    A stranger whom we call may answer and hang up all the same.
    """
    users: Annotated[tuple[AdmittedUser, ...], Meta(description="[[admission.users]] tables")] = ()
    calls_per_second: Annotated[
        float, Meta(gt=0, le=10_000, description="a number above 0, up to 10000", examples=[10])
    ] = 10.0
    """New calls that one source, an address or a /64 of IPv6, may place; the bucket holds `calls_burst`.

    A server of an account may place, and have ringing, as many as `max_calls`, if that is more.
    """
    calls_burst: Annotated[int, Meta(ge=1, le=10_000, description="1 to 10000 calls", examples=[50])] = 50
    ringing_calls: Annotated[int, Meta(ge=1, le=10_000, description="1 to 10000 calls", examples=[20])] = 20
    """Calls that one source may have at a time unanswered, or answered and not acknowledged by it."""

    def __post_init__(self) -> None:
        check_fields(self)


class DiallingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Who may be called, by people, agents and transfers alike. Raises SettingsError.

    Patterns are matched against the dialled address, `sip:user@host`, or its user part where they hold no `@`; `*` stands for
    any text, `?` for one character. Numbers are compared without visual separators, hosts without ports; letters of either
    case, escapes and spellings of an address make no difference. An hour and a day are the last 60 minutes and 24 hours since
    the start. A transfer of ours counts as a call in an hour, for the other side places it for us.
    """

    allow: Annotated[tuple[str, ...], Meta(description="patterns", examples=[["+49*", "sip:*@pbx.example"]])] = ("*",)
    deny: Annotated[tuple[str, ...], Meta(description="patterns", examples=[["0900*", "+*"]])] = ()
    """Goes before `allow`."""
    calls_at_once: Annotated[int, Meta(ge=0, le=10_000, description="0 to 10000, 0 being no limit", examples=[10])] = 0
    calls_per_hour: Annotated[
        int, Meta(ge=0, le=100_000, description="0 to 100000, 0 being no limit", examples=[60])
    ] = 0
    minutes_per_call: Annotated[
        float, Meta(ge=0, le=1_440, description="0 to 1440, 0 being no limit", examples=[60])
    ] = 0.0
    minutes_per_day: Annotated[
        float, Meta(ge=0, le=100_000, description="0 to 100000, 0 being no limit", examples=[600])
    ] = 0.0
    transfer: Annotated[tuple[str, ...], Meta(description="patterns", examples=[["sip:*@pbx.example"]])] = ()
    """Where the other side of a call may send us by REFER; such a target must be one that may be called, too."""
    redirect: Annotated[tuple[str, ...], Meta(description="patterns", examples=[["sip:*@pbx.example"]])] = ()
    """Where a call may go on by 3xx, besides to whom was dialled at another port; that must be allowed, too."""

    def __post_init__(self) -> None:
        check_fields(self)


def _check_networks(networks: tuple[str, ...]) -> None:
    for network in networks:
        try:
            ip_network(network)
        except ValueError:
            raise ValueError(_what_is_wrong(network)) from None


def _what_is_wrong(network: str) -> str:
    try:
        meant = ip_network(network, strict=False)
    except ValueError:
        return f"{network[:60]!r} is none"
    return f"{network!r} has host bits set; did you mean {meant}?"


def _check_patterns(patterns: tuple[str, ...]) -> None:
    for pattern in patterns:
        Pattern.of(pattern)


def _check_password(password: Secret) -> None:
    if not password:
        raise ValueError("an empty one would let anybody in who knows the name")


check(AdmissionSettings, "networks", _check_networks)
check(AdmittedUser, "password", _check_password)
for key in ("allow", "deny", "transfer", "redirect"):
    check(DiallingSettings, key, _check_patterns)
