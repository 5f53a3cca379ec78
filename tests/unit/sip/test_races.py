"""Messages that meet on the way (RFC 5407), beyond those that test_session.py has."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_wire import ANSWER, OFFER, Message, Peer, Wire

from voip_engine.sip.effects import (
    Effect,
    RequestTurnedAway,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionInvited,
    SessionProgressed,
    SessionReoffered,
    SessionReofferFailed,
)
from voip_engine.sip.messages.message import Request
from voip_engine.sip.sessions.session import REQUESTS_AT_ONCE


def connected() -> tuple[Wire, Peer, Peer, str]:
    """Two peers with a call up between them that accept whatever is offered; forget what led there."""
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")

    def accepting(peer: Peer):
        def on_told(effect: Effect) -> None:
            if isinstance(effect, SessionReoffered):
                peer.apply(peer.core.accept_reoffer(effect.session, ANSWER, wire.now))

        return on_told

    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.5)
    alice.told.clear()
    bob.told.clear()
    alice.on_told, bob.on_told = accepting(alice), accepting(bob)
    return wire, alice, bob, session


def assert_over(wire: Wire) -> None:
    wire.run()
    for peer in wire.peers.values():
        assert len(peer.of(SessionEnded)) == 1
        assert peer.core.idle
        assert peer.core.timers == 0


@pytest.mark.parametrize("hung_up_by_the_same", [True, False])
def test_bye_meets_a_reinvite(hung_up_by_the_same: bool) -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, b"v=0 hold", wire.now))
    ending = alice if hung_up_by_the_same else bob
    ending.apply(ending.core.hang_up(session, wire.now))
    assert_over(wire)
    # Whatever the re-INVITE got, it was acknowledged, and nobody was told that the call goes on.
    finals = wire.responses(bob.host, 481) + wire.responses(bob.host, 487) + wire.responses(bob.host, 200, "INVITE")[1:]
    assert finals
    assert alice.of(SessionReofferFailed) == alice.of(SessionAnswered) == []


def test_bye_meets_the_answer_to_a_reinvite() -> None:
    wire, alice, _bob, session = connected()
    alice.apply(alice.core.reoffer(session, b"v=0 hold", wire.now))
    wire.run(until=wire.now + 0.015)  # bob has answered, alice has not heard
    alice.apply(alice.core.hang_up(session, wire.now))
    assert_over(wire)
    assert len(wire.requests(alice.host, "ACK")) == 2


def test_a_reinvite_overtakes_the_ack() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    wire.fate = lambda sender, message: [0.3 if is_request(message, "ACK") else 0.01]
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.2)
    alice.apply(alice.core.reoffer(session, b"v=0 hold", wire.now))
    wire.run(until=10)
    # RFC 5407 §3.1.4: refused for now, and tried again.
    assert len(wire.responses(bob.host, 491)) == 1
    assert [r.offer for r in bob.of(SessionReoffered)] == [b"v=0 hold"]


def test_a_later_offer_takes_the_place_of_one_that_met_another() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, b"v=0 a", wire.now))
    bob.apply(bob.core.reoffer(session, b"v=0 b", wire.now))
    wire.run(until=wire.now + 0.1)
    alice.apply(alice.core.reoffer(session, b"v=0 newer", wire.now))
    wire.run(until=wire.now + 10)
    assert [r.offer for r in bob.of(SessionReoffered)] == [b"v=0 newer"]


def test_cancel_meets_the_answer_on_the_called_side() -> None:
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("CANCEL", branch="z9hG4bK1")
    assert [(r.status, r.cseq.method, r.to.tag) for r in bench.take_responses()] == [(200, "CANCEL", tag)]
    assert bench.take_told(SessionEnded) == []
    bench.request("ACK", to_tag=tag)
    bench.request("BYE", to_tag=tag, cseq=2)
    assert [end.reason for end in bench.take_told(SessionEnded)] == ["The other side hung up."]
    bench.finish()


def test_a_cancel_is_answered_within_the_dialog_of_the_invite() -> None:
    """RFC 3261 §9.2: with the To tag that the responses to the INVITE have, for some take the latest one for the dialog's."""
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.apply(bench.core.ring("theirs", bench.now))
    tag = bench.take_responses()[-1].to.tag
    assert tag
    bench.request("CANCEL", branch="z9hG4bK1")
    answers = [(r.status, r.cseq.method, r.to.tag) for r in bench.take_responses()]
    assert answers == [(200, "CANCEL", tag), (487, "INVITE", tag)]


