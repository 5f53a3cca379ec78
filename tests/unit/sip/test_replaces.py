"""Calls that take the place of others, between three cores in virtual time (RFC 3891, RFC 3892)."""

from __future__ import annotations

import pytest
from support.sip_wire import ANSWER, OFFER, Peer, Wire

from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionEnded, SessionInvited, SessionReferred
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.messages.uri import NameAddress
from voip_engine.sip.sessions.session import SessionStateError


def three_peers() -> tuple[Wire, Peer, Peer, Peer]:
    wire = Wire()
    return wire, wire.peer("10.0.0.1"), wire.peer("10.0.0.2"), wire.peer("10.0.0.3")


def call_up(wire: Wire, caller: Peer, callee: Peer) -> str:
    session = caller.call(callee)
    wire.run(until=wire.now + 0.1)
    callee.apply(callee.core.answer(session, ANSWER, wire.now))
    wire.run(until=wire.now + 0.3)
    assert caller.of(SessionAnswered)
    return session


def invite_replacing(wire: Wire, caller: Peer, callee: Peer, *headers: tuple[str, str]) -> str:
    session, effects = caller.core.invite(
        target=callee.uri,
        next_hop=callee.hop,
        local=caller.local,
        account=None,
        caller=NameAddress("", caller.uri),
        offer=OFFER,
        now=wire.now,
        extra=(("Require", "replaces"), *headers),
    )
    caller.apply(effects)
    wire.run(until=wire.now + 0.2)
    return session


def ended(peer: Peer, session: str) -> list[int | None]:
    return [end.status for end in peer.of(SessionEnded) if end.session == session]


def dialog_at(wire: Wire, callee: Peer, session: str) -> tuple[str, str]:
    """The callee's own tag and the caller's, of a call that is up."""
    [(_, accepted)] = [each for each in wire.responses(callee.host, 200, "INVITE") if each[1].call_id == session]
    return accepted.to.tag or "", accepted.from_.tag or ""


def test_two_calls_are_joined_by_refer_and_replaces() -> None:
    """Alice has called Bob and Carol, and puts Bob in her place at Carol's."""
    wire, alice, bob, carol = three_peers()
    to_bob, to_carol = call_up(wire, alice, bob), call_up(wire, alice, carol)
    alice.apply(alice.core.features.refer_to_session(to_bob, to_carol, wire.now))
    wire.run(until=wire.now + 0.1)
    [referral] = bob.of(SessionReferred)
    assert referral.target.host == carol.host
    assert referral.replaces is not None
    joined = invite_replacing(wire, bob, carol, ("Replaces", referral.replaces))
    invited = carol.of(SessionInvited)[-1]
    assert (invited.session, invited.replaces) == (joined, to_carol)
    carol.apply(carol.core.answer(joined, ANSWER, wire.now))
    carol.apply(carol.core.hang_up(to_carol, wire.now))
    wire.run(until=wire.now + 0.3)
    assert carol.of(SessionConfirmed)[-1].session == joined
    assert ended(alice, to_carol) == [None]


def test_the_called_side_may_be_joined_too() -> None:
    """Carol has called Alice: the tags of that dialog stand the other way round."""
    wire, alice, bob, carol = three_peers()
    to_bob, from_carol = call_up(wire, alice, bob), call_up(wire, carol, alice)
    alice.apply(alice.core.features.refer_to_session(to_bob, from_carol, wire.now))
    wire.run(until=wire.now + 0.1)
    [referral] = bob.of(SessionReferred)
    assert referral.replaces is not None
    invite_replacing(wire, bob, carol, ("Replaces", referral.replaces))
    assert carol.of(SessionInvited)[-1].replaces == from_carol


def test_a_call_of_ours_that_still_rings_may_be_taken_over() -> None:
    """Call pickup: Carol's call to Alice rings there, and Bob, who knows its dialog, takes it."""
    wire, alice, bob, carol = three_peers()
    session = carol.call(alice)
    wire.run(until=0.1)
    alice.apply(alice.core.ring(session, wire.now))
    wire.run(until=0.2)
    [(_, ringing)] = wire.responses(alice.host, 180)
    picked = Replaces(session, ringing.from_.tag or "", ringing.to.tag or "", early_only=True)
    joined = invite_replacing(wire, bob, carol, ("Replaces", str(picked)))
    assert [(each.session, each.replaces) for each in carol.of(SessionInvited)] == [(joined, session)]


