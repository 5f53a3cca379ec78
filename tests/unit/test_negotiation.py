"""Who holds a call, over whatever both sides offer and answer (RFC 3264 §8.4)."""

from __future__ import annotations

import pytest

from voip_engine.calls.negotiation import CallNegotiation
from voip_engine.sdp.description import SessionDescription
from voip_engine.sdp.plan import HostPort, SrtpPolicy
from voip_engine.snapshots import Holder

ANSWER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=%s\r\n"


def two() -> tuple[CallNegotiation, CallNegotiation]:
    """Two sides that have agreed to talk."""
    ours, theirs = (CallNegotiation(HostPort(f"192.0.2.{n}", 4000 + 2 * n), ("PCMA", "PCMU")) for n in (1, 2))
    ours.take_answer(theirs.answer(ours.offer()))
    return ours, theirs


def holders(ours: CallNegotiation, theirs: CallNegotiation) -> tuple[Holder, Holder]:
    return ours.held_by, theirs.held_by


def direction_of(body: bytes) -> str:
    [section] = SessionDescription.parse(body).media
    names = {attribute.name for attribute in section.attributes}
    return (names & {"sendrecv", "sendonly", "recvonly", "inactive"}).pop()


def exchange(asking: CallNegotiation, asked: CallNegotiation, *, hold: bool) -> tuple[str, str]:
    """One side holds or resumes; gives the directions that were offered and answered."""
    offer = asking.offer(hold=hold)
    answer = asked.answer(offer)
    asking.take_answer(answer)
    return direction_of(offer), direction_of(answer)


def test_each_side_knows_who_holds() -> None:
    ours, theirs = two()
    assert holders(ours, theirs) == (Holder.NOBODY, Holder.NOBODY)
    assert exchange(ours, theirs, hold=True) == ("sendonly", "recvonly")
    assert holders(ours, theirs) == (Holder.US, Holder.THEM)
    assert exchange(ours, theirs, hold=False) == ("sendrecv", "sendrecv")
    assert holders(ours, theirs) == (Holder.NOBODY, Holder.NOBODY)


@pytest.mark.parametrize("first_resumes", [True, False])
def test_both_hold_and_resume_in_either_order(first_resumes: bool) -> None:
    ours, theirs = two()
    exchange(ours, theirs, hold=True)
    assert exchange(theirs, ours, hold=True) == ("inactive", "inactive")
    assert holders(ours, theirs) == (Holder.BOTH, Holder.BOTH)
    sides = (ours, theirs) if first_resumes else (theirs, ours)
    assert exchange(*sides, hold=False) == ("sendrecv", "sendonly")
    assert (sides[0].held_by, sides[1].held_by) == (Holder.THEM, Holder.US)
    assert exchange(sides[1], sides[0], hold=False) == ("sendrecv", "sendrecv")
    assert holders(ours, theirs) == (Holder.NOBODY, Holder.NOBODY)


def test_holds_that_meet_leave_both_holding() -> None:
    ours, theirs = two()
    lost = ours.offer(hold=True), theirs.offer(hold=True)  # both get 491
    assert {direction_of(offer) for offer in lost} == {"sendonly"}
    theirs_again = theirs.offer()
    answer = ours.answer(theirs_again)
    theirs.take_answer(answer)
    assert (direction_of(theirs_again), direction_of(answer)) == ("sendonly", "recvonly")
    ours_again = ours.offer()
    assert direction_of(ours_again) == "inactive"
    ours.take_answer(theirs.answer(ours_again))
    assert holders(ours, theirs) == (Holder.BOTH, Holder.BOTH)


def test_every_description_is_a_later_version() -> None:
    ours, theirs = two()
    bodies = [ours.offer(hold=True), ours.answer(theirs.offer(hold=True)), ours.offer(), ours.offer(hold=False)]
    versions = [int(SessionDescription.parse(body).origin.session_version) for body in bodies]
    assert versions == sorted(set(versions))


def test_a_refused_hold_holds_nobody() -> None:
    ours, theirs = two()
    ours.offer(hold=True)
    ours.drop_offer()
    assert ours.held_by is Holder.NOBODY
    assert direction_of(ours.answer(theirs.offer())) == "sendrecv"


def test_the_answer_to_a_refresh_after_a_refused_hold_leaves_us_hearing() -> None:
    ours, theirs = two()
    agreed = theirs.answer(ours.offer())
    ours.take_answer(agreed)
    ours.offer(hold=True)
    ours.drop_offer()
    ours.take_answer(agreed)  # what was agreed on goes out once more, and is answered as before
    assert ours.plan is not None
    assert (ours.plan.direction, ours.held_by) == ("sendrecv", Holder.NOBODY)


@pytest.mark.parametrize(
    ("host", "direction", "holder"),
    [
        (b"192.0.2.9", b"sendonly", Holder.THEM),
        (b"192.0.2.9", b"inactive", Holder.THEM),
        (b"0.0.0.0", b"sendrecv", Holder.THEM),
        (b"0.0.0.0", b"inactive", Holder.THEM),
        (b"192.0.2.9", b"recvonly", Holder.NOBODY),
        (b"192.0.2.9", b"sendrecv", Holder.NOBODY),
    ],
)
@pytest.mark.parametrize("as_answer", [True, False])
def test_every_way_in_which_phones_hold(host: bytes, direction: bytes, holder: Holder, as_answer: bool) -> None:
    ours, _ = two()
    if as_answer:
        ours.offer()
        ours.take_answer(ANSWER % (host, direction))
    else:
        ours.answer(ANSWER % (host, direction))
    assert ours.held_by is holder
    assert ours.plan is not None
    assert (ours.plan.direction in ("sendrecv", "sendonly")) == (holder is Holder.NOBODY)


