"""What the core says to requests of every kind, and to what is none (RFC 3261 §8.2, §17.2.3)."""

from __future__ import annotations

import pytest
from support.sip_requests import FLOW, TCP_FLOW, answer_to, new_core, request, responses

from voip_engine.sip.effects import MessageRejected, SendOnFlow, SessionInvited
from voip_engine.sip.endpoint import ALLOW, SUPPORTED
from voip_engine.sip.messages.framing import FramingError

# ---- requests of every kind ----


def test_options_are_answered_with_what_we_can() -> None:
    response = answer_to(request("OPTIONS"))
    assert response.status == 200
    assert response.headers.get("Allow") == ALLOW
    assert response.headers.get("Accept") == "application/sdp, multipart/mixed"
    assert response.headers.get("Supported") == SUPPORTED
    assert response.to.tag


@pytest.mark.parametrize("method", ["MESSAGE", "REGISTER", "FOO"])
def test_other_methods_get_405_with_allow(method: str) -> None:
    response = answer_to(request(method))
    assert response.status == 405
    assert response.headers.get("Allow") == ALLOW


def test_an_extension_we_lack_gets_420() -> None:
    response = answer_to(request("INVITE", "Require: 100rel, precondition, gin"))
    assert (response.status, response.headers.get_list("Unsupported")) == (420, ["precondition", "gin"])


def test_a_supported_extension_is_not_required() -> None:
    assert answer_to(request("INVITE", "Supported: 100rel")).status == 100


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS", "UPDATE", "PRACK"])
def test_a_request_in_an_unknown_dialog_gets_481(method: str) -> None:
    assert answer_to(request(method, to="<sip:bob@10.0.0.2>;tag=gone")).status == 481


def test_a_bye_outside_any_dialog_gets_481() -> None:
    assert answer_to(request("BYE")).status == 481


def test_a_cancel_without_its_invite_gets_481() -> None:
    assert answer_to(request("CANCEL")).status == 481


def test_an_ack_without_a_dialog_is_dropped() -> None:
    assert new_core().receive(request("ACK"), FLOW, 0.0) == []
    assert new_core().receive(request("ACK", to="<sip:bob@10.0.0.2>;tag=gone"), FLOW, 0.0) == []


@pytest.mark.parametrize(
    ("headers", "status", "name", "value"),
    [
        (("Content-Type: text/plain",), 415, "Accept", "application/sdp, multipart/mixed"),
        (("Content-Type: application/sdp", "Content-Encoding: gzip"), 415, "Accept-Encoding", "identity"),
        (("Content-Type: application/sdp", "Accept: text/plain"), 406, "Accept", "application/sdp, multipart/mixed"),
    ],
)
def test_content_we_do_not_take(headers: tuple[str, ...], status: int, name: str, value: str) -> None:
    response = answer_to(request("INVITE", *headers, body=b"x"))
    assert (response.status, response.headers.get(name)) == (status, value)


def test_a_body_that_may_be_ignored_is_ignored() -> None:
    data = request("INVITE", "Content-Type: image/png", "Content-Disposition: icon;handling=optional", body=b"x")
    [invited] = [effect for effect in new_core().receive(data, FLOW, 0.0) if isinstance(effect, SessionInvited)]
    assert invited.offer is None


def test_the_description_among_several_parts_is_the_offer() -> None:
    body = b"--x\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n"
    body += b"--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--x--"
    data = request("INVITE", "Content-Type: multipart/mixed;boundary=x", body=body)
    [invited] = [effect for effect in new_core().receive(data, FLOW, 0.0) if isinstance(effect, SessionInvited)]
    assert invited.offer == b"v=0\r\n"


def test_a_part_that_has_to_be_understood_and_is_not_gets_415() -> None:
    body = (
        b"--x\r\nContent-Type: application/isup\r\nContent-Disposition: signal;handling=required\r\n\r\n\x01\r\n--x--"
    )
    response = answer_to(request("INVITE", "Content-Type: multipart/mixed;boundary=x", body=body))
    assert (response.status, response.headers.get("Accept")) == (415, "application/sdp, multipart/mixed")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/sdp;level=1, text/html"])
def test_accept_that_covers_sdp_is_fine(accept: str) -> None:
    assert answer_to(request("INVITE", f"Accept: {accept}")).status == 100


