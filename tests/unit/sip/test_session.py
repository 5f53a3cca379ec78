"""Calls between two cores on a wire in memory: the usual course, and every race (RFC 3261 §9, §13–15)."""

from __future__ import annotations

import pytest
from support.sip_calls import (
    answer_with,
    assert_nothing_left,
    connected,
    deliver,
    ends,
    is_request,
    lose,
    two_peers,
)
from support.sip_wire import ANSWER, OFFER, Peer, Wire

from voip_engine.sip.effects import (
    MessageRejected,
    SendRequest,
    SessionAnswered,
    SessionConfirmed,
    SessionInvited,
    SessionProgressed,
)
from voip_engine.sip.flow import Transport
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import NameAddress
from voip_engine.sip.sessions.session import SessionStateError

# ---- the usual course ----


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_call_is_placed_answered_and_hung_up(transport: Transport) -> None:
    wire, alice, bob = two_peers(transport=transport)
    session = alice.call(bob)
    wire.run(until=0.1)
    [invited] = bob.of(SessionInvited)
    assert (invited.session, invited.offer, invited.account) == (session, OFFER, None)
    assert str(invited.caller.uri) == str(alice.uri)
    assert len(wire.responses(bob.host, 100)) == 1
    bob.apply(bob.core.ring(session, wire.now))
    wire.run(until=0.2)
    assert [(p.status, p.body) for p in alice.of(SessionProgressed)] == [(180, None)]
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.3)
    assert [(a.session, a.body) for a in alice.of(SessionAnswered)] == [(session, ANSWER)]
    assert bob.of(SessionConfirmed) == [SessionConfirmed(session, None)]
    alice.apply(alice.core.hang_up(session, wire.now))
    assert ends(alice) == [("local", None, "Hung up on this side.")]
    wire.run(until=0.5)
    assert ends(bob) == [("remote", None, "The other side hung up.")]
    assert len(wire.requests(alice.host, "BYE")) == 1
    assert_nothing_left(wire)


def test_the_called_side_hangs_up() -> None:
    wire, alice, bob, session = connected()
    bob.apply(bob.core.hang_up(session, wire.now))
    wire.run(until=1.0)
    assert ends(alice) == [("remote", None, "The other side hung up.")]
    [(_, bye)] = wire.requests(bob.host, "BYE")
    assert str(bye.uri) == "sip:user@10.0.0.1:5060"
    assert_nothing_left(wire)


def test_early_media_comes_with_183() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.ring(session, wire.now, ANSWER))
    wire.run(until=0.2)
    assert [(p.status, p.body) for p in alice.of(SessionProgressed)] == [(183, ANSWER)]


def test_ringing_is_repeated_every_minute_for_five_minutes() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=1.0)
    bob.apply(bob.core.ring(session, wire.now))
    wire.run(until=299.0)
    assert [round(at) for at, _ in wire.responses(bob.host, 180)] == [1 + 60 * minute for minute in range(5)]
    assert ends(alice) == ends(bob) == []
    wire.run(until=301.0)
    assert ends(alice) == [("remote", 408, "Nobody answered within five minutes (408).")]
    assert len(wire.requests(alice.host, "CANCEL")) == 1
    assert_nothing_left(wire)


def test_a_call_that_nobody_takes_here_is_refused_after_five_minutes() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.ring(session, wire.now))
    wire.run(until=0.2)
    wire.fate = lambda sender, message: [] if isinstance(message, Request) else [0.01]
    wire.run(until=302.0)
    assert ends(bob) == [("local", 480, "Nobody answered on this side in time (480).")]


def test_a_callee_that_falls_silent_after_ringing_is_given_up_after_three_minutes() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.ring(session, wire.now))
    wire.run(until=0.2)
    wire.fate = lambda sender, message: []
    wire.run(until=200)
    assert ends(alice) == [("remote", 408, "Nobody answered and nothing more was heard for three minutes (408).")]
    assert round(alice.core.next_deadline() or 0) > 200
    wire.fate = lambda sender, message: [0.01]
    bob.apply(bob.core.hang_up(session, wire.now))
    assert_nothing_left(wire)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, "Moved to another address for now (302)."),
        (403, "Refused by the other side (403)."),
        (404, "No such user (404)."),
        (486, "Busy (486)."),
        (488, "Nothing acceptable: no common codec, or no encryption that both sides have (488)."),
        (499, "Odd (499)."),
        (603, "Declined (603)."),
    ],
)
def test_a_refusal_is_told_in_plain_words(status: int, reason: str) -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.reject(session, status, wire.now, "Odd" if status == 499 else None))
    assert ends(bob) == [("local", status, f"Rejected on this side ({status}).")]
    wire.run(until=0.2)
    assert ends(alice) == [("remote", status, reason)]
    assert_nothing_left(wire)


