from __future__ import annotations

import pytest

from voip_engine.sip.messages.message import (
    REASONS,
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
from voip_engine.sip.messages.uri import SipUri

INVITE = (
    b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP [2001:db8::1];branch=z9hG4bKnext\r\n"
    b"v: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKlast\r\n"
    b"Max-Forwards: 70\r\n"
    b"Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n"
    b"Route: <sip:p3.example.com;lr>\r\n"
    b"t: Bob <sip:bob@biloxi.example.com>\r\n"
    b'f: "Alice, A." <sip:alice@atlanta.example.com>;tag=88sja8x\r\n'
    b"i: 987asjd97y7atg\r\n"
    b"CSeq: 0986759 INVITE\r\n"
    b'm: <sip:alice@192.0.2.1>, "Alice, too" <sip:alice@192.0.2.2>\r\n'
    b"Timestamp: 54.21\r\n"
    b"c: application/sdp\r\n"
    b"l: 4\r\n"
    b"\r\n"
    b"v=0\n"
)


def request(data: bytes = INVITE) -> Request:
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def refused(data: bytes, *, stream: bool = False) -> MalformedMessage:
    with pytest.raises(MalformedMessage) as caught:
        parse_message(data, stream=stream)
    return caught.value


def test_reads_a_request() -> None:
    invite = request()
    assert invite.method == "INVITE"
    assert invite.uri == SipUri("sip", "bob", "biloxi.example.com")
    assert invite.call_id == "987asjd97y7atg"
    assert invite.cseq == CSeq(986759, "INVITE")
    assert invite.from_.display_name == "Alice, A."
    assert invite.from_.tag == "88sja8x"
    assert invite.to.uri.user == "bob"
    assert [via.branch for via in invite.vias] == ["z9hG4bKtop", "z9hG4bKnext", "z9hG4bKlast"]
    assert invite.vias[0].has_parameter("rport")
    assert invite.vias[0].parameter("rport") is None
    assert (invite.vias[1].transport, invite.vias[1].host, invite.vias[1].port) == ("TCP", "2001:db8::1", None)
    assert [contact.uri.host for contact in invite.contacts] == ["192.0.2.1", "192.0.2.2"]
    assert [route.uri.host for route in invite.routes] == ["p3.example.com"]
    assert [route.uri.host for route in invite.record_routes] == ["p1.example.com", "p2.example.com"]
    assert invite.body == b"v=0\n"


def test_reads_a_response() -> None:
    response = parse_message(
        b"SIP/2.0 183 Session  Progress\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: *\r\n\r\nbody to the end"
    )
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (183, "Session  Progress")
    assert response.vias == (Via("UDP", "h", None, (("branch", "b"),)),)
    assert response.contacts == ()
    assert response.record_routes == ()
    assert response.to.tag == "2"
    assert response.cseq == CSeq(1, "INVITE")
    assert response.body == b"body to the end"


def test_writes_what_it_read() -> None:
    again = request(request().serialize())
    assert again == request()
    assert b"Content-Length: 4\r\n\r\nv=0\n" in request().serialize()


def test_content_length_follows_the_body() -> None:
    invite = request()
    invite.body = b"longer body"
    assert invite.serialize().count(b"Content-Length") == 1
    assert request(invite.serialize()).body == b"longer body"


def test_properties_follow_the_headers() -> None:
    invite = request()
    assert invite.cseq.number == 986759
    invite.headers.set("CSeq", "2 INVITE")
    invite.headers.insert_first("Via", "SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKnew")
    assert invite.cseq.number == 2
    assert invite.vias[0].branch == "z9hG4bKnew"
    assert len(invite.vias) == 4
    invite.headers.remove_first("Via")
    assert invite.vias[0].branch == "z9hG4bKtop"
    invite.headers.remove_first("Via")
    assert invite.vias[0].branch == "z9hG4bKnext"
    invite.headers.remove("Via")
    with pytest.raises(MalformedHeader):
        _ = invite.vias[0]


def test_a_copy_of_the_headers_is_its_own() -> None:
    invite = request()
    copy = invite.headers.copy()
    copy.set("CSeq", "7 INVITE")
    copy.remove("Via")
    assert invite.cseq.number == 986759
    assert len(invite.vias) == 3


def test_headers_keep_order_and_ignore_case() -> None:
    headers = Headers([("X-One", "1"), ("v", "a"), ("x-one", "2"), ("VIA", "b, c")])
    assert list(headers.items()) == [("X-One", "1"), ("Via", "a"), ("x-one", "2"), ("Via", "b, c")]
    assert headers.get("x-ONE") == "1"
    assert headers.get("Nothing") is None
    assert headers.get("Nothing", "else") == "else"
    assert headers.get_all("via") == ["a", "b, c"]
    assert headers.get_list("V") == ["a", "b", "c"]
    assert "X-ONE" in headers
    assert "X-Two" not in headers
    headers.set("x-one", "3")
    assert list(headers.items()) == [("x-one", "3"), ("Via", "a"), ("Via", "b, c")]
    headers.remove_first("Via")
    headers.remove_first("Via")
    assert headers.get_list("Via") == ["c"]
    headers.set("New", "4")
    headers.remove("via")
    assert len(headers) == 2
    assert headers != Headers()
    assert headers == Headers([("X-ONE", "3"), ("new", "4")])


def test_lists_are_split_outside_quotes_and_brackets() -> None:
    headers = Headers([("Contact", '"a, \\"b" <sip:x@y,z>;q="1,2" ,, <sip:b@c>'), ("Contact", '"open, <x')])
    assert headers.get_list("Contact") == ['"a, \\"b" <sip:x@y,z>;q="1,2"', "<sip:b@c>", '"open, <x']


@pytest.mark.parametrize("value", ["a\r\nVia: b", "a\nb", "a\rb"])
def test_no_header_can_be_forged_through_a_value(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Headers().add("Subject", value)
    with pytest.raises(ValueError, match="line break"):
        Headers([("Subject", value)])


def test_a_headers_repr_shows_no_values() -> None:
    headers = Headers([("Authorization", "Digest secret")])
    assert "secret" not in repr(headers)


def test_text_that_is_not_utf8_is_read_as_latin1() -> None:
    invite = request(INVITE.replace(b'"Alice, A."', b'"J\xfcrgen"'))
    assert invite.from_.display_name == "Jürgen"
    assert request(INVITE.replace(b'"Alice, A."', '"Jürgen"'.encode())).from_.display_name == "Jürgen"


def test_line_breaks_before_a_message_are_skipped() -> None:
    assert request(b"\r\n\r\n" + INVITE) == request()


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE sip:bob@biloxi.example.com", 400),
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE sip:bob@biloxi.example.com SIP/2.0 ", 400),
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE sip:bob@biloxi.example.com HTTP/1.1", 400),
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE sip:bob@biloxi.example.com SIP/3.1", 505),
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE mailto:bob@biloxi.example.com SIP/2.0", 416),
        (b"INVITE sip:bob@biloxi.example.com SIP/2.0", b"INVITE bob SIP/2.0", 400),
        (b"INVITE sip", b"INV(TE sip", 400),
        (b"0986759 INVITE", b"0986759 BYE", 400),
        (b"0986759 INVITE", b"2147483648 INVITE", 400),
        (b"0986759 INVITE", b"-1 INVITE", 400),
        (b"0986759 INVITE", b"1", 400),
        (b"CSeq: 0986759 INVITE\r\n", b"", 400),
        (b"i: 987asjd97y7atg\r\n", b"", 400),
        (b"i: 987asjd97y7atg\r\n", b"i:\r\n", 400),
        (b"i: 987asjd97y7atg\r\n", b"i: a\r\nCALL-ID: a\r\n", 400),
        (b"t: Bob <sip:bob@biloxi.example.com>\r\n", b"", 400),
        (b"t: Bob <sip:bob@biloxi.example.com>\r\n", b"t: Bob <bob>\r\n", 400),
        (b"f: ", b"x: ", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", 400),
        (b"Max-Forwards: 70", b"Max-Forwards: many", 400),
        (b"l: 4", b"l: 5", 400),
        (b"l: 4", b"l: -4", 400),
        (b"l: 4", b"l: 4, 4", 400),
        (b"l: 4", b"l: " + b"4" * 10_000, 400),
        (b"l: 4", b"l: 4\r\nl: 4", 400),
        (b"m: <sip:alice@192.0.2.1>,", b"m: sip:alice@192.0.2.1?a=b,", 400),
        (b"Route: <sip:p3.example.com;lr>", b"Route: <p3>", 400),
        (b"Record-Route: <sip:p1.example.com;lr>,", b"Record-Route: nonsense,", 400),
        (b"Record-Route: <sip:p1.example.com;lr>,", b"Record-Route: <tel:+4930123>,", 400),
        (b"Timestamp: 54.21", b"Timestamp 54.21", 400),
        (b"Timestamp: 54.21", b"Time(stamp: 54.21", 400),
        (b"Timestamp: 54.21", b"Timestamp: 54.21;branch=b", 0),
    ],
)
def test_what_is_malformed_can_be_answered(old: bytes, new: bytes, status: int) -> None:
    data = INVITE.replace(old, new, 1)
    assert data != INVITE
    if status == 0:
        request(data)
        return
    error = refused(data)
    assert error.status == status
    assert error.request is not None
    answer = make_response(error.request, error.status, to_tag="ours")
    assert answer.headers.get_list("Via") == request().headers.get_list("Via")
    assert parse_or_none(answer.serialize()) in (status, None)


def parse_or_none(data: bytes) -> int | None:
    """Status of a response, None where it lacks what its request lacked."""
    try:
        message = parse_message(data)
    except MalformedMessage:
        return None
    assert isinstance(message, Response)
    return message.status


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"hello",
        b"\x00\x01\xff\xfe",
        b"SIP/2.0 200 OK\r\n\r\n",
        INVITE.replace(b"INVITE", b"ACK").replace(b"l: 4", b"l: x"),
        b"INVITE sip:a@b SIP/3.0\r\nFrom: <sip:a@b>\r\n\r\n",
    ],
)
def test_what_cannot_be_answered_is_dropped(data: bytes) -> None:
    assert refused(data).request is None