def test_a_branch_that_answers_after_another_is_acknowledged_and_hung_up() -> None:
    bench = Bench()
    invite = bench.place()
    for tag in ("one", "two", "three"):
        bench.respond(invite, 180, tag=tag)
    bench.respond(invite, 200, tag="two", body=ANSWER)
    bench.sent.clear()
    bench.wait(20)
    bench.respond(invite, 200, tag="three", body=b"late")
    assert [(m.method, m.to.tag) for m in bench.take_requests()] == [("ACK", "three"), ("BYE", "three")]
    assert len(bench.take_told(SessionAnswered)) == 1


def test_a_branch_that_hangs_up_early_leaves_the_others() -> None:
    bench = Bench()
    invite = bench.place()
    for tag in ("one", "two"):
        bench.respond(invite, 180, tag=tag)
    bench.in_dialog(invite, "BYE", from_tag="one")
    assert [r.status for r in bench.take_responses()] == [200]
    assert bench.take_told(SessionEnded) == []
    bench.respond(invite, 200, tag="two", body=ANSWER)
    assert len(bench.take_told(SessionAnswered)) == 1


def test_an_answer_that_comes_after_the_hang_up_is_hung_up_on() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [cancel] = bench.take_requests("CANCEL")
    bench.respond(cancel, 200)
    bench.respond(invite, 200, body=ANSWER)
    acknowledged, bye = bench.take_requests()
    assert (acknowledged.method, bye.method) == ("ACK", "BYE")
    bench.respond(bye, 200)
    assert bench.take_told(SessionAnswered) == []
    bench.finish()


def test_ringing_that_comes_after_the_answer_says_nothing() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.respond(invite, 180, "Require: 100rel", "RSeq: 1")
    assert bench.take_told(SessionProgressed) == []
    assert bench.take_requests("PRACK") == []


def test_a_call_that_is_never_acknowledged_is_given_up_however_often_it_is_sent() -> None:
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    for _ in range(10):
        bench.wait(3)
        bench.request("INVITE", body=OFFER, branch="z9hG4bK1")
    bench.wait(3)
    assert [end.reason for end in bench.take_told(SessionEnded)] == ["The caller never acknowledged the answer."]
    assert bench.take_told(SessionConfirmed) == []
    assert [m.method for m in bench.take_requests("BYE")] == ["BYE"]
    bench.finish()


@pytest.mark.parametrize("expires_s", [0, 30])
def test_a_caller_may_want_to_ring_for_less(expires_s: int) -> None:
    bench = Bench()
    bench.request("INVITE", f"Expires: {expires_s}", body=OFFER)
    assert len(bench.take_told(SessionInvited)) == 1
    bench.take_responses()
    bench.wait(expires_s)
    assert [r.status for r in bench.take_responses()][:1] == [480]
    assert len(bench.take_told(SessionEnded)) == 1
    bench.finish()


def test_a_hundred_calls_nobody_takes_leave_nothing() -> None:
    bench = Bench()
    for number in range(100):
        bench.request("INVITE", call_id=f"flood{number}", body=OFFER)
        bench.apply(bench.core.ring(f"flood{number}", bench.now))
    bench.wait(301)
    assert len(bench.take_told(SessionEnded)) == 100
    bench.finish()


def test_too_many_requests_within_one_call_are_turned_away_but_never_its_end() -> None:
    bench = Bench()
    invite = bench.connect()
    for number in range(3 * REQUESTS_AT_ONCE):
        bench.in_dialog(invite, "INFO", cseq=number + 1, body=OFFER)
    answers = [(each.status, each.headers.get("Retry-After")) for each in bench.take_responses()]
    assert answers[REQUESTS_AT_ONCE:] == [(500, "5")] * 2 * REQUESTS_AT_ONCE
    assert (500, "5") not in answers[:REQUESTS_AT_ONCE]
    assert len(bench.take_told(RequestTurnedAway)) == 2 * REQUESTS_AT_ONCE
    bench.in_dialog(invite, "BYE", cseq=1000)
    assert [each.status for each in bench.take_responses()] == [200]
    assert len(bench.take_told(SessionEnded)) == 1


def test_after_a_while_requests_within_a_call_are_taken_again() -> None:
    bench = Bench()
    invite = bench.connect()
    for number in range(REQUESTS_AT_ONCE + 1):
        bench.in_dialog(invite, "INFO", cseq=number + 1, body=OFFER)
    bench.take_responses()
    bench.wait(1.0)
    bench.in_dialog(invite, "UPDATE", cseq=1000)
    assert [each.status for each in bench.take_responses()] == [200]


def is_request(message: Message, method: str) -> bool:
    return isinstance(message, Request) and message.method == method
