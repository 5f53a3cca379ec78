"""What is kept of a call's SIP messages: in order, bounded, without secrets."""

from __future__ import annotations

import pytest

from voip_engine.sip.flow import Flow
from voip_engine.sip.trace import BYTES_KEPT, FIRST_KEPT, LATEST_KEPT, SipTrace, SipTraces, redacted

FLOW = Flow("UDP", "192.0.2.1", 5060, "198.51.100.7", 5062)
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"


def message(
    start: str = "INVITE sip:bob@192.0.2.1 SIP/2.0", *lines: str, call_id: str = "a@b", body: str = ""
) -> bytes:
    head = [start, f"Call-ID: {call_id}", "CSeq: 1 INVITE", *lines]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def test_messages_of_a_call_are_kept_in_order_with_where_they_came_from() -> None:
    traces = SipTraces()
    trace = traces.open("a@b")
    traces.received(message(), FLOW, 1.0)
    traces.sent(message("SIP/2.0 180 Ringing"), FLOW, 2.0)
    traces.sent(message("BYE sip:bob@x SIP/2.0"), Flow("TLS", "2001:db8::1", 40312, "2001:db8::7", 5061), 3.0)
    first, second, third = trace.entries()
    assert (first.at, first.sent, first.method, first.status) == (1.0, False, "INVITE", None)
    assert (first.source, first.destination) == ("198.51.100.7:5062", "192.0.2.1:5060")
    assert (second.sent, second.method, second.status) == (True, "INVITE", 180)
    assert (second.source, second.destination) == ("192.0.2.1:5060", "198.51.100.7:5062")
    assert (third.transport, third.source) == ("TLS", "[2001:db8::1]:40312")
    assert third.destination == "[2001:db8::7]:5061"
    assert third.start_line == "BYE sip:bob@x SIP/2.0"


def test_what_belongs_to_no_call_is_not_kept() -> None:
    traces = SipTraces()
    trace = traces.open("a@b")
    for data in (message(call_id="other"), b"\r\n\r\n", b"OPTIONS sip:x SIP/2.0\r\n\r\n"):
        traces.received(data, FLOW, 1.0)
    assert trace.entries() == ()


def test_a_trace_ends_with_the_call_that_held_it() -> None:
    traces = SipTraces()
    trace = traces.open("a@b")
    traces.received(message(), FLOW, 1.0)
    assert traces.open("a@b") is trace
    del trace
    assert traces.open("a@b").entries() == ()


def test_the_short_form_of_the_call_id_counts_too() -> None:
    traces = SipTraces()
    trace = traces.open("a@b")
    traces.received(b"BYE sip:x SIP/2.0\r\ni:a@b\r\n\r\n", FLOW, 1.0)
    assert len(trace.entries()) == 1


def test_retransmissions_are_marked_and_kept_once() -> None:
    traces = SipTraces()
    trace = traces.open("a@b")
    for at in (1.0, 1.5):
        traces.received(message(), FLOW, at)
    traces.sent(message(), FLOW, 2.0)
    assert [entry.repeated for entry in trace.entries()] == [False, True, False]
    assert trace.entries()[0].message is trace.entries()[1].message


def test_of_many_messages_the_beginning_and_the_end_are_kept() -> None:
    trace = SipTrace()
    wanted = FIRST_KEPT + LATEST_KEPT
    for number in range(wanted + 7):
        trace.add(number, False, "UDP", "", "", message(f"OPTIONS sip:{number} SIP/2.0"))
    assert trace.dropped == 7
    assert [entry.at for entry in trace.entries()] == [*range(FIRST_KEPT), *range(FIRST_KEPT + 7, wanted + 7)]


def test_a_long_message_is_cut() -> None:
    kept = redacted(message("INVITE sip:x SIP/2.0", "Subject: " + "x" * 60_000))
    assert len(kept) < BYTES_KEPT + 20
    assert kept.endswith(b"CSeq: 1 INVITE\r\n(60013 bytes more)")


@pytest.mark.parametrize("header", ["Authorization: Digest SECRET", "To: <sip:alice:SECRET@pbx.example>"])
def test_where_a_message_is_cut_no_secret_shows(header: str) -> None:
    for room in range(BYTES_KEPT - 140, BYTES_KEPT + 20):
        kept = redacted(message("INVITE sip:x SIP/2.0", "Subject: " + "x" * (room - 80), header))
        assert b"SEC" not in kept