@pytest.mark.parametrize("status", [b"99", b"700", b"20", b"2000", b"2x0", b"", "२००".encode()])
def test_odd_statuses_are_refused(status: bytes) -> None:
    data = make_response(request(), 200).serialize().replace(b"SIP/2.0 200", b"SIP/2.0 " + status)
    assert refused(data).request is None


def test_a_message_cut_short_is_refused() -> None:
    for length in range(len(INVITE)):
        refused(INVITE[:length])


@pytest.mark.parametrize("broken", [b"Subject: a\nb", b"Subject: a\rb", b"Subject: a\n\n b"])
def test_bare_line_breaks_are_refused(broken: bytes) -> None:
    refused(INVITE.replace(b"Timestamp: 54.21", broken))


def test_broken_via_parameters_are_left_out_of_the_answer() -> None:
    error = refused(INVITE.replace(b";rport,", b';;=;x="y;received=1 2,'))
    assert error.request is not None
    assert [via.branch for via in error.request.vias] == ["z9hG4bKtop", "z9hG4bKlast"]


def test_a_stream_must_say_the_length() -> None:
    data = INVITE.replace(b"l: 4\r\n", b"")
    assert request(data).body == b"v=0\n"
    assert refused(data, stream=True).status == 400
    assert parse_message(INVITE, stream=True) == request()


