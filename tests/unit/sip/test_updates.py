"""UPDATE in both directions, before and after the answer, and where offers meet (RFC 3311)."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import (
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionProgressed,
    SessionReoffered,
    SessionReofferFailed,
)
from voip_engine.sip.messages.message import Request
from voip_engine.sip.sessions.session import SessionStateError

ALLOW = "Allow: INVITE, ACK, UPDATE"


def early(bench: Bench, *headers: str) -> Request:
    """Place a call whose audio is agreed on before it is answered."""
    invite = bench.place()
    bench.respond(invite, 183, "Require: 100rel", "RSeq: 1", ALLOW, *headers, body=ANSWER)
    [prack] = bench.take_requests("PRACK")
    bench.respond(prack, 200)
    bench.told.clear()
    return invite


def taken(bench: Bench) -> str:
    """Take a call of theirs, up and acknowledged; returns our tag."""
    bench.request("INVITE", ALLOW, body=OFFER)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("ACK", to_tag=tag)
    bench.told.clear()
    return tag


def test_an_update_without_an_offer_moves_the_target_and_changes_nothing_else() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "UPDATE", contact="<sip:carol@10.0.0.9:5099>")
    [ok] = bench.take_responses()
    assert (ok.status, ok.body) == (200, b"")
    assert ok.headers.get("Contact") == "<sip:alice@10.0.0.2:5060>"
    assert bench.told == []
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    assert [hop.port for hop in bench.hops("BYE")] == [5099]


def test_an_offer_in_an_update_is_answered_in_its_200() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "UPDATE", body=b"hold")
    assert [r.offer for r in bench.take_told(SessionReoffered)] == [b"hold"]
    bench.apply(bench.core.accept_reoffer(bench.session, b"held", bench.now))
    assert [(r.status, r.body) for r in bench.take_responses()] == [(200, b"held")]
    assert bench.take_told(SessionConfirmed) == []


def test_an_offer_in_an_update_may_be_refused() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "UPDATE", body=b"hold")
    bench.apply(bench.core.reject_reoffer(bench.session, 488, bench.now))
    assert [r.status for r in bench.take_responses()] == [488]
    assert bench.take_told(SessionEnded) == []


def test_an_early_session_is_changed_from_both_sides() -> None:
    bench = Bench()
    invite = early(bench)
    bench.in_dialog(invite, "UPDATE", body=b"theirs")
    bench.apply(bench.core.accept_reoffer(bench.session, b"agreed", bench.now))
    assert [(r.status, r.body) for r in bench.take_responses()] == [(200, b"agreed")]
    bench.told.clear()
    bench.apply(bench.core.reoffer(bench.session, b"ours", bench.now))
    [update] = bench.take_requests("UPDATE")
    assert (update.body, update.to.tag) == (b"ours", "t")
    bench.respond(update, 200, body=b"fine")
    assert [a.body for a in bench.take_told(SessionAnswered)] == [b"fine"]
    bench.respond(invite, 200)
    assert [a.body for a in bench.take_told(SessionAnswered)] == [None]  # the first answer no longer counts


def test_what_branches_agree_on_is_kept_apart() -> None:
    bench = Bench(session_timer_s=200)
    invite = early(bench)
    bench.respond(invite, 183, "Require: 100rel", "RSeq: 1", ALLOW, tag="other", body=b"early")
    for tag in ("t", "other"):
        bench.in_dialog(invite, "UPDATE", from_tag=tag, body=b"offer")
        assert [r.branch for r in bench.take_told(SessionReoffered)] == [tag]
        bench.apply(bench.core.accept_reoffer(bench.session, f"agreed with {tag}".encode(), bench.now))
    # What it said before, said once more: its UPDATE came later.
    bench.respond(invite, 180, body=ANSWER)
    assert [p.body for p in bench.take_told(SessionProgressed)] == [None]
    bench.respond(invite, 200, "Session-Expires: 200;refresher=uac", "Allow: INVITE", body=ANSWER)
    assert [(a.body, a.branch) for a in bench.take_told(SessionAnswered)] == [(None, "t")]
    bench.take_requests()
    bench.wait(101)
    assert [r.body for r in bench.take_requests("INVITE")] == [b"agreed with t"]


def test_what_another_branch_agreed_on_is_not_repeated_to_the_one_that_answers() -> None:
    bench = Bench(session_timer_s=200)
    invite = early(bench)
    bench.in_dialog(invite, "UPDATE", body=b"offer")
    bench.apply(bench.core.accept_reoffer(bench.session, b"agreed", bench.now))
    bench.respond(invite, 200, "Session-Expires: 200;refresher=uac", "Allow: INVITE", tag="other", body=ANSWER)
    bench.take_requests()
    bench.wait(101)
    assert [r.body for r in bench.take_requests("INVITE")] == [OFFER]


def test_before_the_answer_only_those_are_changed_that_take_update() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 183, "Allow: INVITE", body=ANSWER)
    with pytest.raises(SessionStateError, match="not up yet"):
        bench.core.reoffer(bench.session, b"ours", bench.now)


@pytest.mark.parametrize("status", [488, 491, 500, 481])
def test_a_refused_update_leaves_the_call_as_it_was(status: int) -> None:
    bench = Bench()
    invite = early(bench)
    bench.apply(bench.core.reoffer(bench.session, b"ours", bench.now))
    [update] = bench.take_requests("UPDATE")
    bench.respond(update, status)
    assert [(f.status, f.by) for f in bench.take_told(SessionReofferFailed)] == [(status, "remote")]
    bench.respond(invite, 200)
    assert len(bench.take_told(SessionAnswered)) == 1


# ---- offers that meet ----


def test_an_offer_that_meets_our_unanswered_one_gets_491() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180)
    bench.in_dialog(invite, "UPDATE", body=b"theirs")
    assert [r.status for r in bench.take_responses()] == [491]


@pytest.mark.parametrize("phase", ["early", "up"])
def test_an_offer_that_meets_our_update_or_reinvite_gets_491(phase: str) -> None:
    bench = Bench()
    invite = early(bench) if phase == "early" else bench.connect()
    bench.apply(bench.core.reoffer(bench.session, b"ours", bench.now))
    bench.in_dialog(invite, "UPDATE", body=b"theirs")
    assert [r.status for r in bench.take_responses()] == [491]
    assert bench.take_told(SessionReoffered) == []


@pytest.mark.parametrize("first", ["UPDATE", "INVITE"])
def test_an_update_before_their_last_offer_is_answered_gets_500(first: str) -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, first, body=b"one")
    bench.take_responses()
    bench.in_dialog(invite, "UPDATE", cseq=2, body=b"two")
    [refusal] = bench.take_responses()
    assert refusal.status == 500
    assert 0 <= int(refusal.headers.get("Retry-After") or -1) <= 10


def test_an_update_before_their_call_is_answered_gets_500() -> None:
    bench = Bench()
    bench.request("INVITE", body=OFFER)
    bench.take_responses()
    bench.apply(bench.core.ring("theirs", bench.now))
    tag = bench.take_responses()[0].to.tag or ""
    bench.request("UPDATE", to_tag=tag, cseq=2, body=b"other")
    assert [r.status for r in bench.take_responses()] == [500]
    bench.request("UPDATE", to_tag=tag, cseq=3)
    assert [r.status for r in bench.take_responses()] == [200]


def test_an_offer_that_meets_our_late_one_gets_491() -> None:
    bench = Bench()
    bench.request("INVITE")
    bench.apply(bench.core.answer("theirs", OFFER, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("UPDATE", to_tag=tag, cseq=2, body=b"theirs")
    assert [r.status for r in bench.take_responses()] == [491]


def test_a_reinvite_of_ours_waits_for_their_update_to_be_answered() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "UPDATE", body=b"theirs")
    bench.apply(bench.core.reoffer(bench.session, b"ours", bench.now))
    assert bench.take_requests("INVITE") == []
    bench.apply(bench.core.accept_reoffer(bench.session, b"agreed", bench.now))
    assert [r.body for r in bench.take_requests("INVITE")] == [b"ours"]


def test_hanging_up_refuses_an_update_that_waits() -> None:
    bench = Bench()
    tag = taken(bench)
    bench.request("UPDATE", to_tag=tag, cseq=2, body=b"theirs")
    bench.apply(bench.core.hang_up("theirs", bench.now))
    assert [r.status for r in bench.take_responses()] == [487]


def test_an_update_after_the_end_gets_481() -> None:
    bench = Bench()
    tag = taken(bench)
    bench.apply(bench.core.hang_up("theirs", bench.now))
    bench.request("UPDATE", to_tag=tag, cseq=2, contact=f"<sip:carol@{THEM}>")
    assert [r.status for r in bench.take_responses()] == [481]
