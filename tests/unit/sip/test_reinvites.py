"""Calls that are changed while they are up, and offers that meet (RFC 3261 §14)."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_calls import answer_with, assert_nothing_left, connected, deliver, ends
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionReoffered, SessionReofferFailed


@pytest.mark.parametrize("caller_offers", [True, False])
def test_a_reoffer_is_accepted_in_either_direction(caller_offers: bool) -> None:
    wire, alice, bob, session = connected()
    asking, asked = (alice, bob) if caller_offers else (bob, alice)
    asked.on_told = answer_with(asked, wire, b"v=0 second")
    asking.apply(asking.core.reoffer(session, b"v=0 hold", wire.now))
    wire.run(until=1.0)
    assert asked.of(SessionReoffered) == [SessionReoffered(session, b"v=0 hold")]
    assert [a.body for a in asking.of(SessionAnswered)] == [b"v=0 second"]
    assert asked.of(SessionConfirmed) == [SessionConfirmed(session, None)]
    asking.apply(asking.core.hang_up(session, wire.now))
    assert_nothing_left(wire)


def test_a_refused_reoffer_leaves_the_call_up() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    bob.apply(bob.core.reject_reoffer(session, 488, wire.now))
    wire.run(until=2.0)
    [failed] = alice.of(SessionReofferFailed)
    assert (failed.status, failed.by) == (488, "remote")
    assert failed.reason == "Nothing acceptable: no common codec, or no encryption that both sides have (488)."
    assert ends(alice) == ends(bob) == []


def test_reoffers_that_meet_are_refused_with_491_and_tried_again_apart() -> None:
    wire, alice, bob, session = connected()
    alice.on_told = answer_with(alice, wire, ANSWER)
    bob.on_told = answer_with(bob, wire, ANSWER)
    start = wire.now
    alice.apply(alice.core.reoffer(session, b"v=0 a", wire.now))
    bob.apply(bob.core.reoffer(session, b"v=0 b", wire.now))
    wire.run(until=start + 10)
    assert len(wire.responses(alice.host, 491)) == len(wire.responses(bob.host, 491)) == 1
    owner = wire.requests(alice.host, "INVITE")[-1][0] - start
    other = wire.requests(bob.host, "INVITE")[-1][0] - start
    assert 2.1 <= owner <= 4.1
    assert 0 <= other <= 2.1
    assert [r.offer for r in bob.of(SessionReoffered)] == [b"v=0 a"]
    assert [r.offer for r in alice.of(SessionReoffered)] == [b"v=0 b"]
    alice.apply(alice.core.hang_up(session, wire.now))
    assert_nothing_left(wire)


def test_a_second_reinvite_before_the_first_is_answered_gets_500_with_retry_after() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    _, first = wire.requests(alice.host, "INVITE")[-1]
    second = first.serialize().replace(b"branch=z9hG4bK", b"branch=z9hG4bKx").replace(b"CSeq: 2 ", b"CSeq: 3 ")
    deliver(wire, bob, second)
    [(_, response)] = wire.responses(bob.host, 500)
    assert 0 <= int(response.headers.get("Retry-After") or -1) <= 10


def test_a_cancelled_reinvite_leaves_the_call_up() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    _, invite = wire.requests(alice.host, "INVITE")[-1]
    cancel = invite.serialize().replace(b"INVITE", b"CANCEL").replace(b"CSeq: 2 INVITE", b"CSeq: 2 CANCEL")
    deliver(wire, bob, cancel.replace(b"Allow: CANCEL", b"Allow: INVITE"))
    wire.run(until=2.0)
    assert len(wire.responses(bob.host, 487)) == 1
    bob.apply(bob.core.accept_reoffer(session, ANSWER, wire.now))
    wire.run(until=3.0)
    assert ends(alice) == ends(bob) == []
    assert [f.status for f in alice.of(SessionReofferFailed)] == [487]


@pytest.mark.parametrize(
    ("status", "bye", "told"),
    [
        (481, 0, "The other side no longer knows this call (481)."),
        (408, 1, "The other side did not answer a request of ours (408)."),
    ],
)
def test_481_or_408_to_a_reinvite_ends_the_dialog(status: int, bye: int, told: str) -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    bob.apply(bob.core.reject_reoffer(session, status, wire.now))
    wire.run(until=2.0)
    assert ends(alice) == [("remote", status, told)]
    assert len(wire.requests(alice.host, "BYE")) == bye


def test_a_reinvite_nobody_answers_ends_the_call() -> None:
    wire, alice, _bob, session = connected()
    wire.fate = lambda sender, message: []
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=100)
    assert ends(alice) == [("remote", 408, "The other side did not answer a request of ours (408).")]
    assert alice.core.idle


def test_hanging_up_while_a_reoffer_waits_refuses_it_first() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    bob.apply(bob.core.hang_up(session, wire.now))
    wire.run(until=2.0)
    assert len(wire.responses(bob.host, 487)) == 1
    assert len(ends(alice)) == 1
    assert_nothing_left(wire)


def test_one_without_an_offer_gets_ours_and_answers_in_the_ack() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "INVITE")
    assert [r.offer for r in bench.take_told(SessionReoffered)] == [None]
    bench.apply(bench.core.accept_reoffer(bench.session, b"ours", bench.now))
    assert [r.body for r in bench.take_responses() if r.status == 200] == [b"ours"]
    bench.in_dialog(invite, "ACK", body=b"theirs")
    assert [c.body for c in bench.take_told(SessionConfirmed)] == [b"theirs"]