def test_responses_repeat_what_they_must() -> None:
    ringing = make_response(request(), 180, to_tag="ours")
    assert ringing.reason == "Ringing"
    assert ringing.to.tag == "ours"
    assert ringing.vias == request().vias
    assert ringing.record_routes == request().record_routes
    assert "Timestamp" not in ringing.headers
    assert parse_message(ringing.serialize()) == Response(
        180, "Ringing", Headers([*ringing.headers.items(), ("Content-Length", "0")])
    )


def test_a_100_gets_the_timestamp_and_no_tag() -> None:
    trying = make_response(request(), 100, to_tag="ours")
    assert trying.headers.get("Timestamp") == "54.21"
    assert trying.to.tag is None
    assert trying.record_routes == ()


def test_a_tag_that_is_there_stays() -> None:
    bye = request(INVITE.replace(b"INVITE", b"BYE").replace(b"biloxi.example.com>", b"biloxi.example.com>;tag=old"))
    assert make_response(bye, 200, to_tag="new").to.tag == "old"
    assert make_response(bye, 200).record_routes == ()


def test_reasons_have_defaults_and_can_be_given() -> None:
    assert make_response(request(), 486).reason == REASONS[486] == "Busy Here"
    assert make_response(request(), 499).reason
    assert make_response(request(), 486, "No").reason == "No"


@pytest.mark.parametrize(
    "text",
    [
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport",
        "SIP/2.0/TCP [2001:db8::1]:5060;received=2001:db8::2",
        "SIP/7.0/UDP host",
        'SIP/2.0/UDP host;x="a b"',
    ],
)
def test_vias_are_written_as_read(text: str) -> None:
    assert str(Via.parse(text)) == text


def test_vias_may_be_full_of_white_space() -> None:
    via = Via.parse(" sip  /  2.0 /  udp    host.example.com : 5061 ; branch = x  ".strip())
    assert via == Via("UDP", "host.example.com", 5061, (("branch", "x"),))
    assert via.with_parameter("rport", "7").parameter("rport") == "7"


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/2.0 host", "HTTP/2.0/UDP host", "SIP/2.0/UDP a b", "SIP/2.0/ h"]
)
def test_malformed_vias_are_refused(text: str) -> None:
    with pytest.raises(MalformedHeader):
        Via.parse(text)