def test_nobody_there_ends_after_timer_b() -> None:
    wire = Wire()
    alice = wire.peer("10.0.0.1")
    nowhere = Peer(wire, "10.9.9.9", 1, 1)
    alice.call(nowhere)
    wire.run(until=31.9)
    assert ends(alice) == []
    wire.run(until=32.0)
    assert ends(alice) == [("remote", 408, "The other side did not reply at all (408).")]
    assert_nothing_left(wire)


def test_a_request_that_cannot_be_sent_ends_the_call_with_the_transport_s_words() -> None:
    _wire, alice, bob = two_peers()
    _, effects = alice.core.invite(
        target=bob.uri,
        next_hop=bob.hop,
        local=alice.local,
        account=None,
        caller=NameAddress("", bob.uri),
        offer=OFFER,
        now=0.0,
    )
    [transaction] = [effect.transaction for effect in effects if isinstance(effect, SendRequest)]
    alice.apply(alice.core.transport_failed(transaction, "There is no host pbx.example.", 0.1))
    assert ends(alice) == [("local", 503, "There is no host pbx.example.")]
    assert alice.core.idle


def test_a_late_offer_is_answered_in_the_ack() -> None:
    wire, _alice, bob = two_peers()
    bob.on_told = answer_with(bob, wire, OFFER)
    invite = (
        b"INVITE sip:user@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport\r\n"
        b"From: <sip:a@10.0.0.1>;tag=a\r\nTo: <sip:user@10.0.0.2>\r\nCall-ID: late\r\nCSeq: 1 INVITE\r\n"
        b"Contact: <sip:a@10.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    )
    deliver(wire, bob, invite)
    [(_, ok)] = wire.responses(bob.host, 200)
    assert bob.of(SessionInvited)[0].offer is None
    ack = (
        b"ACK sip:user@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK2;rport\r\n"
        b"From: <sip:a@10.0.0.1>;tag=a\r\nTo: " + (ok.headers.get("To") or "").encode() + b"\r\nCall-ID: late\r\n"
        b"CSeq: 1 ACK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
    )
    deliver(wire, bob, ack)
    assert bob.of(SessionConfirmed) == [SessionConfirmed("late", ANSWER)]


# ---- races ----


def test_hanging_up_before_anything_came_back_waits_with_the_cancel() -> None:
    wire, alice, bob = two_peers()
    wire.fate = lose(1, is_request("INVITE"))
    session = alice.call(bob)
    alice.apply(alice.core.hang_up(session, wire.now))
    assert ends(alice) == [("local", None, "Hung up on this side.")]
    assert wire.requests(alice.host, "CANCEL") == []
    wire.run(until=5.0)
    assert len(wire.requests(alice.host, "CANCEL")) == 1
    assert ends(bob) == [("remote", 487, "The caller hung up before the call was answered.")]
    assert [m.cseq.method for _, m in wire.responses(bob.host, 200)] == ["CANCEL"]
    assert len(wire.responses(bob.host, 487)) == 1
    assert_nothing_left(wire)


def test_cancel_meets_200_the_call_is_acknowledged_and_hung_up() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    alice.apply(alice.core.hang_up(session, wire.now))
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=1.0)
    assert len(wire.requests(alice.host, "CANCEL")) == 1
    assert len(wire.requests(alice.host, "ACK")) == 1
    assert len(wire.requests(alice.host, "BYE")) == 1
    assert alice.of(SessionAnswered) == []
    assert len(ends(alice)) == 1
    assert ends(bob) == [("remote", None, "The other side hung up.")]
    assert_nothing_left(wire)


def test_a_cancelled_invite_that_is_never_answered_is_forgotten_after_64_t1() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    wire.fate = lambda sender, message: []
    alice.apply(alice.core.hang_up(session, wire.now))
    wire.run(until=32.2)
    assert alice.core.idle