def test_an_unknown_scheme_gets_416() -> None:
    core = new_core()
    effects = core.receive(request("INVITE", uri="nobodyknowsme:x"), FLOW, 0.0)
    assert [response.status for response in responses(effects)] == [416]
    assert core.idle


def test_an_invite_without_contact_gets_400() -> None:
    assert answer_to(request("INVITE").replace(b"Contact: <sip:alice@10.0.0.1>\r\n", b"")).status == 400


def test_max_forwards_zero_is_no_matter_to_an_endpoint() -> None:
    assert answer_to(request("OPTIONS").replace(b"Max-Forwards: 70", b"Max-Forwards: 0")).status == 200


def test_the_same_request_by_another_way_gets_482_and_rings_once() -> None:
    core = new_core()
    first = core.receive(request("INVITE"), FLOW, 0.0)
    second = core.receive(request("INVITE", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2;rport"), FLOW, 0.0)
    assert [response.status for response in responses(first)] == [100]
    assert [response.status for response in responses(second)] == [482]
    assert not [effect for effect in second if isinstance(effect, SessionInvited)]


def test_a_repeated_invite_gets_the_last_response_again() -> None:
    core = new_core()
    core.receive(request("INVITE"), FLOW, 0.0)
    core.ring("c", 0.1)
    [again] = responses(core.receive(request("INVITE"), FLOW, 0.5))
    assert again.status == 180


def test_transactions_of_rfc_2543_without_magic_cookie_are_matched() -> None:
    core = new_core()
    via = "SIP/2.0/UDP 10.0.0.1"
    core.receive(request("INVITE", via=via), FLOW, 0.0)
    assert [r.status for r in responses(core.receive(request("INVITE", via=via), FLOW, 0.1))] == [100]
    effects = core.receive(request("CANCEL", via=via), FLOW, 0.2)
    assert sorted(response.status for response in responses(effects)) == [200, 487]
    [refusal] = [response for response in responses(effects) if response.status == 487]
    core.receive(request("ACK", via=via, to=refusal.headers.get("To") or ""), FLOW, 0.3)
    assert responses(core.on_timer(0.8)) == []


def test_a_branch_of_another_call_is_not_taken_over() -> None:
    core = new_core()
    core.receive(request("INVITE"), FLOW, 0.0)
    effects = core.receive(request("INVITE", call_id="other"), FLOW, 0.1)
    assert [type(effect) for effect in effects] == [MessageRejected]
    assert [r.status for r in responses(core.receive(request("INVITE"), FLOW, 0.2))] == [100]


# ---- bad input ----


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("OPTIONS").replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia", 1), 505),
        (request("OPTIONS").replace(b"CSeq: 1 OPTIONS", b"CSeq: 1 INVITE"), 400),
        (request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: 99"), 400),
    ],
)
def test_a_malformed_request_is_answered_and_told_once(data: bytes, status: int) -> None:
    core = new_core()
    effects = core.receive(data, FLOW, 0.0)
    assert [response.status for response in responses(effects)] == [status]
    assert len([effect for effect in effects if isinstance(effect, MessageRejected)]) == 1
    assert core.idle


@pytest.mark.parametrize("data", [b"\x80\x01garbage", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE sip:a SIP/2.0\r\n\r\n"])
def test_what_cannot_be_answered_is_only_told(data: bytes) -> None:
    effects = new_core().receive(data, FLOW, 0.0)
    assert [type(effect) for effect in effects] == [MessageRejected]


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"\0\0\0\0"])
def test_keep_alives_are_no_messages(data: bytes) -> None:
    assert new_core().receive(data, FLOW, 0.0) == []


def test_a_broken_stream_is_answered_if_its_head_allows() -> None:
    head = request("OPTIONS").replace(b"Content-Length: 0", b"Content-Length: -1")
    core = new_core()
    effects = core.framing_failed(FramingError(400, "Content-Length is not a number", head), TCP_FLOW, 0.0)
    assert [response.status for response in responses(effects)] == [400]
    assert [type(effect) for effect in effects] == [SendOnFlow, MessageRejected]
    effects = core.framing_failed(FramingError(400, "the headers are longer than 64 KiB", b"xx"), TCP_FLOW, 0.0)
    assert [type(effect) for effect in effects] == [MessageRejected]
