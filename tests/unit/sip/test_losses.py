"""Calls whose messages get lost on the way, and are sent again (RFC 3261 §13, §15, §17)."""

from __future__ import annotations

import pytest
from support.sip_calls import (
    answer_with,
    assert_nothing_left,
    connected,
    ends,
    is_request,
    is_response,
    lose,
    two_peers,
)
from support.sip_wire import ANSWER

from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionInvited
from voip_engine.sip.flow import Transport


def test_a_lost_invite_is_sent_again() -> None:
    wire, alice, bob = two_peers()
    wire.fate = lose(2, is_request("INVITE"))
    alice.call(bob)
    wire.run(until=2.0)
    assert len(bob.of(SessionInvited)) == 1
    assert [at for at, _ in wire.requests(alice.host, "INVITE")] == [0, 0.5, 1.5]


def test_a_lost_200_is_sent_again_until_the_ack_comes() -> None:
    wire, alice, bob = two_peers()
    wire.fate = lose(3, is_response(200))
    bob.on_told = answer_with(bob, wire, ANSWER)
    alice.call(bob)
    wire.run(until=20.0)
    assert [round(at, 2) for at, _ in wire.responses(bob.host, 200)] == [0.01, 0.51, 1.51, 3.51]
    assert len(alice.of(SessionAnswered)) == len(bob.of(SessionConfirmed)) == 1


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_lost_ack_is_sent_again_with_each_repeated_200(transport: Transport) -> None:
    wire, alice, bob = two_peers(transport=transport)
    wire.fate = lose(2, is_request("ACK"))
    bob.on_told = answer_with(bob, wire, ANSWER)
    alice.call(bob)
    wire.run(until=20.0)
    acks = [message.serialize() for _, message in wire.requests(alice.host, "ACK")]
    assert len(acks) == 3
    assert len(set(acks)) == 1
    assert len(alice.of(SessionAnswered)) == len(bob.of(SessionConfirmed)) == 1


def test_an_answer_never_acknowledged_ends_in_bye_after_64_t1() -> None:
    wire, alice, bob = two_peers()
    wire.fate = lose(1000, is_request("ACK"))
    bob.on_told = answer_with(bob, wire, ANSWER)
    alice.call(bob)
    wire.run(until=33.0)
    sent = [round(at, 2) for at, _ in wire.responses(bob.host, 200)]
    assert sent == [0.01, 0.51, 1.51, 3.51, 7.51, 11.51, 15.51, 19.51, 23.51, 27.51, 31.51]
    assert [round(at, 2) for at, _ in wire.requests(bob.host, "BYE")] == [32.01]
    assert ends(bob) == [("local", None, "The caller never acknowledged the answer.")]
    assert ends(alice) == [("remote", None, "The other side hung up.")]
    assert_nothing_left(wire)


def test_a_bye_nobody_answers_is_given_up_after_timer_f() -> None:
    wire, alice, _bob, session = connected()
    wire.fate = lambda sender, message: []
    alice.apply(alice.core.hang_up(session, wire.now))
    wire.run(until=33.0)
    assert alice.core.idle
    assert len(wire.requests(alice.host, "BYE")) == 11