def test_bye_meets_bye_both_are_answered() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.hang_up(session, wire.now))
    bob.apply(bob.core.hang_up(session, wire.now))
    wire.run(until=1.0)
    assert len(wire.responses(alice.host, 200, "BYE")) == len(wire.responses(bob.host, 200, "BYE")) == 1
    assert len(ends(alice)) == len(ends(bob)) == 1
    assert_nothing_left(wire)


def test_the_called_side_sends_no_bye_before_the_ack() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    wire.fate = lose(1, is_request("ACK"))
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    bob.apply(bob.core.hang_up(session, wire.now))
    assert ends(bob) == [("local", None, "Hung up on this side.")]
    wire.run(until=0.4)
    assert wire.requests(bob.host, "BYE") == []
    wire.run(until=2.0)
    assert len(wire.requests(bob.host, "BYE")) == 1
    assert bob.of(SessionConfirmed) == []
    assert_nothing_left(wire)


def test_a_refused_call_whose_ack_is_lost_ends_all_the_same() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    wire.fate = lose(1, is_request("ACK"))
    bob.apply(bob.core.reject(session, 486, wire.now))
    wire.run(until=5.0)
    assert len(wire.responses(bob.host, 486)) == 2
    assert len(ends(alice)) == 1
    assert_nothing_left(wire)


def test_hanging_up_on_a_call_that_waits_refuses_it() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.hang_up(session, wire.now))
    wire.run(until=0.5)
    assert ends(alice) == [("remote", 480, "Nobody is available there at present (480).")]
    assert_nothing_left(wire)


# ---- hygiene ----


def test_a_bye_with_a_foreign_tag_ends_nothing() -> None:
    wire, alice, bob, _session = connected()
    _, ack = wire.requests(alice.host, "ACK")[0]
    forged = ack.serialize().replace(b"ACK", b"BYE").replace(b"CSeq: 1", b"CSeq: 9")
    deliver(wire, bob, forged.replace(b";tag=", b";tag=x"), source="10.6.6.6")
    assert ends(bob) == []
    assert len(wire.responses(bob.host, 481)) == 1


def test_a_cancel_with_a_guessed_branch_only_ends_nothing() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    _, invite = wire.requests(alice.host, "INVITE")[0]
    cancel = invite.serialize().replace(b"INVITE", b"CANCEL").replace(session.encode(), b"guessed")
    deliver(wire, bob, cancel)
    assert ends(bob) == []
    assert len(wire.responses(bob.host, 481)) == 1


def test_a_response_nobody_asked_for_is_rejected() -> None:
    wire, alice, bob, _session = connected()
    _, ok = wire.responses(bob.host, 200)[0]
    deliver(wire, alice, ok.serialize().replace(b"z9hG4bK", b"z9hG4bKx"), source="10.6.6.6")
    assert len(alice.of(MessageRejected)) == 1
    assert len(alice.told) == 1


def test_a_request_out_of_order_gets_500() -> None:
    wire, alice, bob, _session = connected()
    _, ack = wire.requests(alice.host, "ACK")[0]
    deliver(wire, bob, ack.serialize().replace(b"ACK", b"BYE").replace(b"z9hG4bK", b"z9hG4bKx"))
    assert ends(bob) == []
    assert len(wire.responses(bob.host, 500)) == 1


def test_commands_that_do_not_fit_the_state_say_so() -> None:
    wire, alice, bob, session = connected()
    with pytest.raises(SessionStateError, match="cannot be answered"):
        alice.core.answer(session, ANSWER, wire.now)
    with pytest.raises(SessionStateError, match="cannot ring"):
        bob.core.ring(session, wire.now)
    with pytest.raises(ValueError, match="300 to 699"):
        bob.core.reject(session, 200, wire.now)
    waiting = alice.call(bob)
    with pytest.raises(SessionStateError, match="not up"):
        alice.core.reoffer(waiting, OFFER, wire.now)


def test_commands_on_a_call_that_is_over_do_nothing() -> None:
    wire, alice, _bob, session = connected()
    alice.apply(alice.core.hang_up(session, wire.now))
    for _ in range(2):
        assert alice.core.hang_up(session, wire.now) == []
        assert alice.core.reoffer(session, OFFER, wire.now) == []
        assert alice.core.answer(session, ANSWER, wire.now) == []
        assert alice.core.ring(session, wire.now) == []
        assert alice.core.reject(session, 486, wire.now) == []
        wire.run()
