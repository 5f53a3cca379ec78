"""Provisional responses that have to arrive, and their PRACKs, on both sides (RFC 3262)."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionAnswered, SessionConfirmed, SessionEnded, SessionProgressed, SessionReoffered
from voip_engine.sip.messages.message import Response

RELIABLE = "Require: 100rel"


def rung(bench: Bench, *, extension: str = "Require: 100rel", body: bytes | None = ANSWER) -> Response:
    """Let them call; ring, and return what went out for it."""
    bench.request("INVITE", extension, body=OFFER)
    bench.take_responses()
    bench.apply(bench.core.ring("theirs", bench.now, body))
    [progress] = bench.take_responses()
    return progress


def prack(bench: Bench, progress: Response, *, rack: str = "", cseq: int = 2, body: bytes = b"") -> Response:
    """Let them acknowledge a response; return the first answer to that."""
    rack = rack or f"{progress.headers.get('RSeq')} 1 INVITE"
    bench.request("PRACK", f"RAck: {rack}", to_tag=progress.to.tag or "", cseq=cseq, body=body)
    return next(r for r in bench.take_responses() if r.cseq.method == "PRACK")


# ---- calls of ours ----


def test_a_reliable_ringing_is_acknowledged_once() -> None:
    bench = Bench()
    invite = bench.place()
    assert "100rel" in invite.headers.get_list("Supported")
    for _ in range(2):
        bench.respond(invite, 180, RELIABLE, "RSeq: 7")
    [sent] = bench.take_requests("PRACK")
    assert sent.headers.get("RAck") == "7 1 INVITE"
    assert (str(sent.uri), sent.to.tag, sent.cseq.number) == ("sip:carol@10.0.0.9", "t", 2)
    assert len(bench.take_told(SessionProgressed)) == 1
    bench.respond(sent, 200)
    bench.respond(invite, 200, body=ANSWER)
    [ack] = bench.take_requests("ACK")
    assert ack.cseq.number == 1
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    assert bye.cseq.number == 3


def test_one_that_overtook_another_waits_to_be_repeated() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180, RELIABLE, "RSeq: 7")
    bench.respond(invite, 183, RELIABLE, "RSeq: 9", body=b"late")
    assert [r.headers.get("RAck") for r in bench.take_requests("PRACK")] == ["7 1 INVITE"]
    bench.respond(invite, 183, RELIABLE, "RSeq: 8", body=ANSWER)
    bench.respond(invite, 183, RELIABLE, "RSeq: 9", body=b"late")
    assert [r.headers.get("RAck") for r in bench.take_requests("PRACK")] == ["8 1 INVITE", "9 1 INVITE"]
    assert [p.body for p in bench.take_told(SessionProgressed)] == [None, ANSWER, b"late"]


def test_every_branch_of_a_fork_counts_for_itself() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 183, RELIABLE, "RSeq: 1", tag="one", body=b"one", contact="<sip:one@10.0.0.9>")
    bench.respond(invite, 183, RELIABLE, "RSeq: 100", tag="two", body=b"two", contact="<sip:two@10.0.0.9>")
    assert [(r.to.tag, r.headers.get("RAck"), str(r.uri)) for r in bench.take_requests("PRACK")] == [
        ("one", "1 1 INVITE", "sip:one@10.0.0.9"),
        ("two", "100 1 INVITE", "sip:two@10.0.0.9"),
    ]
    # The first one answers, and has said before, reliably, what audio it wants.
    bench.told.clear()
    bench.respond(invite, 200, tag="one")
    assert [answered.body for answered in bench.take_told(SessionAnswered)] == [b"one"]


def test_no_prack_for_what_cannot_be_named() -> None:
    bench = Bench()
    bench.respond(bench.place(), 180, RELIABLE, "RSeq: x")
    assert bench.take_requests("PRACK") == []
    assert len(bench.take_told(SessionProgressed)) == 1


def test_a_refused_prack_ends_nothing() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180, RELIABLE, "RSeq: 7")
    [sent] = bench.take_requests("PRACK")
    bench.respond(sent, 481)
    bench.wait(40)
    bench.respond(invite, 200, body=ANSWER)
    assert len(bench.take_told(SessionAnswered)) == 1


# ---- calls of theirs ----


def test_ringing_is_reliable_where_the_caller_wants_nothing_else() -> None:
    bench = Bench()
    progress = rung(bench, body=None)
    assert (progress.status, progress.headers.get_list("Require")) == (180, ["100rel"])
    assert 1 <= int(progress.headers.get("RSeq") or 0) < 2**31 + 1
    bench.wait(4)
    assert [r.status for r in bench.take_responses()] == [180, 180, 180]
    assert prack(bench, progress).status == 200
    bench.wait(60)
    assert bench.take_responses() == []
    bench.wait(100)
    [again] = [r for r in bench.take_responses() if r.headers.get("RSeq") != progress.headers.get("RSeq")][:1]
    assert int(again.headers.get("RSeq") or 0) == int(progress.headers.get("RSeq") or 0) + 1


@pytest.mark.parametrize(("extension", "body"), [("Supported: 100rel", None), ("Subject: x", ANSWER)])
def test_otherwise_ringing_is_what_it_was(extension: str, body: bytes | None) -> None:
    progress = rung(Bench(), extension=extension, body=body)
    assert progress.headers.get_list("Require") == []
    assert "RSeq" not in progress.headers


def test_early_media_is_reliable_where_it_can_be() -> None:
    assert rung(Bench(), extension="Supported: timer, 100rel").headers.get_list("Require") == ["100rel"]


def test_the_answer_waits_until_the_early_one_is_acknowledged() -> None:
    bench = Bench()
    progress = rung(bench)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    assert bench.take_responses() == []
    bench.request("PRACK", f"RAck: {progress.headers.get('RSeq')} 1 INVITE", to_tag=progress.to.tag or "", cseq=2)
    assert sorted(r.cseq.method for r in bench.take_responses()) == ["INVITE", "PRACK"]
    bench.request("ACK", to_tag=progress.to.tag or "", cseq=1)
    assert len(bench.take_told(SessionConfirmed)) == 1


@pytest.mark.parametrize("end", ["hang_up", "cancel"])
def test_an_answer_that_waits_can_still_be_taken_back(end: str) -> None:
    bench = Bench()
    rung(bench)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    if end == "hang_up":
        bench.apply(bench.core.hang_up("theirs", bench.now))
        assert [r.status for r in bench.take_responses()] == [480]
    else:
        bench.request("CANCEL", branch="z9hG4bK1")
        assert sorted(r.status for r in bench.take_responses()) == [200, 487]
    assert len(bench.take_told(SessionEnded)) == 1
    bench.finish()


@pytest.mark.parametrize("answered", [True, False])
def test_without_a_prack_the_call_is_refused_after_64_t1(answered: bool) -> None:
    bench = Bench()
    rung(bench)
    if answered:
        bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    bench.wait(31.9)
    assert bench.take_told(SessionEnded) == []
    bench.wait(0.2)
    assert bench.take_responses()[-1].status == 504
    assert [end.status for end in bench.take_told(SessionEnded)] == [504]
    bench.finish()


def test_one_response_at_a_time_waits_for_its_prack() -> None:
    bench = Bench()
    first = rung(bench, body=None)
    bench.apply(bench.core.ring("theirs", bench.now, ANSWER))
    assert bench.take_responses() == []
    bench.request("PRACK", f"RAck: {first.headers.get('RSeq')} 1 INVITE", to_tag=first.to.tag or "", cseq=2)
    second = next(r for r in bench.take_responses() if r.cseq.method == "INVITE")
    assert (second.status, second.body) == (183, ANSWER)
    assert int(second.headers.get("RSeq") or 0) == int(first.headers.get("RSeq") or 0) + 1


@pytest.mark.parametrize(("rack", "status"), [("1 1 INVITE", 481), ("", 400), ("x y z", 400)])
def test_a_prack_for_nothing_is_refused(rack: str, status: int) -> None:
    bench = Bench()
    progress = rung(bench)
    bench.request("PRACK", *([f"RAck: {rack}"] if rack else []), to_tag=progress.to.tag or "", cseq=2)
    assert [r.status for r in bench.take_responses()] == [status]
    assert bench.take_told(SessionEnded) == []


def test_a_prack_after_the_answer_is_known() -> None:
    bench = Bench()
    progress = rung(bench, body=None)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    bench.take_responses()
    assert prack(bench, progress).status == 200
    assert prack(bench, progress, cseq=3).status == 481


def test_an_offer_in_a_prack_is_answered_in_its_200() -> None:
    bench = Bench()
    progress = rung(bench)
    bench.request(
        "PRACK", f"RAck: {progress.headers.get('RSeq')} 1 INVITE", to_tag=progress.to.tag or "", cseq=2, body=b"other"
    )
    assert [r.offer for r in bench.take_told(SessionReoffered)] == [b"other"]
    bench.apply(bench.core.accept_reoffer("theirs", b"agreed", bench.now))
    [ok] = bench.take_responses()
    assert (ok.status, ok.cseq.method, ok.body) == (200, "PRACK", b"agreed")


def test_a_late_offering_caller_who_wants_all_reliably_hears_of_the_answer_only() -> None:
    bench = Bench()
    bench.request("INVITE", RELIABLE)
    bench.take_responses()
    bench.apply(bench.core.ring("theirs", bench.now))
    assert bench.take_responses() == []
    bench.apply(bench.core.answer("theirs", OFFER, bench.now))
    assert [(r.status, r.body) for r in bench.take_responses()] == [(200, OFFER)]
