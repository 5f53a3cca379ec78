"""Who somebody is, as a network that is trusted says (RFC 3325; Remote-Party-ID of draft-ietf-sip-privacy-04)."""

from __future__ import annotations

from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.uri import NameAddress

_MAX_MEMBERS = 8


def asserted_identity(headers: Headers) -> NameAddress | None:
    """Return the asserted identity of a message's sender, without parameters; None where there is none to be shown.

    A SIP address goes before a telephone number. Whoever asks for privacy (RFC 3323 §4.2, RFC 3325 §7) is not shown. Call it
    for messages from trusted sources only.
    """
    privacy = (headers.get("Privacy") or "").lower().replace(",", ";").split(";")
    if {"id", "user", "header"} & {value.strip() for value in privacy}:
        return None
    asserted = _addresses(headers, "P-Asserted-Identity")
    remote_party = [
        address
        for address in _addresses(headers, "Remote-Party-ID")
        if (address.parameter("privacy") or "off").lower() == "off"
        and (address.parameter("screen") or "yes").lower() == "yes"
    ]
    for address in (*sorted(asserted, key=lambda each: each.uri.scheme == "tel"), *remote_party):
        return NameAddress(address.display_name, address.uri.without_headers())
    return None


def _addresses(headers: Headers, name: str) -> list[NameAddress]:
    found = []
    for text in headers.get_list(name)[:_MAX_MEMBERS]:
        try:
            address = NameAddress.parse(text)
        except MalformedHeader:
            continue
        if address.uri.scheme in ("sip", "sips", "tel"):
            found.append(address)
    return found
