"""Calls that both sides confirm now and then, in both roles (RFC 4028)."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionAnswered, SessionEnded, SessionReofferFailed
from voip_engine.sip.messages.message import Request, Response

EXPIRED = "The other side no longer confirmed that it is still there."
TIMER = "Supported: timer"


def expires(message: Request | Response) -> str | None:
    return message.headers.get("Session-Expires")


def taken(bench: Bench, *headers: str) -> Response:
    """Let them call, answer, and return our 200."""
    bench.request("INVITE", *headers, body=OFFER)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    ok = bench.take_responses()[-1]
    bench.request("ACK", to_tag=ok.to.tag or "")
    bench.told.clear()
    return ok


# ---- calls of ours ----


def test_we_ask_and_refresh_by_update_at_half_time() -> None:
    bench = Bench(session_timer_s=200)
    invite = bench.connect(TIMER, "Session-Expires: 200;refresher=uac")
    assert (expires(invite), "timer" in invite.headers.get_list("Supported")) == ("200", True)
    for _ in range(3):
        bench.wait(94)
        assert bench.take_requests() == []
        bench.wait(7)
        [update] = bench.take_requests()
        assert (update.method, update.body, expires(update)) == ("UPDATE", b"", "200;refresher=uac")
        bench.respond(update, 200, "Session-Expires: 200;refresher=uac")
    assert bench.told == []


def test_who_takes_no_update_gets_a_reinvite_with_what_is_agreed() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE, ACK, BYE")
    bench.wait(101)
    [refresh] = bench.take_requests()
    assert (refresh.method, refresh.body, expires(refresh)) == ("INVITE", OFFER, "200;refresher=uac")
    bench.respond(refresh, 200, "Session-Expires: 200;refresher=uac", body=ANSWER)
    assert [a.body for a in bench.take_told(SessionAnswered)] == [ANSWER]


@pytest.mark.parametrize("status", [405, 501])
def test_an_update_that_is_not_known_after_all_becomes_a_reinvite(status: int) -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac")
    bench.wait(101)
    [update] = bench.take_requests("UPDATE")
    bench.respond(update, status)
    assert [r.body for r in bench.take_requests("INVITE")] == [OFFER]


def test_a_refresh_refused_for_now_is_tried_again() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE")
    bench.wait(101)
    [refresh] = bench.take_requests()
    bench.respond(refresh, 500)
    assert bench.take_told(SessionReofferFailed) == []
    bench.wait(40)
    [refresh] = bench.take_requests("INVITE")
    bench.respond(refresh, 200, "Session-Expires: 200;refresher=uac", body=ANSWER)
    bench.wait(60)
    assert bench.take_told(SessionEnded) == []


@pytest.mark.parametrize(("refused_after_s", "refresh_after_s"), [(0, 5), (8, 40)])  # before it is due, and after
def test_a_change_that_is_refused_leaves_the_refresh_due(refused_after_s: float, refresh_after_s: float) -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE")
    bench.wait(94)
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    [hold] = bench.take_requests("INVITE")
    bench.respond(hold, 100)
    bench.wait(refused_after_s)
    bench.respond(hold, 488)
    assert len(bench.take_told(SessionReofferFailed)) == 1
    bench.take_requests()
    bench.wait(refresh_after_s)
    [refresh] = bench.take_requests("INVITE")
    assert refresh.body == OFFER
    bench.respond(refresh, 200, "Session-Expires: 200;refresher=uac", body=ANSWER)
    bench.wait(60)
    assert bench.take_told(SessionEnded) == []


def test_a_refused_change_refreshes_nothing_where_they_do() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uas", allow="INVITE")
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    [hold] = bench.take_requests("INVITE")
    bench.respond(hold, 488)
    bench.take_requests()
    bench.wait(160)
    assert bench.take_requests() == []


@pytest.mark.parametrize("status", [200, 500])
def test_the_answer_to_a_refresh_is_not_taken_for_one_to_a_change_that_waits(status: int) -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE")
    bench.wait(101)
    [refresh] = bench.take_requests("INVITE")
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    bench.respond(refresh, status, "Session-Expires: 200;refresher=uac", body=ANSWER)
    assert bench.told == []
    [hold] = bench.take_requests("INVITE")
    assert hold.body == b"hold"
    bench.respond(hold, 200, "Session-Expires: 200;refresher=uac", body=b"held")
    assert [a.body for a in bench.take_told(SessionAnswered)] == [b"held"]


def test_nobody_has_us_refresh_more_often_than_an_interval_of_90_s_wants() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 1;refresher=uac")
    bench.wait(42)
    assert bench.take_requests() == []
    bench.wait(4)
    [update] = bench.take_requests()
    assert expires(update) == "90;refresher=uac"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (481, "The other side no longer knows this call (481)."),
        (408, "The other side did not answer a request of ours (408)."),
    ],
)
def test_a_refresh_for_a_call_that_is_gone_ends_it(status: int, told: str) -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac")
    bench.wait(101)
    [update] = bench.take_requests()
    bench.respond(update, status)
    assert [end.reason for end in bench.take_told(SessionEnded)] == [told]


def test_who_should_refresh_and_does_not_is_hung_up() -> None:
    bench = Bench(session_timer_s=1800)
    bench.connect(TIMER, "Session-Expires: 1800;refresher=uas")
    bench.wait(1767)
    assert bench.take_requests() == []
    bench.wait(2)
    assert [r.method for r in bench.take_requests()] == ["BYE"]
    assert [(end.by, end.reason) for end in bench.take_told(SessionEnded)] == [("local", EXPIRED)]


def test_a_short_interval_ends_when_a_third_is_left() -> None:
    bench = Bench(session_timer_s=90)
    bench.connect("Session-Expires: 90;refresher=uas")
    bench.wait(59)
    assert bench.take_requests() == []
    bench.wait(2)
    assert [r.method for r in bench.take_requests()] == ["BYE"]


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_their_refresh_keeps_the_call(method: str) -> None:
    bench = Bench(session_timer_s=200)
    invite = bench.connect("Session-Expires: 200;refresher=uas")
    for number in range(1, 4):
        bench.wait(100)
        body = b"" if method == "UPDATE" else b"same"
        headers = (TIMER, "Session-Expires: 200;refresher=uac")
        bench.in_dialog(invite, method, *headers, cseq=number, body=body)
        if body:
            bench.apply(bench.core.accept_reoffer(bench.session, b"same", bench.now))
            bench.in_dialog(invite, "ACK", cseq=number)
        ok = bench.take_responses()[-1]
        assert (ok.status, expires(ok), ok.headers.get_list("Require")) == (200, "200;refresher=uac", ["timer"])
    assert bench.take_told(SessionEnded) == []


def test_an_answer_without_a_timer_means_that_there_is_none() -> None:
    bench = Bench(session_timer_s=100)
    bench.connect()
    bench.wait(10_000)
    assert bench.sent == []


def test_a_timer_that_only_they_want_is_kept_to() -> None:
    bench = Bench()
    invite = bench.connect(TIMER, "Session-Expires: 300;refresher=uac")
    assert expires(invite) is None
    bench.wait(151)
    assert [r.method for r in bench.take_requests()] == ["UPDATE"]


def test_422_is_obeyed() -> None:
    bench = Bench(session_timer_s=100)
    invite = bench.place()
    bench.respond(invite, 422, "Min-SE: 600")
    [again] = bench.take_requests("INVITE")
    assert (again.cseq.number, again.call_id, again.from_.tag) == (2, invite.call_id, invite.from_.tag)
    assert (expires(again), again.headers.get("Min-SE"), again.body) == ("600", "600", OFFER)
    bench.respond(again, 200, "Session-Expires: 600;refresher=uac", body=ANSWER)
    assert len(bench.take_told(SessionAnswered)) == 1


def test_422_without_end_or_sense_ends_the_call() -> None:
    for raises in (["90"], ["100", "200", "300", "400", "500"], ["x"]):
        bench = Bench(session_timer_s=90)
        invite = bench.place()
        for min_se in raises:
            bench.respond(invite, 422, f"Min-SE: {min_se}")
            invite = next(iter(bench.take_requests("INVITE")), invite)
        assert [end.status for end in bench.take_told(SessionEnded)] == [422]


@pytest.mark.parametrize("allow", ["INVITE", "INVITE, UPDATE"])
def test_422_to_a_refresh_is_obeyed(allow: str) -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow=allow)
    bench.wait(101)
    [refresh] = bench.take_requests()
    bench.respond(refresh, 422, "Min-SE: 900")
    [again] = bench.take_requests(refresh.method)
    assert expires(again) == "900;refresher=uac"


def test_a_change_of_ours_is_a_refresh_too() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uas")
    bench.wait(90)
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    [hold] = bench.take_requests("INVITE")
    assert expires(hold) == "200;refresher=uas"
    bench.respond(hold, 200, "Session-Expires: 200;refresher=uas", body=b"held")
    bench.wait(90)
    assert bench.take_told(SessionEnded) == []


# ---- calls of theirs ----


@pytest.mark.parametrize(
    ("asked", "ours", "answered"),
    [
        ((TIMER, "Session-Expires: 1800"), 0, "1800;refresher=uac"),
        ((TIMER, "Session-Expires: 1800;refresher=uas"), 0, "1800;refresher=uas"),
        ((TIMER, "Session-Expires: 1800;refresher=uac"), 600, "600;refresher=uac"),
        ((TIMER, "Session-Expires: 300"), 600, "300;refresher=uac"),
        ((TIMER, "Session-Expires: 1800", "Min-SE: 900"), 600, "900;refresher=uac"),
        ((TIMER,), 600, "600;refresher=uas"),
        ((TIMER,), 0, None),
        (("Session-Expires: 1800;refresher=uac",), 600, "600;refresher=uas"),
        (("Session-Expires: 30",), 0, "90;refresher=uas"),
        ((), 600, None),
    ],
)
def test_what_holds_for_a_call_of_theirs(asked: tuple[str, ...], ours: int, answered: str | None) -> None:
    ok = taken(Bench(session_timer_s=ours), *asked)
    assert expires(ok) == answered
    assert ("timer" in ok.headers.get_list("Require")) == (answered is not None and answered.endswith("uac"))


def test_we_refresh_where_that_falls_to_us() -> None:
    bench = Bench()
    taken(bench, TIMER, "Session-Expires: 200;refresher=uas", "Allow: INVITE, UPDATE")
    bench.wait(101)
    [update] = bench.take_requests()
    assert (update.method, expires(update)) == ("UPDATE", "200;refresher=uac")
    # From now on it is theirs, as they say.
    bench.respond(update, 200, "Session-Expires: 200;refresher=uas")
    bench.wait(167)
    assert bench.take_requests() == []
    bench.wait(2)
    assert [r.method for r in bench.take_requests()] == ["BYE"]


@pytest.mark.parametrize(
    ("headers", "status", "min_se"),
    [
        ((TIMER, "Session-Expires: 89"), 422, "90"),
        ((TIMER, "Session-Expires: soon"), 400, None),
        ((TIMER, "Session-Expires: 90"), 100, None),
    ],
)
def test_too_short_an_interval_is_refused(headers: tuple[str, ...], status: int, min_se: str | None) -> None:
    bench = Bench()
    bench.request("INVITE", *headers, body=OFFER)
    [response] = bench.take_responses()
    assert (response.status, response.headers.get("Min-SE")) == (status, min_se)


def test_a_timer_may_be_required() -> None:
    bench = Bench()
    bench.request("INVITE", TIMER, "Require: timer", "Session-Expires: 100", body=OFFER)
    assert [r.status for r in bench.take_responses()] == [100]


def test_nothing_runs_on_when_the_call_ends() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac")
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 200)
    bench.finish()
    assert bench.take_requests() == []
