"""What the core says to requests of every kind, and where its answers go (RFC 3261 §8.2, §17.2.3, §18.2; RFC 3581)."""

from __future__ import annotations

from random import Random

import pytest
from support.sip_wire import ANSWER, OFFER, Wire

from voip_engine.sip.core import CapacityError, SipCore
from voip_engine.sip.effects import (
    Effect,
    MessageRejected,
    SendOnFlow,
    SendRequest,
    SessionAnswered,
    SessionEnded,
    SessionInvited,
)
from voip_engine.sip.endpoint import ALLOW, SUPPORTED
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.registrations.registration import AccountConfig

FLOW = Flow("UDP", "10.0.0.2", 5060, "10.0.0.1", 40000)
TCP_FLOW = Flow("TCP", "10.0.0.2", 5060, "10.0.0.1", 40000, 1)


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
    messages = [parse_message(effect.data) for effect in effects if isinstance(effect, SendOnFlow)]
    return [message for message in messages if isinstance(message, Response)]


def requests(effects: list[Effect]) -> list[Request]:
    messages = [parse_message(effect.data) for effect in effects if isinstance(effect, SendRequest)]
    return [message for message in messages if isinstance(message, Request)]


def answer_to(data: bytes, core: SipCore | None = None, flow: Flow = FLOW) -> Response:
    [response] = responses((core or new_core()).receive(data, flow, 0.0))
    return response


def header_lists(response: Response, *names: str) -> list[list[str]]:
    return [response.headers.get_list(name) for name in names]


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


# ---- where answers go ----


def reply(data: bytes, flow: Flow) -> SendOnFlow:
    [effect] = [effect for effect in new_core().receive(data, flow, 0.0) if isinstance(effect, SendOnFlow)]
    return effect


def test_with_rport_the_answer_goes_where_the_request_came_from() -> None:
    effect = reply(request("OPTIONS"), FLOW)
    assert (effect.flow, effect.fallback) == (FLOW, None)
    [response] = responses([effect])
    assert response.vias[0].parameter("rport") == "40000"
    assert response.vias[0].parameter("received") == "10.0.0.1"


def test_without_rport_the_answer_goes_to_the_port_in_sent_by() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/UDP nat.example:5070;branch=z9hG4bK1"), FLOW)
    assert (effect.flow.remote_host, effect.flow.remote_port) == ("10.0.0.1", 5070)
    [response] = responses([effect])
    assert response.vias[0].parameter("received") == "10.0.0.1"


def test_a_true_sent_by_gets_no_received() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"), FLOW)
    assert effect.flow.remote_port == 5060
    assert not responses([effect])[0].vias[0].has_parameter("received")


def test_over_a_stream_the_answer_goes_back_on_the_connection_or_to_sent_by() -> None:
    effect = reply(request("OPTIONS", via="SIP/2.0/TCP 10.0.0.1:5070;branch=z9hG4bK1"), TCP_FLOW)
    assert (effect.flow, effect.fallback) == (TCP_FLOW, NextHop("TCP", "10.0.0.1", 5070))


def test_all_vias_are_kept_in_order() -> None:
    via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport, SIP/2.0/UDP first.example;branch=z9hG4bK0"
    response = answer_to(request("OPTIONS", via=via))
    assert [each.host for each in response.vias] == ["10.0.0.1", "first.example"]