@pytest.mark.parametrize(
    "line",
    [
        'Authorization: Digest username="alice", response="SECRET"',
        'proxy-authorization : Digest\r\n  response="SECRET"\r\n\tcnonce="SECRET"',
        'Authorization\r\n : Digest response="SECRET"',
        'WWW-Authenticate: Digest nonce="SECRET"',
        'Proxy-Authenticate: Digest nonce="SECRET"',
        'Authentication-Info: nextnonce="SECRET"',
        'Proxy-Authentication-Info: rspauth="SECRET"',
        "To: <sip:alice:SECRET@pbx.example>",
        "Contact: <sips:alice:SECRET@pbx.example:5061;transport=tls>",
        'Subject: x\rAuthorization: Digest response="SECRET"',
    ],
)
def test_credentials_are_not_kept(line: str) -> None:
    kept = redacted(message("REFER sip:bob@192.0.2.1:5060 SIP/2.0", line, "Max-Forwards: 70"))
    assert b"SECRET" not in kept
    assert b"(not kept)" in kept
    assert b"Max-Forwards: 70" in kept


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 (not kept)"),
        (f"a=crypto:2 inline:{KEY} AES_CM_128_HMAC_SHA1_80", "a=crypto:(not kept)"),
        (f"A=CRYPTO: {KEY}", "A=CRYPTO:(not kept)"),
        (f" a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", " a=crypto:1 AES_CM_128_HMAC_SHA1_80 (not kept)"),
        (f"a= crypto :1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "a= crypto(not kept)"),
        (f"a=cry\0pto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 (not kept)"),
        (f"\v\xa0k=base64:{KEY}", "\v\xa0k=(not kept)"),
        (f"k=base64:{KEY}", "k=(not kept)"),
        (f"a=ice-pwd:{KEY}", "a=ice-pwd:(not kept)"),
        (f"a=key-mgmt:mikey {KEY}", "a=key-mgmt:(not kept)"),
    ],
)
def test_keys_in_descriptions_are_not_kept(line: str, shown: str) -> None:
    body = f"v=0\r\nm=audio 5004 RTP/SAVP 0\r\n{line}\r\na=sendrecv\r\n"
    kept = redacted(message("INVITE sip:x SIP/2.0", "c: application/SDP; charset=utf-8", body=body)).decode()
    assert KEY not in kept
    assert f"\r\n{shown}\r\na=sendrecv" in kept


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Type: application/dtmf-relay"],
        ["Content-Type: text/plain"],
        ["Content-Type: multipart/mixed;boundary=x"],
        ["Content-Type: application/sdp", "Content-Type: text/plain"],
        ["Content-Type: application/sdp", "Content-Encoding: gzip"],
        [],
    ],
)
def test_other_bodies_are_not_kept(headers: list[str]) -> None:
    kept = redacted(message("INFO sip:x SIP/2.0", *headers, body="Signal=7\r\n\r\nPIN 1234"))
    assert b"1234" not in kept
    assert b"Signal" not in kept
    assert b"(20 bytes of " in kept


def test_status_lines_of_a_transfer_are_kept_without_credentials() -> None:
    fragment = "SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest nonce=SECRET\r\n"
    kept = redacted(message("NOTIFY sip:x SIP/2.0", "Content-Type: message/sipfrag;version=2.0", body=fragment))
    assert b"SIP/2.0 401 Unauthorized" in kept
    assert b"SECRET" not in kept


def test_addresses_with_ports_are_left_alone() -> None:
    data = message("INVITE sip:192.0.2.1:5060 SIP/2.0", "Contact: <sip:192.0.2.9:5060;ob>, <sip:x@y>")
    assert redacted(data) == data


@pytest.mark.parametrize(
    ("to", "inside"), [("To: <sip:b@x>;tag=1", True), ("t: <sip:b@x> ; tag=1", True), ("To: <sip:b@x>", False)]
)
def test_a_request_within_a_dialog_is_told_by_its_tag(to: str, inside: bool) -> None:
    trace = SipTrace()
    trace.add(1, True, "UDP", "", "", message("INVITE sip:b@x SIP/2.0", "From: <sip:a@x>;tag=0", to))
    assert trace.entries()[0].in_dialog is inside


def test_a_message_is_read_when_it_is_looked_at() -> None:
    trace = SipTrace()
    trace.add(1, True, "UDP", "", "", message("SIP/2.0 200 OK", "Content-Type: application/sdp", body="v=0\r\ns=-\r\n"))
    (entry,) = trace.entries()
    assert entry.has_description
    assert entry.text.splitlines()[0] == "SIP/2.0 200 OK"
    assert "\r" not in entry.text
