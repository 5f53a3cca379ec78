"""Dialogs: route sets, targets, numbers (RFC 3261 §12)."""

from __future__ import annotations

import pytest

from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.sessions.dialog import Dialog, Sequence, next_hop_of


def invite(*extra: str, caller: str = "<sip:alice@a.example>", contact: str = "<sip:alice@10.0.0.1:5070>") -> Request:
    lines = [
        "INVITE sip:bob@example.com SIP/2.0",
        "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1",
        f'From: "Alice" {caller};tag=a',
        "To: <sip:bob@example.com>",
        "Call-ID: c",
        "CSeq: 7 INVITE",
        f"Contact: {contact}",
        *extra,
    ]
    message = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message


def ok(*extra: str, contact: str = "<sip:bob@10.0.0.2;transport=tcp>") -> Response:
    lines = [
        "SIP/2.0 200 OK",
        "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1",
        'From: "Alice" <sip:alice@a.example>;tag=a',
        "To: <sip:bob@example.com>;tag=b",
        "Call-ID: c",
        "CSeq: 7 INVITE",
        *([f"Contact: {contact}"] if contact else []),
        *extra,
    ]
    message = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(message, Response)
    return message


def placed(response: Response) -> Dialog:
    return Dialog.from_response(invite(), response, "UDP", Sequence(7))


def test_the_caller_reverses_the_record_route_and_goes_by_the_first_loose_router() -> None:
    dialog = placed(ok("Record-Route: <sip:p2.example;lr>, <sip:p1.example:5080;lr>"))
    bye = dialog.build("BYE")
    assert bye.headers.get_all("Route") == ["<sip:p1.example:5080;lr>", "<sip:p2.example;lr>"]
    assert str(bye.uri) == "sip:bob@10.0.0.2;transport=tcp"
    assert dialog.next_hop == NextHop("UDP", "p1.example", 5080)
    assert (bye.cseq.number, bye.headers.get("To"), bye.from_.tag) == (8, "<sip:bob@example.com>;tag=b", "a")


def test_the_called_side_keeps_the_record_route_in_order() -> None:
    request = invite("Record-Route: <sip:p2.example;lr>", "Record-Route: <sip:p1.example;lr>")
    dialog = Dialog.from_request(request, "b", "UDP", Sequence())
    assert dialog.build("BYE").headers.get_all("Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    assert dialog.id == ("c", "b", "a")
    assert dialog.remote_cseq == 7


def test_without_a_usable_contact_requests_go_to_the_caller_s_address_as_requests_may_name_it() -> None:
    request = invite(caller="<sip:alice@a.example;method=INVITE?subject=x>", contact="<mailto:alice@a.example>")
    dialog = Dialog.from_request(request, "b", "UDP", Sequence())
    assert str(dialog.build("BYE").uri) == "sip:alice@a.example"


def test_a_strict_router_stands_in_the_request_uri_and_the_target_at_the_end() -> None:
    dialog = placed(ok("Record-Route: <sip:p2.example;lr>, <sip:strict.example;method=BYE?Subject=x>"))
    bye = dialog.build("BYE")
    assert str(bye.uri) == "sip:strict.example"
    assert bye.headers.get_all("Route") == ["<sip:p2.example;lr>", "<sip:bob@10.0.0.2;transport=tcp>"]
    assert dialog.next_hop == NextHop("UDP", "strict.example", 0)


def test_without_routes_requests_go_to_the_contact_by_its_transport() -> None:
    assert placed(ok()).next_hop == NextHop("TCP", "10.0.0.2", 0)


def test_without_a_contact_the_request_uri_is_the_target() -> None:
    assert str(placed(ok(contact="")).remote_target) == "sip:bob@example.com"


def test_a_contact_that_is_no_sip_uri_is_passed_over() -> None:
    assert str(placed(ok(contact="<tel:+1>")).remote_target) == "sip:bob@example.com"


def test_a_refresh_moves_the_target_but_not_the_route_set() -> None:
    dialog = placed(ok("Record-Route: <sip:p1.example;lr>"))
    dialog.refresh_target(ok("Record-Route: <sip:other.example;lr>", contact="<sip:bob@10.0.0.9>"))
    assert str(dialog.build("BYE").uri) == "sip:bob@10.0.0.9"
    assert dialog.next_hop.host == "p1.example"


def test_numbers_must_grow_and_may_leave_gaps() -> None:
    dialog = placed(ok())
    assert dialog.take_cseq(5)
    assert not dialog.take_cseq(5)
    assert not dialog.take_cseq(4)
    assert dialog.take_cseq(100)


def test_an_ack_has_the_number_of_its_invite_and_uses_none_up() -> None:
    dialog = placed(ok())
    assert str(dialog.build("ACK", cseq=7).cseq) == "7 ACK"
    assert dialog.build("BYE").cseq.number == 8


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:a@example.com", NextHop("TCP", "example.com", 0)),
        ("sip:a@example.com:5080;transport=udp", NextHop("UDP", "example.com", 5080)),
        ("sip:a@[2001:db8::1]:5080", NextHop("TCP", "2001:db8::1", 5080)),
        ("sip:a@example.com;maddr=10.1.1.1", NextHop("TCP", "10.1.1.1", 0)),
        ("sip:a@example.com;transport=tls", NextHop("TLS", "example.com", 0)),
        ("sips:a@example.com;transport=tcp", NextHop("TLS", "example.com", 0)),
    ],
)
def test_the_next_hop_of_a_uri(uri: str, hop: NextHop) -> None:
    assert next_hop_of(SipUri.parse(uri), "TCP") == hop
