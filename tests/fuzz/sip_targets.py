"""What must hold for everything of SIP that strangers send."""

from __future__ import annotations

import contextlib
from random import Random

from voip_engine.sip.authentication.auth import DigestClient, parse_challenges
from voip_engine.sip.messages.framing import FramingError, Ping, StreamFramer
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.message import MalformedMessage, Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import MalformedUri, NameAddress, SipUri
from voip_engine.sip.messages.via import CSeq, Via

from . import seeds
from .target import Target, text_of

SIP_WORDS = (
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"SIP/2.0", b"SIP/2.0/UDP ", b"sip:", b"sips:", b"tel:", b";tag=", b";branch="),
    *(b";rport", b";lr", b"%41", b'"', b'\\"', b"<", b">", b",", b";", b"?", b"@", b"[::1]", b"INVITE", b"ACK"),
    *(b"CANCEL", b"Via: ", b"v:", b"From: ", b"To: ", b"Call-ID: ", b"CSeq: ", b"Contact: ", b"Route: "),
    *(b"Record-Route: ", b"Content-Length: ", b"l: ", b"Max-Forwards: ", b"Require: ", b"Content-Type: "),
)


def run_message(data: bytes) -> None:
    """One way to fail; what is read can be written and read again; what fails can be answered."""
    for stream in (False, True):
        try:
            message = parse_message(data, stream=stream)
        except MalformedMessage as error:
            assert error.reason
            if error.request is not None:
                answer = make_response(error.request, error.status, to_tag="t")
                assert answer.vias[0] == error.request.vias[0]
                assert answer.serialize().startswith(b"SIP/2.0 ")
            continue
        _read_all(message)
        again = parse_message(message.serialize(), stream=True)
        for name in ("Content-Length",):
            message.headers.remove(name)
            again.headers.remove(name)
        assert again == message
        parse_challenges(message.headers)


def _read_all(message: Request | Response) -> None:
    assert message.vias
    for address in (message.from_, message.to, *message.contacts, *message.record_routes):
        assert NameAddress.parse(address.serialize()) == address
    assert message.cseq.number >= 0
    assert message.call_id
    repr(message)
    if isinstance(message, Request):
        assert all(route.uri.scheme for route in message.routes)
        make_response(message, 200, to_tag="t").serialize()


def run_uri(data: bytes) -> None:
    """A URI, alone or with a name, survives writing and reading."""
    text = text_of(data)
    with contextlib.suppress(MalformedUri):
        uri = SipUri.parse(text)
        assert SipUri.parse(uri.serialize()) == uri
        assert uri.matches(uri)
        assert uri.password is None or uri.password == "" or ":" not in str(uri).partition("@")[0][5:]
    with contextlib.suppress(MalformedHeader):
        address = NameAddress.parse(text)
        assert NameAddress.parse(address.serialize()) == address
        assert NameAddress.parse(address.with_tag("t").serialize()).tag == "t"


def run_values(data: bytes) -> None:
    """Via and CSeq survive writing and reading; lists split into what they were joined from."""
    text = text_of(data)
    with contextlib.suppress(MalformedHeader):
        via = Via.parse(text)
        assert Via.parse(str(via)) == via
    with contextlib.suppress(MalformedHeader):
        cseq = CSeq.parse(text)
        assert CSeq.parse(str(cseq)) == cseq
    headers = Headers([("Contact", text)])
    members = headers.get_list("Contact")
    assert Headers([("Contact", ", ".join(members))]).get_list("Contact") == members


def run_framing(data: bytes) -> None:
    """A stream cut anywhere gives the same messages as in one piece."""
    cut, stream = (data[0], data[1:]) if data else (0, b"")
    size = cut % 61 + 1
    whole = _framed([stream])
    assert _framed([stream[start : start + size] for start in range(0, len(stream), size)]) == whole
    for item in whole:
        if isinstance(item, bytes):
            with contextlib.suppress(MalformedMessage):
                parse_message(item, stream=True)


def _framed(pieces: list[bytes]) -> list[bytes | Ping | str]:
    framer = StreamFramer()
    items: list[bytes | Ping | str] = []
    try:
        for piece in pieces:
            items.extend(framer.receive(piece))
    except FramingError as error:
        items.append(f"{error.status} {error.reason}")
    return items


def run_digest(data: bytes) -> None:
    """Any challenge is answered or passed over, and the answer is a header that can be sent."""
    text = text_of(data)
    headers = Headers([("WWW-Authenticate", text), ("Proxy-Authenticate", text)])
    challenges = parse_challenges(headers)
    client = DigestClient("user", "never shown", Random(1))
    may = client.may_retry(challenges)
    answers = client.authorize("INVITE", "sip:user@example.com", b"body", challenges)
    assert may == bool(answers)
    for name, value in answers:
        assert "never shown" not in value
        assert Headers([(name, value)]).get(name) == value
    client.accepted()


SIP_TARGETS = {
    "message": Target(run_message, (*seeds.MESSAGES, *seeds.TORTURE), SIP_WORDS),
    "uri": Target(
        run_uri,
        (
            b"sip:alice%40home:secret@[2001:db8::9:1]:5070;user=phone;lr?subject=project%20x&priority=urgent",
            b'"Bob \\"B\\", junior" <sips:bob@example.com;transport=tls>;tag=a6c85cf;expires=60',
            b"tel:+1-201-555-0123;phone-context=example.com",
            b"Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8",
            b"sip:bob@example.com;tag=1",
        ),
        SIP_WORDS,
        1024,
    ),
    "values": Target(
        run_values,
        (
            b"SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1",
            b"SIP / 2.0 / TCP [2001:db8::9:1] : 5070 ; branch = z9hG4bK ; rport",
            b"4711 INVITE",
            b'"a, b" <sip:a,b@c>;q=0.7, <sip:d@e>, ,"',
        ),
        SIP_WORDS,
        1024,
    ),
    "framing": Target(
        run_framing,
        (
            b"\x07\r\n\r\n" + seeds.INVITE + b"\r\n\r\n" + seeds.BYE + b"\r\n",
            b"\x01BYE sip:a@b SIP/2.0\r\nContent-Length:\r\n  3\r\n\r\nabcl",
        ),
        SIP_WORDS,
    ),
    "digest": Target(
        run_digest, seeds.CHALLENGES, (b"realm=", b"nonce=", b"qop=", b"algorithm=", b"Digest ", b"-sess")
    ),
}
