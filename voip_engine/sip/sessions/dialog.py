"""A dialog: what both ends know of each other, and how requests within it are built (RFC 3261 §12)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voip_engine.sip.flow import Flow, NextHop, Transport
from voip_engine.sip.messages.message import Headers, Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.sessions.reachability import return_hop

_TRANSPORTS: Mapping[str, Transport] = {"udp": "UDP", "tcp": "TCP", "tls": "TLS"}

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""


class Sequence:
    """Counts the requests one side sends under a Call-ID (RFC 3261 §8.1.1.5)."""

    __slots__ = ("number",)

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def next(self) -> int:
        """Return the next number."""
        self.number += 1
        return self.number


@dataclass(slots=True)
class Dialog:
    """One dialog, seen from our end. `transport` is used where a URI names none."""

    call_id: str
    local: NameAddress
    remote: NameAddress
    remote_target: SipUri
    route_set: tuple[NameAddress, ...]
    transport: Transport
    local_sequence: Sequence
    remote_cseq: int | None = None
    methods: frozenset[str] = frozenset()
    """What the other side says it takes (Allow); empty as long as it says nothing."""
    return_hop: NextHop | None = None
    """Where requests go in the place of a remote target that cannot be right."""

    @classmethod
    def from_response(
        cls, request: Request, response: Response, transport: Transport, local_sequence: Sequence
    ) -> Dialog:
        """Make the dialog that a response to our INVITE creates (RFC 3261 §12.1.2)."""
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            remote_target=contact_of(response) or request.uri,
            route_set=tuple(reversed(response.record_routes)),
            transport=transport,
            local_sequence=local_sequence,
        )

    @classmethod
    def from_request(cls, request: Request, local_tag: str, transport: Transport, local_sequence: Sequence) -> Dialog:
        """Make the dialog that our response to their INVITE creates (RFC 3261 §12.1.1)."""
        return cls(
            call_id=request.call_id,
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            remote_target=contact_of(request) or strip_for_request(request.from_.uri),
            route_set=tuple(request.record_routes),
            transport=transport,
            local_sequence=local_sequence,
            remote_cseq=request.cseq.number,
        )

    @property
    def id(self) -> DialogId:
        """What requests within the dialog are found by. A peer of RFC 2543 may have no tag (§12.1.1)."""
        return (self.call_id, self.local.tag or "", self.remote.tag or "")

    def take_cseq(self, number: int) -> bool:
        """Note the number of their request; False when it came out of order (RFC 3261 §12.2.2)."""
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: Request | Response) -> None:
        """Follow the Contact of a target refresh request or of its 2xx (RFC 3261 §12.2)."""
        self.remote_target = contact_of(message) or self.remote_target
        self.note_abilities(message)

    def note_abilities(self, message: Request | Response) -> None:
        """Note which methods the other side takes, if a message says so."""
        if "Allow" in message.headers:
            self.methods = frozenset(message.headers.get_list("Allow"))

    def heard_from(self, message: Request | Response, flow: Flow) -> None:
        """Note where the message that named the remote target came from, in case it stands behind NAT."""
        if message.contacts:
            self.return_hop = return_hop(message, flow)

    def build(self, method: str, cseq: int | None = None) -> Request:
        """Build a request without a Via (RFC 3261 §12.2.1.1). An ACK has the `cseq` of its INVITE."""
        uri, routes = self.remote_target, list(self.route_set)
        if routes and not routes[0].uri.has_parameter("lr"):
            # A strict router wants to stand in the Request-URI itself; the true target travels at the end.
            uri = strip_for_request(routes[0].uri)
            routes = [*routes[1:], NameAddress("", self.remote_target)]
        headers = Headers([("Max-Forwards", "70")])
        for route in routes:
            headers.add("Route", route.serialize())
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self.local_sequence.next() if cseq is None else cseq} {method}")
        return Request(method, uri, headers)

    @property
    def next_hop(self) -> NextHop:
        """Where requests within the dialog go: the first route, strict or loose, else the remote target, if that can be."""
        if not self.route_set and self.return_hop is not None:
            return self.return_hop
        return next_hop_of(self.route_set[0].uri if self.route_set else self.remote_target, self.transport)


def next_hop_of(uri: SipUri, transport: Transport) -> NextHop:
    """Return where a request to `uri` goes, before look-ups (RFC 3263 §4); `transport` if the URI names none."""
    return NextHop(transport_of(uri) or transport, uri.parameter("maddr") or uri.host, uri.port or 0)


def transport_of(uri: SipUri) -> Transport | None:
    """Return the transport that a URI names, None for none or one we do not speak; sips goes over TLS (RFC 5630 §3.1)."""
    if uri.scheme == "sips":
        return "TLS"
    return _TRANSPORTS.get((uri.parameter("transport") or "").lower())


def strip_for_request(uri: SipUri) -> SipUri:
    """Drop what must not stand in a Request-URI (RFC 3261 §12.2.1.1, §19.1.1)."""
    return uri.without_headers().without_parameter("method").without_parameter("ttl")


def contact_of(message: Request | Response) -> SipUri | None:
    """Return the first Contact if it is one requests can be sent to."""
    uri = next((contact.uri for contact in message.contacts), None)
    return strip_for_request(uri) if uri is not None and uri.scheme in ("sip", "sips") else None
