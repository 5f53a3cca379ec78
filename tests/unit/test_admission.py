"""Who may call: the core behind a door, seen from outside by the messages that come and go."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from support.sip_wire import ANSWER, OFFER

from voip_engine.admission import Admission
from voip_engine.network_settings import AdmissionSettings, AdmittedUser
from voip_engine.secret import Secret
from voip_engine.sip.authentication.auth import DigestClient, parse_challenges
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import (
    CloseConnection,
    Effect,
    KeepConnection,
    RequestTurnedAway,
    SendOnFlow,
    SendRequest,
    SessionEnded,
    SessionInvited,
)
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri

STRANGER = Flow("UDP", "198.51.100.1", 5060, "203.0.113.66", 5060)
CONNECTED = Flow("TCP", "198.51.100.1", 5060, "203.0.113.66", 40000, 7)
NEIGHBOUR = Flow("UDP", "192.168.1.2", 5060, "192.168.1.7", 5060)
BRANCH = AdmittedUser(username="branch", password=Secret("secret"))


def door(*, has_accounts: bool = False, max_calls: int = 0, **settings: Any) -> Admission:
    return Admission(AdmissionSettings(**settings), has_accounts=has_accounts, random=Random(1), max_calls=max_calls)


def core_behind(admission: Admission) -> SipCore:
    return SipCore(Random(3), user_agent="test", door=admission)


def request(
    method: str = "INVITE",
    *extra: str,
    number: int = 1,
    user: str = "alice",
    to_tag: str = "",
    cseq: int = 1,
    branch: str = "",
    call_id: str = "",
) -> bytes:
    body = OFFER if method == "INVITE" else b""
    lines = [
        f"{method} sip:desk@198.51.100.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bK{branch or number};rport",
        f"From: <sip:{user}@elsewhere.example>;tag=a",
        f"To: <sip:desk@198.51.100.1>{';tag=' + to_tag if to_tag else ''}",
        f"Call-ID: {call_id or f'call-{number}'}",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:alice@203.0.113.66>",
        *(["Content-Type: application/sdp"] if body else []),
        *extra,
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def answers(effects: list[Effect]) -> list[int]:
    return [response.status for response in responses(effects)]


def responses(effects: list[Effect]) -> list[Response]:
    messages = [parse_message(effect.data) for effect in effects if isinstance(effect, SendOnFlow)]
    return [message for message in messages if isinstance(message, Response)]


def comes_in(effects: list[Effect]) -> bool:
    return any(isinstance(effect, SessionInvited) for effect in effects)


# ---- by source ----


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "MESSAGE", "BYE", "CANCEL", "FOO"])
def test_a_stranger_hears_nothing_and_leaves_nothing(method):
    core = core_behind(door())
    effects = core.receive(request(method), STRANGER, 0.0)
    assert [type(effect) for effect in effects] == [RequestTurnedAway]
    assert core.idle
    assert core.timers == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\n\r\n",
        b"INVITE sip:desk@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bK1\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bK1\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
        request("INVITE").replace(b"CSeq: 1 INVITE", b"CSeq: INVITE"),
    ],
)
@pytest.mark.parametrize("users", [(), (BRANCH,)])
def test_nothing_malformed_of_a_stranger_is_answered(data, users):
    core = core_behind(door(users=users))
    assert not any(isinstance(effect, SendOnFlow) for effect in core.receive(data, STRANGER, 0.0))
    stream = Flow("TCP", "198.51.100.1", 5060, "203.0.113.66", 5060, 1)
    error = FramingError(413, "too long", data)
    assert not any(isinstance(effect, SendOnFlow) for effect in core.framing_failed(error, stream, 0.0))
    assert core.idle


@pytest.mark.parametrize(
    ("host", "has_accounts", "networks", "known"),
    [
        ("127.0.0.1", False, None, True),
        ("10.1.2.3", False, None, True),
        ("172.31.255.1", False, None, True),
        ("172.32.0.1", False, None, False),
        ("192.168.7.7", False, None, True),
        ("fd00::1", False, None, True),
        ("::ffff:192.168.7.7", False, None, True),
        ("8.8.8.8", False, None, False),
        ("2001:db8::1", False, None, False),
        ("198.51.100.1", False, None, True),  # ourselves
        ("127.0.0.1", True, None, False),
        ("192.168.7.7", True, None, False),
        ("127.0.0.1", False, (), False),
        ("198.51.100.1", False, (), False),
        ("192.0.2.9", True, ("192.0.2.0/24",), True),
        ("192.0.3.9", True, ("192.0.2.0/24",), False),
        ("192.0.2.9", True, ("192.0.2.9",), True),
        ("2001:db8:1::9", True, ("2001:db8::/32",), True),
    ],
)
def test_which_sources_may_call(host, has_accounts, networks, known):
    flow = Flow("UDP", "198.51.100.1", 5060, host, 5060)
    admission = door(has_accounts=has_accounts, networks=networks)
    assert admission.knows(flow, 0.0) is known
    assert comes_in(core_behind(admission).receive(request(), flow, 0.0)) is known


def test_the_servers_of_accounts_may_call_as_long_as_they_are_found():
    admission = door(has_accounts=True)
    core = core_behind(admission)
    assert not comes_in(core.receive(request(number=1), STRANGER, 0.0))
    admission.servers_found(["203.0.113.66", "2001:db8::5"], 0.0)
    assert comes_in(core.receive(request(number=2), STRANGER, 1.0))
    assert admission.knows(Flow("UDP", "::", 5060, "2001:DB8:0::5", 5060), 1.0)
    admission.servers_found(["203.0.113.66"], 3000.0)
    assert comes_in(core.receive(request(number=3), STRANGER, 6000.0))
    assert not comes_in(core.receive(request(number=4), STRANGER, 7000.0))


# ---- what belongs to calls that are up ----


def call_a_stranger(core: SipCore) -> tuple[str, Request]:
    session, effects = core.invite(
        target=SipUri.parse("sip:bob@203.0.113.66"),
        next_hop=NextHop("UDP", "203.0.113.66", 5060),
        local=LocalAddress("UDP", "198.51.100.1", 5060),
        account=None,
        caller=NameAddress("", SipUri.parse("sip:desk@198.51.100.1")),
        offer=OFFER,
        now=0.0,
    )
    [invite] = [parse_message(effect.data) for effect in effects if isinstance(effect, SendRequest)]
    assert isinstance(invite, Request)
    return session, invite


def test_whom_we_call_may_answer_and_hang_up_though_a_stranger():
    core = core_behind(door(has_accounts=True))
    session, invite = call_a_stranger(core)
    ok = (
        f"SIP/2.0 200 OK\r\nVia: {invite.headers.get('Via')}\r\nFrom: {invite.headers.get('From')}\r\n"
        f"To: {invite.headers.get('To')};tag=b\r\nCall-ID: {invite.call_id}\r\nCSeq: {invite.cseq}\r\n"
        f"Contact: <sip:bob@203.0.113.66>\r\nContent-Type: application/sdp\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
    ).encode() + ANSWER
    assert not [e for e in core.receive(ok, STRANGER, 0.1) if isinstance(e, RequestTurnedAway)]
    tag = invite.from_.tag
    bye = (
        f"BYE sip:desk@198.51.100.1 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bKbye\r\n"
        f"From: {invite.headers.get('To')};tag=b\r\nTo: <sip:desk@198.51.100.1>;tag={tag}\r\n"
        f"Call-ID: {invite.call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    spoofed = bye.replace(b";tag=b\r\n", b";tag=guess\r\n")
    assert answers(core.receive(spoofed, STRANGER, 0.2)) == []
    effects = core.receive(bye, STRANGER, 0.3)
    assert answers(effects) == [200]
    assert [effect.session for effect in effects if isinstance(effect, SessionEnded)] == [session]
    assert answers(core.receive(bye, STRANGER, 0.4)) == [200], "sent again, its transaction answers"
    core.on_timer(100.0)
    assert core.receive(bye, STRANGER, 101.0) != []
    assert answers(core.receive(bye, STRANGER, 101.0)) == []


# ---- users with a password ----


def test_a_user_proves_himself_and_calls_from_anywhere():
    core = core_behind(door(has_accounts=True, users=(BRANCH,)))
    effects = core.receive(request(number=1, user="branch"), STRANGER, 0.0)
    [challenge] = responses(effects)
    assert challenge.status == 401
    assert not any(isinstance(effect, RequestTurnedAway) for effect in effects)
    assert core.idle, "a challenge keeps nothing"
    assert core.receive(request("ACK", number=1, user="branch", to_tag="x"), STRANGER, 0.05) == []
    offered = parse_challenges(challenge.headers)
    client = DigestClient("branch", "secret", Random(2))
    [(name, value)] = client.authorize("INVITE", "sip:desk@198.51.100.1", b"", offered)
    good = request("INVITE", f"{name}: {value}", number=2, user="branch", cseq=2)
    effects = core.receive(good, STRANGER, 0.1)
    assert comes_in(effects)
    assert answers(core.receive(good, STRANGER, 0.2)) == [100], "sent again, it is the same call"
    cancel = request("CANCEL", number=2, user="branch", cseq=2)
    assert answers(core.receive(cancel, STRANGER, 0.3)) == [200, 487]
    ack = request("ACK", number=2, user="branch", cseq=2)
    assert core.receive(ack, STRANGER, 0.4) == []
    replayed = request("INVITE", f"{name}: {value}", number=3, user="branch", cseq=2)
    [again] = responses(core.receive(replayed, STRANGER, 0.5))
    assert again.status == 401
    assert all(each.stale for each in parse_challenges(again.headers))


def test_who_calls_himself_no_user_finds_nobody_even_where_there_are_users():
    core = core_behind(door(users=(BRANCH,)))
    effects = core.receive(request(user="100"), STRANGER, 0.0)
    assert [type(effect) for effect in effects] == [RequestTurnedAway]


def test_guessing_a_password_ends_in_silence():
    core = core_behind(door(users=(BRANCH,)))
    client = DigestClient("branch", "wrong", Random(2))
    statuses = []
    turned_away = 0
    for number in range(40):
        [challenge] = responses(core.receive(request(number=number, user="branch"), STRANGER, 0.0)) or [None]
        if challenge is None:
            break
        [(name, value)] = client.authorize("INVITE", "sip:desk@198.51.100.1", b"", parse_challenges(challenge.headers))
        signed = request("INVITE", f"{name}: {value}", number=1000 + number, user="branch")
        effects = core.receive(signed, STRANGER, 0.0)
        statuses += answers(effects)
        turned_away += sum(isinstance(effect, RequestTurnedAway) for effect in effects)
    assert statuses == [401] * 10
    assert turned_away == 10
    elsewhere = Flow("UDP", "198.51.100.1", 5060, "203.0.113.99", 5060)
    assert answers(core.receive(request(number=5000, user="branch"), elsewhere, 0.0)) == [401]


def test_the_challenge_names_no_product():
    [challenge] = responses(core_behind(door(users=(BRANCH,))).receive(request(user="branch"), STRANGER, 0.0))
    [asked] = parse_challenges(challenge.headers)
    assert asked.realm == "sip"


@pytest.mark.parametrize("rest", ['nonce="x"', 'nonce="x", qop=none', 'nonce="", nc=zzz', 'nonce="x", algorithm=NONE'])
def test_who_forges_a_user_s_source_does_not_lock_him_out(rest):
    core = core_behind(door(users=(BRANCH,)))
    for number in range(20):
        forged = f'Authorization: Digest username="branch", realm="sip", {rest}, response="x"'
        core.receive(request("INVITE", forged, number=number, user="branch"), STRANGER, 0.0)
    [challenge] = responses(core.receive(request(number=100, user="branch"), STRANGER, 0.1))
    client = DigestClient("branch", "secret", Random(2))
    [(name, value)] = client.authorize("INVITE", "sip:desk@198.51.100.1", b"", parse_challenges(challenge.headers))
    assert comes_in(core.receive(request("INVITE", f"{name}: {value}", number=101, user="branch"), STRANGER, 0.2))


# ---- how often ----


def test_calls_a_second_by_source():
    core = core_behind(door(calls_per_second=2, calls_burst=3, ringing_calls=1000))
    statuses = [answers(core.receive(request(number=number), NEIGHBOUR, 0.0)) for number in range(5)]
    assert statuses == [[100], [100], [100], [503], [503]]
    [refused] = responses(core.receive(request(number=6), NEIGHBOUR, 0.0))
    assert refused.headers.get("Retry-After") == "5"
    other = Flow("UDP", "192.168.1.2", 5060, "192.168.1.8", 5060)
    assert answers(core.receive(request(number=7), other, 0.0)) == [100]
    assert answers(core.receive(request(number=8), NEIGHBOUR, 0.6)) == [100]


def test_a_server_is_held_to_as_many_calls_as_are_taken():
    admission = door(has_accounts=True, max_calls=4, calls_per_second=1, calls_burst=2, ringing_calls=1)
    admission.servers_found([STRANGER.remote_host], 0.0)
    core = core_behind(admission)
    assert all(answers(core.receive(request("OPTIONS", number=n), STRANGER, 0.0)) == [200] for n in range(100, 150))
    assert [answers(core.receive(request(number=n), STRANGER, 0.0)) for n in range(4)] == [[100]] * 4
    [refused] = responses(core.receive(request(number=5), STRANGER, 0.0))
    assert (refused.status, refused.headers.get("Retry-After")) == (480, None)
    assert answers(core.receive(request(number=6), STRANGER, 0.5)) == [486], "four ring already"


def test_other_requests_count_too_but_those_of_a_call_do_not():
    core = core_behind(door(calls_per_second=1, calls_burst=2, ringing_calls=1000))
    effects = core.receive(request(number=1), NEIGHBOUR, 0.0)
    [invited] = [effect for effect in effects if isinstance(effect, SessionInvited)]
    [ok] = responses(core.answer(invited.session, ANSWER, 0.0))
    assert answers(core.receive(request("OPTIONS", number=2), NEIGHBOUR, 0.0)) == [200]
    assert answers(core.receive(request("OPTIONS", number=3), NEIGHBOUR, 0.0)) == [503]
    core.receive(request("ACK", number=1, branch="ack", to_tag=ok.to.tag or ""), NEIGHBOUR, 0.0)
    bye = request("BYE", number=1, branch="bye", to_tag=ok.to.tag or "", cseq=2)
    assert answers(core.receive(bye, NEIGHBOUR, 0.0)) == [200]


def test_ringing_calls_by_source_are_limited_until_they_are_answered_or_gone():
    core = core_behind(door(calls_per_second=1000, calls_burst=1000, ringing_calls=2))
    sessions = []
    for number in (1, 2):
        effects = core.receive(request(number=number), NEIGHBOUR, 0.0)
        sessions += [effect.session for effect in effects if isinstance(effect, SessionInvited)]
    refused = core.receive(request(number=3), NEIGHBOUR, 0.0)
    assert answers(refused) == [486]
    assert [type(effect) for effect in refused] == [SendOnFlow, RequestTurnedAway]
    [ok] = responses(core.answer(sessions[0], ANSWER, 1.0))
    assert answers(core.receive(request(number=4), NEIGHBOUR, 1.0)) == [486], "a call is half open until its ACK"
    core.receive(request("ACK", branch="ack", to_tag=ok.to.tag or ""), NEIGHBOUR, 1.0)
    assert answers(core.receive(request(number=4), NEIGHBOUR, 1.0)) == [100]
    assert answers(core.receive(request(number=5), NEIGHBOUR, 1.0)) == [486]
    core.receive(request("CANCEL", number=2), NEIGHBOUR, 2.0)
    assert answers(core.receive(request(number=6), NEIGHBOUR, 2.0)) == [100]


def test_what_is_refused_for_its_number_leaves_no_state():
    core = core_behind(door(calls_per_second=0.001, calls_burst=1))
    core.receive(request("OPTIONS", number=0), NEIGHBOUR, 0.0)
    timers = core.timers
    for number in range(1, 500):
        core.receive(request(number=number), NEIGHBOUR, 0.0)
    assert core.timers == timers
    core.on_timer(100.0)
    assert core.idle


def test_a_stranger_s_connection_is_cut_off_and_a_known_one_s_is_kept():
    core = core_behind(door(calls_per_second=0.001, calls_burst=1))
    effects = core.receive(request(), CONNECTED, 0.0)
    assert [type(effect) for effect in effects] == [RequestTurnedAway, CloseConnection]
    neighbour = Flow("TCP", "192.168.1.2", 5060, "192.168.1.7", 40000, 8)
    for number in (1, 2):
        effects = core.receive(request(number=number), neighbour, 0.0)
        assert not any(isinstance(effect, CloseConnection) for effect in effects)
    assert answers(effects) == [503]


@pytest.mark.parametrize(
    ("data", "users"),
    [
        (request("ACK"), ()),
        (request("OPTIONS"), (BRANCH,)),
        (request().replace(b"CSeq: 1 INVITE", b"CSeq: INVITE"), (BRANCH,)),
        (request(), (BRANCH,)),
        (b"GET / HTTP/1.1\r\n\r\n", (BRANCH,)),
    ],
)
def test_whatever_a_stranger_says_ends_his_connection(data, users):
    effects = core_behind(door(users=users)).receive(data, CONNECTED, 0.0)
    assert CloseConnection(CONNECTED) in effects
    assert not any(isinstance(effect, SendOnFlow | KeepConnection) for effect in effects)


def test_what_cannot_be_cut_into_messages_ends_a_stranger_s_connection():
    core = core_behind(door(users=(BRANCH,)))
    error = FramingError(413, "too long", request())
    assert CloseConnection(CONNECTED) in core.framing_failed(error, CONNECTED, 0.0)
    neighbour = Flow("TCP", "192.168.1.2", 5060, "192.168.1.7", 40000, 8)
    assert CloseConnection(neighbour) not in core.framing_failed(error, neighbour, 0.0)


def test_a_user_s_connection_is_left_alone_while_he_proves_himself_and_kept_then():
    core = core_behind(door(users=(BRANCH,)))
    effects = core.receive(request(user="branch"), CONNECTED, 0.0)
    effects += core.receive(request("ACK", user="branch", to_tag="x"), CONNECTED, 0.1)
    assert [type(effect) for effect in effects] == [SendOnFlow]
    [challenge] = responses(effects)
    offered = parse_challenges(challenge.headers)
    [(name, value)] = DigestClient("branch", "secret", Random(2)).authorize(
        "INVITE", "sip:desk@198.51.100.1", b"", offered
    )
    effects = core.receive(request("INVITE", f"{name}: {value}", number=2, user="branch", cseq=2), CONNECTED, 0.2)
    assert comes_in(effects)
    assert KeepConnection(CONNECTED) in effects


@pytest.mark.parametrize("right", [True, False])
def test_only_whom_we_called_may_keep_a_connection_of_his_own(right):
    core = core_behind(door(has_accounts=True))
    _, invite = call_a_stranger(core)
    ringing = make_response(invite, 180, to_tag="b")
    branch = invite.vias[0].branch or ""
    if not right:
        ringing = parse_message(ringing.serialize().replace(branch.encode(), b"z9hG4bKguess"))
    effects = core.receive(ringing.serialize(), CONNECTED, 0.1)
    assert (KeepConnection(CONNECTED) in effects) is right
