"""What holds for every SIP message: one way to fail, writing and reading undo each other, and time is linear."""

from __future__ import annotations

import itertools
import string
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voip_engine.sip.authentication.auth import parse_challenges
from voip_engine.sip.messages.framing import FramingError, Ping, StreamFramer
from voip_engine.sip.messages.message import (
    CSeq,
    Headers,
    MalformedHeader,
    MalformedMessage,
    Request,
    Response,
    Via,
    make_response,
    parse_message,
)
from voip_engine.sip.messages.uri import MalformedUri, NameAddress, SipUri

VECTORS = sorted((Path(__file__).parents[1] / "vectors" / "rfc4475").glob("*.dat"))
MESSAGES = [path.read_bytes() for path in VECTORS]

TOKEN = string.ascii_letters + string.digits + "-.!%*_+`'~"
tokens = st.text(TOKEN, min_size=1, max_size=20)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=30)
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
hosts = st.one_of(
    st.text(string.ascii_letters + string.digits + "-.", min_size=1, max_size=30),
    st.ip_addresses().map(str),
)
ports = st.none() | st.integers(1, 65535)
uri_parameters = st.lists(st.tuples(any_text, st.none() | any_text), max_size=4).map(tuple)
uris = st.builds(
    SipUri,
    scheme=st.sampled_from(["sip", "sips"]),
    user=st.none() | any_text,
    host=hosts,
    port=ports,
    parameters=uri_parameters,
    headers=st.lists(st.tuples(any_text, texts), max_size=3).map(tuple),
).flatmap(lambda uri: _with_password(uri))
header_parameters = st.lists(st.tuples(tokens, st.none() | texts), max_size=4).map(tuple)
name_addresses = st.builds(NameAddress, display_name=texts, uri=uris, parameters=header_parameters)
vias = st.builds(
    Via, transport=tokens.map(str.upper), host=hosts, port=ports, parameters=header_parameters, version=st.just("2.0")
)


def _with_password(uri: SipUri) -> st.SearchStrategy[SipUri]:
    if uri.user is None:
        return st.just(uri)
    return (st.none() | texts).map(
        lambda password: SipUri(uri.scheme, uri.user, uri.host, uri.port, uri.parameters, uri.headers, password)
    )


@given(uris)
@settings(deadline=None)
def test_uris_survive_writing_and_reading(uri: SipUri) -> None:
    assert SipUri.parse(uri.serialize()) == uri
    assert uri.matches(uri)


@given(name_addresses)
@settings(deadline=None)
def test_name_addresses_survive_writing_and_reading(address: NameAddress) -> None:
    assert NameAddress.parse(address.serialize()) == address


@given(st.lists(name_addresses, max_size=4))
@settings(deadline=None)
def test_lists_survive_joining_and_splitting(addresses: list[NameAddress]) -> None:
    headers = Headers([("Contact", ", ".join(address.serialize() for address in addresses))])
    assert [NameAddress.parse(text) for text in headers.get_list("Contact")] == addresses


@given(vias)
@settings(deadline=None)
def test_vias_survive_writing_and_reading(via: Via) -> None:
    assert Via.parse(str(via)) == via


@given(
    method=tokens,
    uri=uris,
    hops=st.lists(vias, min_size=1, max_size=3),
    caller=name_addresses,
    called=name_addresses,
    number=st.integers(0, 2**31 - 1),
    more=st.lists(st.tuples(tokens.map(lambda name: f"X-{name}"), texts.map(str.strip)), max_size=5),
    body=st.binary(max_size=100),
)
@settings(deadline=None)
def test_requests_survive_writing_and_reading(
    method: str,
    uri: SipUri,
    hops: list[Via],
    caller: NameAddress,
    called: NameAddress,
    number: int,
    more: list[tuple[str, str]],
    body: bytes,
) -> None:
    headers = Headers([("Via", str(via)) for via in hops])
    headers.add("From", caller.serialize())
    headers.add("To", called.serialize())
    headers.add("Call-ID", "x")
    headers.add("CSeq", str(CSeq(number, method)))
    for name, value in more:
        headers.add(name, value)
    headers.add("Content-Length", str(len(body)))
    request = Request(method, uri.without_headers(), headers, body)
    for stream in (False, True):
        again = parse_message(request.serialize(), stream=stream)
        assert again == request
        assert isinstance(again, Request)
        assert (list(again.vias), again.from_, again.to, again.cseq) == (hops, caller, called, CSeq(number, method))
    response = parse_message(make_response(request, 200, to_tag="t").serialize())
    assert isinstance(response, Response)
    assert list(response.vias) == hops
    assert response.to.tag == (called.tag if called.has_parameter("tag") else "t")


fragments = st.sampled_from(
    [*'<>"\\;,:=@?&%[]() \t/', "\r\n", "\r", "\n", "\0", "SIP/2.0", "sip:", "a", "9", "%41", "tag", "Via", "é", "\xff"]
)
soups = st.lists(fragments, max_size=40).map("".join) | st.text(max_size=60)


@given(soups)
@settings(max_examples=400, deadline=None)
def test_value_parsers_fail_in_one_way(text: str) -> None:
    for parse, failure in (
        (SipUri.parse, MalformedUri),
        (NameAddress.parse, MalformedHeader),
        (Via.parse, MalformedHeader),
        (CSeq.parse, MalformedHeader),
    ):
        _parse_or_fail(parse, failure, text)
    value = text.replace("\r", "").replace("\n", "")
    parse_challenges(Headers([("WWW-Authenticate", f"Digest {value}"), ("Proxy-Authenticate", value)]))


def _parse_or_fail(parse: Callable[[str], object], failure: type[Exception], text: str) -> None:
    try:
        parsed = parse(text)
    except failure as error:
        assert str(error)
    else:
        assert str(parsed) is not None


