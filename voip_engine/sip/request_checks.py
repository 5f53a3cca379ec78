"""What every request is held against before anybody looks at what it wants (RFC 3261 §8.2)."""

from __future__ import annotations

from voip_engine.sip.endpoint import ACCEPT, ALLOW, SESSION_DESCRIPTION, SUPPORTED
from voip_engine.sip.messages.extension_headers import SessionExpires, lists
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.multipart import MandatoryPart, find_part, is_multipart, media_type_in
from voip_engine.sip.sessions.session_timer import SHORTEST_S

METHODS = frozenset(ALLOW.split(", "))
EXTENSIONS = frozenset(SUPPORTED.split(", "))
Refusal = tuple[int, tuple[tuple[str, str], ...]]


def is_for_us_to_parse(data: bytes) -> bool:
    """Whether a datagram is more than a keep-alive of line ends or zeros, as phones behind NAT send it."""
    return bool(data.strip(b"\r\n\0"))


def find_refusal(request: Request, *, merged: bool) -> Refusal | None:
    """Return the status, and the headers that go with it, for a request that cannot be served; None if it can.

    In the order of RFC 3261 §8.2: method, merged request, extensions, content. Max-Forwards is not looked at, for a
    request that has arrived makes no further hop (RFC 4475 §3.3.11).
    """
    if request.method not in METHODS:
        return 405, ()  # Allow is on every 405
    if merged:
        return 482, ()
    lacking = [each for each in request.headers.get_list("Require") if each.lower() not in EXTENSIONS]
    if lacking:
        return 420, (("Unsupported", ", ".join(lacking)),)
    if request.method in ("INVITE", "UPDATE") and (refusal := _timer_refusal(request)) is not None:
        return refusal
    if request.method != "INVITE":
        return None
    if not request.contacts:
        return 400, ()
    return _content_refusal(request)


def _timer_refusal(request: Request) -> Refusal | None:
    try:
        asked = SessionExpires.read(request.headers)
    except MalformedHeader:
        return 400, ()
    if asked is None or asked.interval_s >= SHORTEST_S or not lists(request.headers, "Supported", "timer"):
        return None  # RFC 4028 §9: a caller that knows no session timers cannot be told to ask for a longer one
    return 422, (("Min-SE", str(SHORTEST_S)),)


def _content_refusal(request: Request) -> Refusal | None:
    if request.body:
        if [c for c in request.headers.get_list("Content-Encoding") if c.lower() != "identity"]:
            return 415, (("Accept-Encoding", "identity"),)
        if not _is_readable(request) and not _is_optional(request):
            return 415, (("Accept", ACCEPT),)
    accepted = request.headers.get_list("Accept")
    if "Accept" in request.headers and not any(_covers_session_description(each) for each in accepted):
        return 406, (("Accept", ACCEPT),)
    return None


def _is_readable(request: Request) -> bool:
    """Whether the body is a session description or parts among which to look for one, none of which has to be understood."""
    kind = request.headers.get("Content-Type") or SESSION_DESCRIPTION
    if not is_multipart(kind):
        return media_type_in(kind) == SESSION_DESCRIPTION
    try:
        find_part(request.body, kind, SESSION_DESCRIPTION)
    except MandatoryPart:
        return False
    return True


def _is_optional(request: Request) -> bool:
    disposition = (request.headers.get("Content-Disposition") or "").lower()
    return "optional" in disposition.partition("handling")[2]


def _covers_session_description(media_range: str) -> bool:
    return media_range.partition(";")[0].replace(" ", "").lower() in (SESSION_DESCRIPTION, "application/*", "*/*")
