"""What REFER and the NOTIFYs that report on it carry (RFC 3515, RFC 3892, message/sipfrag of RFC 3420)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voip_engine.sip.messages.grammar import MalformedHeader, is_token, parse_parameters
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.reasons import REASONS
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.messages.uri import NameAddress, SipUri

SIPFRAG = "message/sipfrag"

_STATUS_LINE = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]{0,200}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Referral:
    """Whom a REFER wants called: `target` without headers, `replaces` for an attended transfer."""

    target: SipUri
    replaces: Replaces | None
    referred_by: str

    @staticmethod
    def of(headers: Headers) -> Referral:
        """Read a REFER's headers. Raises MalformedHeader, also unless there is exactly one Refer-To (RFC 3515 §2.4.2).

        Of the headers in the URI only Replaces counts: others could have us say what its sender wants (RFC 3261 §19.1.5).
        """
        values = headers.get_all("Refer-To")
        if len(values) != 1:
            raise MalformedHeader("a REFER has one Refer-To")
        uri = NameAddress.parse(values[0]).uri
        if (uri.parameter("method") or "INVITE").upper() != "INVITE":
            raise MalformedHeader("a REFER wants something else than a call")
        replaced = [value for name, value in uri.headers if name.lower() == "replaces"]
        if len(replaced) > 1:
            raise MalformedHeader("a call takes the place of one other only")
        return Referral(
            uri.without_headers().without_parameter("method"),
            Replaces.parse(replaced[0]) if replaced else None,
            read_referred_by(headers),
        )


def read_referred_by(headers: Headers) -> str:
    """Return who sent a call here, as a URI; empty where nobody says or what is said makes no sense."""
    try:
        return str(NameAddress.parse(headers.get("Referred-By") or "").uri)
    except MalformedHeader:
        return ""


def refer_to(target: SipUri, replaces: Replaces | None) -> str:
    """Write Refer-To."""
    uri = target.without_headers()
    if replaces is not None:
        uri = SipUri(uri.scheme, uri.user, uri.host, uri.port, uri.parameters, (("Replaces", str(replaces)),))
    return f"<{uri}>"


def read_sipfrag(body: bytes) -> tuple[int, str]:
    """Return status and phrase of the status line that a message/sipfrag begins with. Raises MalformedHeader."""
    found = _STATUS_LINE.match(body.lstrip(b"\r\n"))
    if found is None:
        raise MalformedHeader("a report on a transfer has no status")
    status = int(found[1])
    return status, (found[2] or b"").decode(errors="replace").strip() or REASONS.get(status, "")


def write_sipfrag(status: int) -> bytes:
    """Write a message/sipfrag of nothing but a status line."""
    return f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """Whether a subscription goes on, and for how long (RFC 6665 §8.2.3); why not, where it says so."""

    terminated: bool
    expires_s: int | None
    reason: str = ""

    @staticmethod
    def of(headers: Headers) -> SubscriptionState:
        """Read Subscription-State. A sender of RFC 3265's time that leaves it out goes on. Raises MalformedHeader."""
        state, semicolon, rest = (headers.get("Subscription-State") or "active").partition(";")
        state = state.strip().lower()
        if not is_token(state):
            raise MalformedHeader("Subscription-State is malformed")
        parameters = dict(parse_parameters(rest)) if semicolon else {}
        expires = parameters.get("expires") or ""
        is_number = expires.isascii() and expires.isdigit() and len(expires) <= 9
        reason = (parameters.get("reason") or "").lower()
        return SubscriptionState(state == "terminated", int(expires) if is_number else None, reason)


def read_event(headers: Headers) -> tuple[str, str | None]:
    """Return a request's event package in lower case and its `id`. Raises MalformedHeader."""
    package, semicolon, rest = (headers.get("Event") or "").partition(";")
    package = package.strip().lower()
    if not is_token(package):
        raise MalformedHeader("Event is missing or malformed")
    return package, dict(parse_parameters(rest)).get("id") if semicolon else None