def test_what_may_not_be_replaced_is_refused() -> None:
    wire, alice, bob, carol = three_peers()
    session = call_up(wire, alice, carol)
    own, other = dialog_at(wire, carol, session)

    def status(*headers: tuple[str, str]) -> int | None:
        [status] = ended(bob, invite_replacing(wire, bob, carol, *headers))
        return status

    good = str(Replaces(session, own, other))
    assert status(("Replaces", str(Replaces(session, other, own)))) == 481  # as the other end would say it
    assert status(("Replaces", str(Replaces(session, own, "guessed")))) == 481
    assert status(("Replaces", str(Replaces("guessed", own, other)))) == 481
    assert status(("Replaces", f"{good};early-only")) == 486
    assert status(("Replaces", good), ("Replaces", good)) == 400
    assert status(("Replaces", good), ("Join", good)) == 400
    assert status(("Replaces", session)) == 400
    assert [each.session for each in carol.of(SessionInvited)] == [session]
    assert not ended(carol, session)


def test_a_call_that_rings_here_is_not_taken_over() -> None:
    wire, alice, bob, carol = three_peers()
    session = alice.call(carol)
    wire.run(until=0.1)
    carol.apply(carol.core.ring(session, wire.now))
    wire.run(until=0.2)
    [(_, ringing)] = wire.responses(carol.host, 180)
    early = Replaces(session, ringing.to.tag or "", ringing.from_.tag or "")
    assert ended(bob, invite_replacing(wire, bob, carol, ("Replaces", str(early)))) == [481]


def test_a_call_that_is_over_is_declined_or_unknown() -> None:
    wire, alice, bob, carol = three_peers()
    session = call_up(wire, alice, carol)
    own, other = dialog_at(wire, carol, session)
    wire.fate = lambda sender, message: [] if sender is alice else [0.01]  # its BYE is never answered
    carol.apply(carol.core.hang_up(session, wire.now))
    replaces = ("Replaces", str(Replaces(session, own, other)))
    assert ended(bob, invite_replacing(wire, bob, carol, replaces)) == [603]
    wire.run(until=wire.now + 40)
    assert ended(bob, invite_replacing(wire, bob, carol, replaces)) == [481]


def test_both_calls_have_to_be_up_to_be_joined() -> None:
    wire, alice, bob, carol = three_peers()
    to_bob = call_up(wire, alice, bob)
    ringing = alice.call(carol)
    wire.run(until=wire.now + 0.1)
    with pytest.raises(SessionStateError, match="both have to be up"):
        alice.core.features.refer_to_session(to_bob, ringing, wire.now)


def test_who_sent_a_call_here_is_told() -> None:
    wire, _, bob, carol = three_peers()
    for number, (value, known) in enumerate(
        [("Boss <sip:boss@example.org>;ref=1", "sip:boss@example.org"), ("nonsense<", "")]
    ):
        invite_replacing(wire, bob, carol, ("Referred-By", value))
        assert carol.of(SessionInvited)[number].referred_by == known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a@b",
        "a@b;to-tag=1",
        "a@b;from-tag=1",
        ";to-tag=1;from-tag=2",
        "a b;to-tag=1;from-tag=2",
        "a@b;to-tag;from-tag",
        'a@b;to-tag="1;early-only";from-tag=2',
        'a@b;to-tag="1\r\nX: y";from-tag=2',
    ],
)
def test_a_replaces_that_names_no_dialog_is_malformed(text: str) -> None:
    with pytest.raises(MalformedHeader):
        Replaces.parse(text)


def test_tags_of_old_phones_without_any_are_zero() -> None:
    assert Replaces.parse("a@b;to-tag=1;from-tag=0").dialog == ("a@b", "1", "")
