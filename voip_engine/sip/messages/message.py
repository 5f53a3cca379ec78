"""SIP requests and responses: from bytes to values and back (RFC 3261 §7).

```
INVITE sip:bob@example.com SIP/2.0      start line   → Request.method, .uri      (or Response.status, .reason)
Via: SIP/2.0/UDP …                      header lines → Headers
                                        empty line
v=0 …                                   body         → bytes
```
What `parse_message` lets through has sound Via, From, To, Call-ID, CSeq, Contact, Route and Record-Route headers:
the properties here don't raise on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from voip_engine.sip.messages.grammar import (
    MalformedHeader,
    is_token,
    parse_number,
)
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.reasons import REASONS
from voip_engine.sip.messages.typed_headers import (
    TypedHeader,
    mend_vias,
    read_call_id,
    read_contacts,
    read_cseq,
    read_from,
    read_record_routes,
    read_routes,
    read_to,
    read_vias,
)
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.messages.via import CSeq, Via

__all__ = [
    "REASONS",
    "CSeq",
    "Headers",
    "MalformedHeader",
    "MalformedMessage",
    "Request",
    "Response",
    "Via",
    "make_response",
    "parse_message",
]

_CONTENT_LENGTH_LIMIT = 2**32 - 1
_FOLD = re.compile(r"\r\n[ \t]+")
_BARE_LINE_BREAK = re.compile(r"[\r\n]")
_STATUS = re.compile(r"[1-6][0-9]{2}")
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)
_SINGLE = frozenset({"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"})
_UNREADABLE_URI = SipUri("sip", None, "invalid.invalid")
_DIALOG_METHODS = ("INVITE", "SUBSCRIBE", "REFER")
_SCHEMES = ("sip", "sips", "tel")


class MalformedMessage(ValueError):
    """Bytes that are not a sound SIP message.

    `status` is the answer RFC 3261 wants, `reason` says what is wrong in plain words. `request` holds what could be
    read, so that `make_response` works on it; None when nothing may be answered (a response, an ACK, no usable Via).
    """

    def __init__(self, status: int, reason: str, request: Request | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.request = request


_IDENTIFYING = frozenset({"Via", "Route", "From", "To", "Call-ID", "CSeq", "Authorization", "Proxy-Authorization"})


@dataclass(slots=True)
class Request:
    """A SIP request."""

    method: str
    uri: SipUri
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    call_id = TypedHeader("Call-ID", read_call_id)
    cseq = TypedHeader("CSeq", read_cseq)
    from_ = TypedHeader("From", read_from)
    to = TypedHeader("To", read_to)
    vias = TypedHeader("Via", read_vias)
    """The latest hop first, at least one."""
    contacts = TypedHeader("Contact", read_contacts)
    """None for `Contact: *`."""
    routes = TypedHeader("Route", read_routes)
    record_routes = TypedHeader("Record-Route", read_record_routes)
    """In message order."""

    def serialize(self) -> bytes:
        """Write the request, with the Content-Length that the body has."""
        return _serialize(f"{self.method} {self.uri.serialize()} SIP/2.0", self.headers, self.body)

    def essence(self) -> Request:
        """A copy with no more than a late answer, an ACK or a CANCEL is made of."""
        kept = ((name, value) for name, value in self.headers.items() if name in _IDENTIFYING)
        return Request(self.method, self.uri, Headers(kept))


@dataclass(slots=True)
class Response:
    """A SIP response."""

    status: int
    reason: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    call_id = TypedHeader("Call-ID", read_call_id)
    cseq = TypedHeader("CSeq", read_cseq)
    from_ = TypedHeader("From", read_from)
    to = TypedHeader("To", read_to)
    vias = TypedHeader("Via", read_vias)
    """Ours first, at least one."""
    contacts = TypedHeader("Contact", read_contacts)
    """None for `Contact: *`."""
    record_routes = TypedHeader("Record-Route", read_record_routes)
    """In message order."""

    def serialize(self) -> bytes:
        """Write the response, with the Content-Length that the body has."""
        return _serialize(f"SIP/2.0 {self.status} {self.reason}", self.headers, self.body)


def parse_message(data: bytes, *, stream: bool = False) -> Request | Response:
    """Parse one datagram, or with `stream` one message that framing cut out (RFC 3261 §7, §18.3).

    Octets after Content-Length are dropped; a datagram without one ends where it ends. Text that is not UTF-8 is
    read as Latin-1, as older exchanges write it. Raises MalformedMessage.
    """
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    start, _, header_text = text.partition("\r\n")
    if start[:4].upper() == "SIP/":
        return _parse_response(start, header_text, body, bool(blank), stream)
    return _parse_request(start, header_text, body, bool(blank), stream)


def make_response(request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None) -> Response:
    """Build the response to a request (RFC 3261 §8.2.6, §12.1.1): Via, From, To, Call-ID and CSeq as they came.

    Timestamp goes into a 100, Record-Route into what can make a dialog. `to_tag` is used if To has no tag yet and
    never in a 100. Works on the partial request of a MalformedMessage too.
    """
    headers = Headers()
    dialog = request.method in _DIALOG_METHODS and 100 < status < 300
    for name, value in request.headers.items():
        if name in ("Via", "From", "Call-ID", "CSeq"):
            headers.add(name, value)
        elif name == "To":
            headers.add(name, value if to_tag is None or status == 100 or _has_tag(value) else f"{value};tag={to_tag}")
        elif (name == "Record-Route" and dialog) or (name == "Timestamp" and status == 100):
            headers.add(name, value)
    return Response(status, REASONS.get(status, "Unknown") if reason is None else reason, headers)


def _parse_response(start: str, header_text: str, body: bytes, complete: bool, stream: bool) -> Response:
    try:
        version, _, rest = start.partition(" ")
        status_text, _, reason = rest.partition(" ")
        if version.upper() != "SIP/2.0":
            raise MalformedHeader("the response is not SIP/2.0")
        if not _STATUS.fullmatch(status_text):
            raise MalformedHeader("the status is not a number from 100 to 699")
        headers = Headers()
        headers.read_lines(_unfolded_lines(header_text))
        response = Response(int(status_text), reason.strip(), headers)
        if _BARE_LINE_BREAK.search(start) or not complete:
            raise MalformedHeader("the header lines don't end in an empty line")
        response.body = _body(headers, body, stream)
        _check(response)
    except MalformedHeader as error:
        raise MalformedMessage(400, str(error)) from None
    return response


def _parse_request(start: str, header_text: str, body: bytes, complete: bool, stream: bool) -> Request:
    parts = start.split(" ")
    # Whatever the start line is: what the answer needs comes from the headers.
    request = Request(parts[0], _UNREADABLE_URI)
    status = 400
    try:
        request.headers.read_lines(_unfolded_lines(header_text))
        if len(parts) != 3 or not is_token(parts[0]):
            raise MalformedHeader("the start line is not a method, a URI and SIP/2.0 with single spaces")
        if parts[2] != "SIP/2.0" and parts[2].upper() != "SIP/2.0":
            if _VERSION.fullmatch(parts[2]):
                status = 505
                raise MalformedHeader("the request is not SIP/2.0")
            raise MalformedHeader("the start line does not end in SIP/2.0")
        request.uri = SipUri.parse(parts[1])
        if request.uri.scheme not in _SCHEMES:
            status = 416
            raise MalformedHeader("the Request-URI is neither sip, sips nor tel")
        if request.uri.headers:
            raise MalformedHeader("the Request-URI holds headers")
        if not complete:
            raise MalformedHeader("the header lines don't end in an empty line")
        request.body = _body(request.headers, body, stream)
        _check(request)
        if request.cseq.method != request.method:
            raise MalformedHeader("CSeq names another method than the start line")
        max_forwards = request.headers.get("Max-Forwards")
        if max_forwards is not None:
            parse_number(max_forwards, 255, "Max-Forwards")
        request.headers.parsed("Route", read_routes)
    except MalformedHeader as error:
        raise MalformedMessage(status, str(error), _answerable(request)) from None
    return request


def _unfolded_lines(text: str) -> list[str]:
    """Header lines, continuation lines joined to theirs (RFC 3261 §7.3.1). Raises MalformedHeader."""
    if not text:
        return []
    if text[0] in " \t":
        raise MalformedHeader("a continuation follows the start line")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        # A bare CR or LF could pass for the end of a line at the next hop.
        raise MalformedHeader("a line does not end in CR and LF")
    return lines


def _body(headers: Headers, body: bytes, stream: bool) -> bytes:
    """Cut the body to its Content-Length (RFC 3261 §18.3, §20.14). Raises MalformedHeader."""
    for name in headers.repeated(_SINGLE):
        raise MalformedHeader(f"{name} is there more than once")
    length_text = headers.get("Content-Length")
    if length_text is None:
        if stream:
            raise MalformedHeader("Content-Length is missing")
        return body
    length = parse_number(length_text, _CONTENT_LENGTH_LIMIT, "Content-Length")
    if length > len(body):
        raise MalformedHeader("the body is shorter than Content-Length says")
    return body if length == len(body) else body[:length]


def _check(message: Request | Response) -> None:
    """Parse what every message must have (RFC 3261 §8.1.1). Raises MalformedHeader."""
    headers = message.headers
    if not message.call_id:
        raise MalformedHeader("Call-ID is empty")
    headers.parsed("Via", read_vias)
    headers.parsed("From", read_from)
    headers.parsed("To", read_to)
    headers.parsed("CSeq", read_cseq)
    headers.parsed("Contact", read_contacts)
    headers.parsed("Record-Route", read_record_routes)


def _answerable(request: Request) -> Request | None:
    """Bring the request into a shape that an error response can be built from; None if there is none."""
    if request.method == "ACK" or not mend_vias(request.headers):
        return None
    for name in request.headers.repeated(_SINGLE):
        request.headers.set(name, request.headers.get_all(name)[0])
    return request


def _has_tag(to: str) -> bool:
    try:
        return NameAddress.parse(to).tag is not None
    except MalformedHeader:
        return True


def _serialize(start: str, headers: Headers, body: bytes) -> bytes:
    lines = [start]
    length = f"Content-Length: {len(body)}"
    for name, value in headers.items():
        if name == "Content-Length":
            continue
        lines.append(f"{name}: {value}")
    lines.append(f"{length}\r\n\r\n")
    return "\r\n".join(lines).encode(errors="replace") + body