def test_the_record_route_of_a_call_is_in_its_answer() -> None:
    core = new_core()
    core.receive(request("INVITE", "Record-Route: <sip:p2;lr>", "Record-Route: <sip:p1;lr>"), FLOW, 0.0)
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get_all("Record-Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert ok.headers.get("Contact") == "<sip:bob@10.0.0.2:5060>"


def test_on_a_connection_we_opened_the_contact_names_where_we_listen() -> None:
    core = new_core()
    core.add_local_address(LocalAddress("TCP", "10.0.0.2", 5070))
    opened = Flow("TCP", "10.0.0.2", 51234, "10.0.0.1", 5060, 1)
    core.receive(request("INVITE", via="SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK1"), opened, 0.0)
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get("Contact") == "<sip:bob@10.0.0.2:5070;transport=tcp>"


def test_ipv6_addresses_stand_in_brackets_where_uris_are() -> None:
    core = new_core()
    flow = Flow("UDP", "2001:db8::2", 5060, "2001:db8::1", 40000)
    data = request("INVITE", uri="sip:bob@[2001:db8::2]", via="SIP/2.0/UDP [2001:db8::9];branch=z9hG4bK1;rport")
    [trying] = responses(core.receive(data, flow, 0.0))
    assert trying.vias[0].parameter("received") == "2001:db8::1"
    [ok] = responses(core.answer("c", ANSWER, 0.0))
    assert ok.headers.get("Contact") == "<sip:bob@[2001:db8::2]:5060>"


# ---- calls of ours ----


def account(name: str = "sip:alice@pbx.example", *, password: str | None = "secret") -> AccountConfig:
    aor = SipUri.parse(name)
    user = aor.user or ""
    return AccountConfig(name, aor, user, user, password, "", NextHop("UDP", "pbx.example", 0), 300, True)


def place(core: SipCore, name: str | None = None) -> tuple[str, Request]:
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
    response = make_response(to, status, to_tag=tag)
    for name, value in headers:
        response.headers.add(name, value)
    if body:
        response.headers.add("Content-Type", "application/sdp")
        response.body = body
    return core.receive(response.serialize(), Flow("UDP", "10.0.0.2", 5060, "10.0.0.9", 5060), 0.1)


CONTACT = ("Contact", "<sip:carol@10.0.0.7>")
PROXY_CHALLENGE = ("Proxy-Authenticate", 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5')


def test_a_challenged_invite_is_acknowledged_and_sent_again_with_credentials() -> None:
    core = new_core()
    core.add_account(account())
    session, invite = place(core, "sip:alice@pbx.example")
    ack, again = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    assert (ack.method, again.method) == ("ACK", "INVITE")
    assert ack.vias[0].branch == invite.vias[0].branch != again.vias[0].branch
    assert (again.call_id, again.from_.tag, again.cseq.number) == (session, invite.from_.tag, 2)
    assert 'username="alice"' in (again.headers.get("Proxy-Authorization") or "")
    effects = respond(core, again, 200, CONTACT, body=ANSWER)
    [ack] = requests(effects)
    assert str(ack.uri) == "sip:carol@10.0.0.7"
    assert "Proxy-Authorization" not in ack.headers, "whom we called has asked for nothing"
    assert len([effect for effect in effects if isinstance(effect, SessionAnswered)]) == 1


def test_a_challenged_bye_is_sent_again_with_credentials() -> None:
    core = new_core()
    core.add_account(account())
    session, invite = place(core, "sip:alice@pbx.example")
    _, invite = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    record_route = ("Record-Route", "<sip:10.0.0.9;lr>")
    [ack] = requests(respond(core, invite, 200, record_route, CONTACT, body=ANSWER))
    assert ack.headers.get("Proxy-Authorization") == invite.headers.get("Proxy-Authorization")
    [bye] = requests(core.hang_up(session, 1.0))
    [again] = requests(respond(core, bye, 407, PROXY_CHALLENGE))
    assert (again.method, again.cseq.number) == ("BYE", 4)
    assert "Proxy-Authorization" in again.headers
    respond(core, again, 200)
    while (deadline := core.next_deadline()) is not None:
        core.on_timer(deadline)
    assert core.idle


def test_two_proxies_that_challenge_one_after_the_other_both_get_their_credentials() -> None:
    core = new_core()
    core.add_account(account())
    _, invite = place(core, "sip:alice@pbx.example")
    _, second = requests(respond(core, invite, 407, PROXY_CHALLENGE))
    other = ("Proxy-Authenticate", 'Digest realm="carrier", nonce="n2", algorithm=SHA-256')
    _, third = requests(respond(core, second, 407, other))
    realms = [value.partition('realm="')[2].partition('"')[0] for value in third.headers.get_all("Proxy-Authorization")]
    assert sorted(realms) == ["carrier", "pbx"]


@pytest.mark.parametrize("password", [None, "wrong"])
def test_credentials_refused_or_missing_end_the_call(password: str | None) -> None:
    core = new_core()
    core.add_account(account(password=password))
    _, invite = place(core, "sip:alice@pbx.example")
    effects = respond(core, invite, 407, PROXY_CHALLENGE)
    if password:
        again = requests(effects)[1]
        effects = respond(core, again, 407, ("Proxy-Authenticate", 'Digest realm="pbx", nonce="n2", qop="auth"'))
    [ended] = [effect for effect in effects if isinstance(effect, SessionEnded)]
    lacking = "A password is asked for there, and none is set for this call (407)."
    assert (ended.status, ended.reason) == (407, "Name or password was not accepted (407)." if password else lacking)


def test_further_branches_of_a_fork_that_answer_are_acknowledged_and_hung_up() -> None:
    core = new_core()
    _, invite = place(core)
    respond(core, invite, 180, tag="first")
    respond(core, invite, 180, tag="second")
    first = respond(core, invite, 200, CONTACT, tag="first", body=ANSWER)
    assert [message.method for message in requests(first)] == ["ACK"]
    second = respond(core, invite, 200, ("Contact", "<sip:carol@10.0.0.8>"), tag="second", body=ANSWER)
    assert [(m.method, str(m.uri), m.to.tag) for m in requests(second)] == [
        ("ACK", "sip:carol@10.0.0.8", "second"),
        ("BYE", "sip:carol@10.0.0.8", "second"),
    ]
    assert not [effect for effect in second if isinstance(effect, SessionAnswered)]
    again = respond(core, invite, 200, ("Contact", "<sip:carol@10.0.0.8>"), tag="second", body=ANSWER)
    assert [message.method for message in requests(again)] == ["ACK"]


def test_a_response_with_more_than_our_via_is_dropped() -> None:
    core = new_core()
    _, invite = place(core)
    invite.headers.add("Via", "SIP/2.0/UDP other.example;branch=z9hG4bKx")
    effects = respond(core, invite, 200, CONTACT, body=ANSWER)
    assert [type(effect) for effect in effects] == [MessageRejected]


def test_a_lost_connection_fails_what_waits_on_it() -> None:
    core = new_core()
    _, effects = core.invite(
        target=SipUri.parse("sip:carol@10.0.0.9;transport=tcp"),
        next_hop=NextHop("TCP", "10.0.0.9", 5060),
        local=LocalAddress("TCP", "10.0.0.2", 5060),
        account=None,
        caller=NameAddress("", SipUri.parse("sip:alice@10.0.0.2")),
        offer=OFFER,
        now=0.0,
    )
    assert len(requests(effects)) == 1
    [ended] = core.flow_lost(Flow("TCP", "10.0.0.2", 50000, "10.0.0.9", 5060, 1), 1.0)
    assert isinstance(ended, SessionEnded)
    assert ended.reason == "The connection to 10.0.0.9 was lost."
    assert core.idle


def test_a_call_to_ourselves_has_two_sessions() -> None:
    wire = Wire()
    alice = wire.peer("10.0.0.1")
    alice.on_told = lambda effect: (
        alice.apply(alice.core.answer(effect.session, ANSWER, wire.now)) if isinstance(effect, SessionInvited) else None
    )
    session = alice.call(alice)
    wire.run(until=1.0)
    [invited] = alice.of(SessionInvited)
    assert invited.session == f"{session};2"
    alice.apply(alice.core.hang_up(session, wire.now))
    wire.run()
    assert sorted(end.session for end in alice.of(SessionEnded)) == [session, invited.session]
    assert alice.core.idle


# ---- accounts ----


@pytest.mark.parametrize(
    ("uri", "to", "expected"),
    [
        ("sip:alice@10.0.0.2", "<sip:alice@pbx.example>", "sip:alice@pbx.example"),
        ("sip:alice@10.0.0.2", "<sip:alice@other.example>", "sip:alice@other.example"),
        ("sip:alice@10.0.0.2", "<sip:100@pbx.example>", "sip:alice@pbx.example"),
        ("sip:zoe@10.0.0.2", "<sip:zoe@pbx.example>", None),
        ("sip:10.0.0.2", "<sip:10.0.0.2>", None),
    ],
)
def test_a_call_belongs_to_the_account_it_was_sent_to(uri: str, to: str, expected: str | None) -> None:
    core = new_core()
    for name in ("sip:alice@pbx.example", "sip:alice@other.example"):
        core.add_account(account(name))
        core.servers_found(name, [FLOW.remote_host], 0.0)
    assert account_called(core, uri, to, FLOW) == expected


@pytest.mark.parametrize("uri", ["sip:+4930123@10.0.0.2", "sip:alice@10.0.0.2", "sip:10.0.0.2", "sip:zoe@10.0.0.2"])
def test_whatever_number_a_trunk_s_server_calls_is_its_only_account_s(uri: str) -> None:
    core = new_core()
    core.add_account(account("sip:alice@other.example"))
    core.add_account(account())
    core.servers_found("sip:alice@pbx.example", [FLOW.remote_host], 0.0)
    assert account_called(core, uri, "<sip:+4930123@other.example>", FLOW) == "sip:alice@pbx.example"


def test_who_is_no_server_of_an_account_calls_none() -> None:
    core = new_core()
    core.add_account(account())
    core.servers_found("sip:alice@pbx.example", ["10.0.0.99"], 0.0)
    assert account_called(core, "sip:alice@10.0.0.2", "<sip:alice@pbx.example>", FLOW) is None


def account_called(core: SipCore, uri: str, to: str, flow: Flow) -> str | None:
    effects = core.receive(request("INVITE", uri=uri, to=to), flow, 0.0)
    [invited] = [effect for effect in effects if isinstance(effect, SessionInvited)]
    return invited.account


# ---- limits ----


def test_beyond_the_capacity_new_calls_get_503_and_known_ones_go_on() -> None:
    core = new_core(capacity=2)
    for number in range(2):
        via = f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{number};rport"
        assert answer_to(request("INVITE", via=via, call_id=f"c{number}"), core).status == 100
    response = answer_to(request("INVITE", via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx;rport", call_id="x"), core)
    assert (response.status, response.headers.get("Retry-After")) == (503, "10")
    [ok] = responses(core.answer("c0", ANSWER, 0.0))
    assert ok.status == 200
    with pytest.raises(CapacityError, match="2 calls"):
        place(core)


def test_answered_requests_that_only_wait_for_repetitions_make_room() -> None:
    core = new_core(capacity=10)
    for number in range(1000):
        via = f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{number};rport"
        assert answer_to(request("OPTIONS", via=via, call_id=str(number)), core).status == 200
    assert core.timers == 10
