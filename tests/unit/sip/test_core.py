"""Whose a call is, how many there may be, and what answers to ours mean."""

from __future__ import annotations

import pytest
from support.sip_requests import (
    CONTACT,
    FLOW,
    account,
    answer_to,
    new_core,
    place,
    request,
    requests,
    respond,
    responses,
)
from support.sip_wire import ANSWER, Wire

from voip_engine.sip.core import CapacityError, SipCore
from voip_engine.sip.effects import MessageRejected, SessionAnswered, SessionEnded, SessionInvited
from voip_engine.sip.flow import Flow

# ---- calls of ours ----


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
