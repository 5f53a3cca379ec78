"""A SIP core under test, with requests and responses of others that are written by hand."""

from __future__ import annotations

from random import Random

from support.sip_wire import OFFER

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.registrations.registration import AccountConfig

FLOW = Flow("UDP", "10.0.0.2", 5060, "10.0.0.1", 40000)
TCP_FLOW = Flow("TCP", "10.0.0.2", 5060, "10.0.0.1", 40000, 1)
CONTACT = ("Contact", "<sip:carol@10.0.0.7>")
PROXY_CHALLENGE = ("Proxy-Authenticate", 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5')


def new_core(capacity: int = 100) -> SipCore:
    return SipCore(Random(3), user_agent="test", capacity=capacity)


def request(
    method: str,
    *extra: str,
    uri: str = "sip:bob@10.0.0.2",
    via: str = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport",
    to: str = "<sip:bob@10.0.0.2>",
    call_id: str = "c",
    cseq: str = "1",
    body: bytes = b"",
) -> bytes:
    """Write a request of Alice's, who is at 10.0.0.1, to Bob, who we are."""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via}",
        "Max-Forwards: 70",
        "From: <sip:alice@10.0.0.1>;tag=a",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:alice@10.0.0.1>",
        *extra,
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def responses(effects: list[Effect]) -> list[Response]:
    """Responses that the core sends."""
    messages = [parse_message(effect.data) for effect in effects if isinstance(effect, SendOnFlow)]
    return [message for message in messages if isinstance(message, Response)]


def requests(effects: list[Effect]) -> list[Request]:
    """Requests that the core sends."""
    messages = [parse_message(effect.data) for effect in effects if isinstance(effect, SendRequest)]
    return [message for message in messages if isinstance(message, Request)]


def answer_to(data: bytes, core: SipCore | None = None, flow: Flow = FLOW) -> Response:
    """Return the one response to a request."""
    [response] = responses((core or new_core()).receive(data, flow, 0.0))
    return response


def account(name: str = "sip:alice@pbx.example", *, password: str | None = "secret") -> AccountConfig:
    aor = SipUri.parse(name)
    user = aor.user or ""
    return AccountConfig(name, aor, user, user, password, "", NextHop("UDP", "pbx.example", 0), 300, True)


def place(core: SipCore, name: str | None = None) -> tuple[str, Request]:
    """Call Carol by way of 10.0.0.9; returns the session and the INVITE."""
    session, effects = core.invite(
        target=SipUri.parse("sip:carol@pbx.example"),
        next_hop=NextHop("UDP", "10.0.0.9", 5060),
        local=LocalAddress("UDP", "10.0.0.2", 5060),
        account=name,
        caller=NameAddress("", SipUri.parse("sip:alice@pbx.example")),
        offer=OFFER,
        now=0.0,
    )
    [invite] = requests(effects)
    return session, invite


def respond(
    core: SipCore, to: Request, status: int, *headers: tuple[str, str], tag: str = "t", body: bytes = b""
) -> list[Effect]:
    """Let 10.0.0.9 answer a request of the core's."""
    response = make_response(to, status, to_tag=tag)
    for name, value in headers:
        response.headers.add(name, value)
    if body:
        response.headers.add("Content-Type", "application/sdp")
        response.body = body
    return core.receive(response.serialize(), Flow("UDP", "10.0.0.2", 5060, "10.0.0.9", 5060), 0.1)
