"""What all parts of the SIP core share: randomness, timers, transactions, and the effects that wait to go out."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from voip_engine.hosts import is_unspecified
from voip_engine.sip.effects import Effect, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.messages.message import Headers, Request, Response, Via, make_response
from voip_engine.sip.messages.multipart import MULTIPART, MandatoryPart, find_part, is_multipart, media_type_in
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.timers import Timers
from voip_engine.sip.transactions.transaction_layer import MAGIC_COOKIE, ServerTransaction, TransactionLayer

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY, INFO"
SUPPORTED = "100rel, timer, replaces, norefersub"
"""The extensions that others may require of us, and that we say we have."""
WITHOUT_TCP_S = 300.0
"""How long a server is asked for no TCP that took none: its owner may have opened that by then."""
SESSION_DESCRIPTION = "application/sdp"
ACCEPT = f"{SESSION_DESCRIPTION}, {MULTIPART}"


class Endpoint:
    """The common ground of sessions and registrations."""

    def __init__(self, random: Random, *, user_agent: str, capacity: int) -> None:
        self.random = random
        self.user_agent = user_agent
        self.timers = Timers()
        self.trusts: Callable[[Flow, float], bool] = lambda flow, now: False
        """Whether what comes this way may say who somebody is (RFC 3325 §5)."""
        self.session_timer_s = 0
        """How often calls are to be confirmed (RFC 4028); 0 asks for no such thing."""
        self.without_tcp: dict[tuple[str, int], float] = {}
        """Until when hosts and ports that took a long request over UDP only are asked no better."""
        self._addresses: list[LocalAddress] = []
        self._effects: list[Effect] = []
        self.transactions = TransactionLayer(self.timers, self.emit, capacity=capacity)

    def emit(self, effect: Effect) -> None:
        """Put an effect in line."""
        self._effects.append(effect)

    def take_effects(self) -> list[Effect]:
        """Return what is in line, and start a new one."""
        effects, self._effects = self._effects, []
        return effects

    def token(self) -> str:
        """Return 64 random bits as text: a tag or a Call-ID (RFC 3261 §19.3 wants 32)."""
        return f"{self.random.getrandbits(64):016x}"

    # ---- requests of ours ----

    def note_address(self, local: LocalAddress) -> None:
        """Remember where we listen, so that Via and Contact can name it."""
        if local not in self._addresses:
            self._addresses.append(local)

    def note_sending_address(self, local: LocalAddress) -> None:
        """Remember what requests are sent from. Over TLS that may be a connection, to which nobody else can connect."""
        if local.transport != "TLS":
            self.note_address(local)

    def listening_address(self, transport: Transport, host: str, port: int) -> LocalAddress:
        """Return where a peer that sees us at `host:port` reaches us.

        A connection we opened ourselves has a port of its own that nobody listens on.
        """
        there = [a for a in self._addresses if a.transport == transport and (a.host == host or is_unspecified(a.host))]
        ports = [a.port for a in there]
        return LocalAddress(transport, host, port if port in ports or not ports else ports[0])

    def note_without_tcp(self, hop: NextHop, now: float) -> None:
        """Remember for a while a server that takes no TCP; of 256 all are forgotten."""
        if len(self.without_tcp) >= 256:
            self.without_tcp.clear()
        self.without_tcp[hop.host, hop.port] = now + WITHOUT_TCP_S

    def address(self, request: Request, next_hop: NextHop, local: LocalAddress) -> None:
        """Give a request its Via with a fresh branch, asking for `rport` (RFC 3581 §3), and our name."""
        request.headers.remove("Via")
        if next_hop.transport != local.transport:
            local = self.listening_address(next_hop.transport, local.host, local.port)
        via = Via(local.transport, local.host, local.port)
        via = via.with_parameter("branch", MAGIC_COOKIE + self.token()).with_parameter("rport")
        request.headers.insert_first("Via", str(via))
        request.headers.set("User-Agent", self.user_agent)

    def send_ack(self, ack: Request, next_hop: NextHop, local: LocalAddress) -> SendRequest:
        """Send the ACK for a 2xx, which belongs to no transaction; returns the effect so that it can be repeated."""
        self.address(ack, next_hop, local)
        effect = SendRequest(ack.serialize(), next_hop, "")
        self.emit(effect)
        return effect

    # ---- responses of ours ----

    def response(
        self, request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None
    ) -> Response:
        """Build a response with the headers that the status asks for."""
        response = make_response(request, status, reason, to_tag=to_tag)
        if status != 100:
            response.headers.add("Server", self.user_agent)
        if status == 405 or (request.method in ("INVITE", "OPTIONS") and 200 <= status < 300):
            response.headers.add("Allow", ALLOW)
        if request.method in ("INVITE", "OPTIONS") and 200 <= status < 300:
            response.headers.add("Supported", SUPPORTED)
        return response

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        to_tag: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a request without a body."""
        response = self.response(transaction.request, status, to_tag=to_tag or self.token())
        for name, value in headers:
            response.headers.add(name, value)
        self.transactions.respond(transaction, response, now)


def contact_uri(user: str, local: LocalAddress, *, secure: bool = False) -> SipUri:
    """Return where requests to `user` reach us, `secure` for those that a sips URI led to (RFC 3261 §8.1.1.8)."""
    if secure:
        return SipUri("sips", user or None, local.host, local.port)
    uri = SipUri("sip", user or None, local.host, local.port)
    return uri if local.transport == "UDP" else uri.with_parameter("transport", local.transport.lower())


def contact_header(user: str, local: LocalAddress, *, secure: bool = False) -> str:
    """Return our Contact (see `contact_uri`)."""
    return f"<{contact_uri(user, local, secure=secure)}>"


def session_body(message: Request | Response) -> bytes | None:
    """Return the session description a message carries, or None."""
    if not message.body:
        return None
    kind = message.headers.get("Content-Type") or SESSION_DESCRIPTION
    if is_multipart(kind):
        try:
            return find_part(message.body, kind, SESSION_DESCRIPTION)
        except MandatoryPart:
            return None
    return message.body if media_type_in(kind) == SESSION_DESCRIPTION else None


def media_type_of(headers: Headers) -> str:
    """Return the body's type without parameters, in lower case; a body without a type is taken for SDP."""
    return media_type_in(headers.get("Content-Type") or SESSION_DESCRIPTION)