def test_a_refresh_with_the_same_answer_changes_nothing() -> None:
    ours, theirs = two()
    ours.answer(theirs.offer(hold=True))
    before = ours.plan
    ours.take_answer((ANSWER % (b"192.0.2.2", b"sendonly")).replace(b"AVP 0", b"AVP 8"))
    assert ours.held_by is Holder.THEM
    assert before is not None
    assert ours.plan is not None
    assert ours.plan.direction == before.direction == "recvonly"


def test_codecs_change_in_mid_call_and_a_refusal_brings_the_old_ones_back() -> None:
    ours, theirs = two()
    ours.take_answer(theirs.answer(ours.offer(codecs=("PCMU",))))
    assert ours.plan is not None
    assert (ours.plan.send.codec, theirs.plan and theirs.plan.send.codec) == ("PCMU", "PCMU")
    ours.offer(codecs=("PCMA",))
    ours.drop_offer()
    theirs.take_answer(ours.answer(theirs.offer()))
    assert ours.plan.send.codec == "PCMU"


def test_an_early_answer_is_replaced_by_that_of_whoever_takes_the_call() -> None:
    ours = CallNegotiation(HostPort("192.0.2.1", 4000), ("PCMU",))
    ours.offer()
    for host in (b"192.0.2.7", b"192.0.2.8"):
        ours.take_answer(ANSWER % (host, b"sendrecv"), final=False)
        assert ours.plan is not None
        assert ours.plan.remote_rtp.host == host.decode()
    assert ours.awaits_answer
    ours.take_answer(ANSWER % (b"192.0.2.7", b"sendrecv"))
    assert ours.plan.remote_rtp.host == "192.0.2.7"
    assert not ours.awaits_answer


def test_who_refuses_to_choose_is_offered_encryption_alone() -> None:
    ours, theirs = (CallNegotiation(HostPort(f"192.0.2.{n}", 4000), ("PCMU",), srtp="offered") for n in (1, 2))
    first, second = ours.offer(), ours.alternative()
    assert second is not None
    bodies = [SessionDescription.parse(body) for body in (first, second)]
    assert [body.media[0].protocol for body in bodies] == ["RTP/AVP", "RTP/SAVP"]
    assert int(bodies[1].origin.session_version) == int(bodies[0].origin.session_version) + 1
    ours.alternative_offered()
    ours.take_answer(theirs.answer(second))
    assert ours.plan is not None
    assert ours.plan.srtp is not None
    again = SessionDescription.parse(ours.offer(hold=True))
    assert again.media[0].protocol == "RTP/SAVP"
    assert int(again.origin.session_version) == int(bodies[1].origin.session_version) + 1


@pytest.mark.parametrize("policy", ["off", "required"])
def test_where_the_policy_leaves_no_choice_there_is_no_alternative(policy: SrtpPolicy) -> None:
    ours = CallNegotiation(HostPort("192.0.2.1", 4000), ("PCMU",), srtp=policy)
    ours.offer()
    assert ours.alternative() is None


def test_an_alternative_that_stayed_here_changes_nothing() -> None:
    ours, theirs = (
        CallNegotiation(HostPort(f"192.0.2.{n}", 4000), ("PCMU",), srtp=p) for n, p in ((1, "offered"), (2, "off"))
    )
    first = ours.offer()
    ours.alternative()
    ours.take_answer(theirs.answer(first))
    assert ours.plan is not None
    assert ours.plan.srtp is None
    assert SessionDescription.parse(ours.offer()).media[0].protocol == "RTP/AVP"


def test_of_several_branches_the_one_that_takes_the_call_counts_with_its_own_offer() -> None:
    ours = CallNegotiation(HostPort("192.0.2.1", 4000), ("PCMU",))
    ours.offer()
    for branch, host, direction in (("one", b"192.0.2.7", b"sendonly"), ("two", b"192.0.2.8", b"sendrecv")):
        ours.take_answer(ANSWER % (host, b"sendrecv"), final=False)
        ours.answer(ANSWER % (host, direction), early_branch=branch)
    ours.take_answer(ANSWER % (b"192.0.2.9", b"sendrecv"), final=False)
    assert not ours.go_back_to("three")
    assert ours.go_back_to("one")
    assert ours.plan is not None
    assert (ours.plan.remote_rtp.host, ours.held_by, ours.awaits_answer) == ("192.0.2.7", Holder.THEM, False)
    assert not ours.go_back_to("two")  # the others are gone


def test_the_offer_of_a_branch_that_did_not_take_the_call_is_nothing_to_go_back_to() -> None:
    ours, theirs = two()
    ours = CallNegotiation(ours.local, ("PCMU",))
    first = ours.offer()
    ours.answer(ANSWER % (b"192.0.2.7", b"sendonly"), early_branch="one")
    agreed = theirs.answer(first)
    ours.take_answer(agreed)
    ours.offer(hold=True)
    ours.drop_offer()
    ours.take_answer(agreed)  # what was agreed on goes out once more
    assert ours.plan is not None
    assert (ours.plan.direction, ours.held_by) == ("sendrecv", Holder.NOBODY)


def test_whatever_becomes_of_the_offer_that_tells_of_a_move_the_old_address_is_named_no_more() -> None:
    ours, theirs = two()
    ours.move(HostPort("192.0.2.77", 4000), None)
    assert b"192.0.2.77" in ours.offer()
    ours.drop_offer()
    for body in (ours.answer(theirs.offer()), ours.offer(hold=True)):
        assert b"c=IN IP4 192.0.2.77" in body