mutations = st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8) | soups.map(str.encode))


@given(st.sampled_from(MESSAGES), st.lists(mutations, max_size=4), st.booleans())
@settings(max_examples=400, deadline=None)
def test_damaged_messages_fail_in_one_way_and_can_be_answered(
    data: bytes, damage: list[tuple[float, int, bytes]], stream: bool
) -> None:
    for place, removed, added in damage:
        start = int(place * len(data))
        data = data[:start] + added + data[start + removed :]
    try:
        message = parse_message(data, stream=stream)
    except MalformedMessage as error:
        assert error.reason
        if error.request is None:
            return
        answer = make_response(error.request, error.status, to_tag="t")
        assert answer.vias[0] == error.request.vias[0]
        assert answer.serialize().startswith(b"SIP/2.0 ")
    else:
        message.headers.set("Content-Length", str(len(message.body)))
        assert parse_message(message.serialize()) == _moved_last(message)
        _ = (message.vias, message.from_, message.to, message.cseq, message.call_id, message.contacts)


def _moved_last(message: Request | Response) -> Request | Response:
    """The message with its Content-Length where writing puts it."""
    length = message.headers.get("Content-Length", "")
    message.headers.remove("Content-Length")
    message.headers.add("Content-Length", length or "")
    return message


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_noise_fails_in_one_way(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(data)


def framed(pieces: list[bytes]) -> list[bytes | Ping | str]:
    framer = StreamFramer()
    items: list[bytes | Ping | str] = []
    try:
        for piece in pieces:
            for item in framer.receive(piece):
                items.append(item)
    except FramingError as error:
        items.append(f"{error.status} {error.reason} {error.head!r}")
    return items


parts = st.sampled_from(
    [
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nl\t: 0\r\n\r\n",
        b"BYE sip:a@b SIP/2.0\r\nContent-Length:\r\n  3\r\n\r\nabc",
        b"BYE sip:a@b SIP/2.0\r\nContent-Length: -3\r\n\r\nabc",
        b"BYE sip:a@b SIP/2.0\r\n\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b"x",
    ]
)


@given(st.lists(parts, max_size=8).map(b"".join), st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=400, deadline=None)
def test_framing_does_not_depend_on_how_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[start:end] for start, end in itertools.pairwise(edges)]
    assert framed(pieces) == framed([stream])
    assert framed([bytes([byte]) for byte in stream]) == framed([stream])


START = b"OPTIONS sip:a@b SIP/2.0\r\n"
REST = b"From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n"
VIA = b"Via: SIP/2.0/UDP a;branch=b\r\n"

# What fills a header (or all of them) to the limit; each once froze some parser.
FILLINGS = {
    "commas": (b"Via: ", b",", b"\r\n"),
    "empty parameters": (b"Via: SIP/2.0/UDP a", b";", b"\r\n"),
    "parameters": (b"Via: SIP/2.0/UDP a", b";a", b"\r\n"),
    "bad parameters": (b"Via: SIP/2.0/UDP a;=", b";a", b"\r\n"),
    "quotes": (VIA + b"Contact: ", b'"', b"\r\n"),
    "escapes": (VIA + b'Contact: "', b"\\", b"\r\n"),
    "quoted commas": (VIA + b"Contact: ", b'",",', b"\r\n"),
    "opening brackets": (VIA + b"Contact: ", b"<", b"\r\n"),
    "opening brackets and commas": (VIA + b"Contact: ", b"<,", b"\r\n"),
    "spaces": (VIA + b"Contact: x", b" ", b"x\r\n"),
    "folds": (VIA + b"Contact: x", b"\r\n ", b"\r\n"),
    "folds and spaces": (VIA + b"Contact: x", b" \r\n", b"\r\n"),
    "vias": (b"", VIA, b""),
    "bad vias": (VIA, b"v:;\r\n", b""),
    "contacts": (VIA + b"Contact: <sip:a@b>", b",<sip:a@b>", b"\r\n"),
    "from headers": (VIA, b"f:<sip:a@b>\r\n", b""),
    "lines without colon": (VIA, b"x\r\n", b""),
    "digits": (VIA + b"Content-Length: ", b"1", b"\r\n"),
    "zeros": (VIA + b"Content-Length: ", b"0", b"\r\n"),
    "percents": (VIA + b"Contact: <sip:", b"%41", b"@b>\r\n"),
    "at signs": (VIA + b"Contact: <sip:", b"@", b"b>\r\n"),
    "uri parameters": (VIA + b"Contact: <sip:a", b";a=b", b">\r\n"),
    "colons": (VIA + b"Contact: <sip:[", b":", b"]>\r\n"),
    "challenges": (VIA + b"WWW-Authenticate: ", b'Digest realm="r",nonce="n",', b"\r\n"),
}


@pytest.mark.parametrize("name", FILLINGS)
def test_no_filling_takes_more_than_linear_time(name: str) -> None:
    before, filling, after = FILLINGS[name]
    data = START + before + filling * (60_000 // len(filling)) + after + REST + b"\r\n"
    started = time.process_time()
    try:
        parse_challenges(parse_message(data).headers)
    except MalformedMessage as error:
        if error.request is not None:
            make_response(error.request, error.status, to_tag="t").serialize()
    # Linear scans need up to 0.1 s for 60 KB on a slow machine; quadratic ones need many seconds.
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("filling", [b"\r\n", b"\r", b"\n", b"x", b"\r\nx", b"l: 1\r\n"])
def test_framing_takes_linear_time_byte_by_byte(filling: bytes) -> None:
    stream = b"X" + filling * (60_000 // len(filling))
    started = time.process_time()
    framed([bytes([byte]) for byte in stream])
    assert time.process_time() - started < 2.0
