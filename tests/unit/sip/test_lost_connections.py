"""What waits on a stream connection when it is lost (RFC 3261 §8.1.3.1, §18.2.2), in virtual time."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, US, Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionAnswered, SessionEnded, SessionReofferFailed
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request

LOST = "The connection to 10.0.0.9 was lost."


def lose(bench: Bench, *, port: int = 5060) -> None:
    """Let the connection that the bench talks over be gone."""
    bench.apply(bench.core.flow_lost(Flow("TCP", US, port, THEM, 5060, 1), bench.now))


def ends(bench: Bench) -> list[tuple[str, int | None, str]]:
    return [(ended.by, ended.status, ended.reason) for ended in bench.take_told(SessionEnded)]


def ringing(bench: Bench, status: int = 180) -> Request:
    invite = bench.place()
    bench.respond(invite, status, tag="t" if status > 100 else "")
    bench.told.clear()
    return invite


def test_a_lost_connection_fails_what_waits_on_it() -> None:
    bench = Bench(transport="TCP")
    bench.place()
    lose(bench, port=50000)
    assert ends(bench) == [("local", 503, LOST)]
    bench.finish()


@pytest.mark.parametrize("status", [100, 180])
def test_a_call_that_rings_ends_here_unless_the_other_side_comes_back(status: int) -> None:
    bench = Bench(transport="TCP")
    ringing(bench, status)
    bench.wait(10)
    lose(bench)
    bench.wait(31)
    assert ends(bench) == []
    bench.wait(2)
    assert ends(bench) == [("local", 503, LOST)]
    assert [request.method for request in bench.take_requests()] == ["CANCEL"]
    bench.finish()


def test_the_first_words_about_a_lost_connection_stand() -> None:
    bench = Bench(transport="TCP")
    invite = ringing(bench)
    lose(bench)
    bench.wait(5)
    transaction = f"INVITE {invite.vias[0].branch}"
    bench.apply(bench.core.transport_failed(transaction, "10.0.0.9:5060 closed the connection", bench.now))
    bench.wait(28)
    assert ends(bench) == [("local", 503, LOST)]


@pytest.mark.parametrize("status", [180, 200])
def test_a_side_that_comes_back_by_another_connection_is_heard(status: int) -> None:
    bench = Bench(transport="TCP")
    invite = ringing(bench)
    lose(bench)
    bench.wait(20)
    bench.respond(invite, status, body=ANSWER if status == 200 else b"")
    assert len(bench.take_told(SessionAnswered)) == int(status == 200)
    bench.wait(150)
    assert ends(bench) == []
    bench.respond(invite, 200, body=ANSWER)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    assert [ended.by for ended in bench.take_told(SessionEnded)] == ["local"]


def test_what_was_hung_up_meanwhile_is_told_once() -> None:
    bench = Bench(transport="TCP")
    ringing(bench)
    lose(bench)
    bench.wait(1)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    bench.finish()
    assert [by for by, _, _ in ends(bench)] == ["local"]


def test_a_datagram_that_was_not_taken_ends_no_call_that_rings() -> None:
    bench = Bench()
    invite = ringing(bench)
    bench.apply(bench.core.transport_failed(f"INVITE {invite.vias[0].branch}", "refused", bench.now))
    bench.wait(179)
    assert ends(bench) == []
    bench.wait(2)
    assert [(by, status) for by, status, _ in ends(bench)] == [("remote", 408)]


def test_a_redirected_call_is_not_told_as_lost_for_an_acknowledgement_that_was() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 302, contact="<sip:dave@10.0.0.7>")
    bench.apply(bench.core.transport_failed(f"INVITE {invite.vias[0].branch}", "refused", bench.now))
    bench.finish()
    assert [(by, status) for by, status, _ in ends(bench)] == [("remote", 302)]


def test_a_bye_that_shows_the_connection_to_be_dead_goes_by_a_new_one() -> None:
    bench = Bench(transport="TCP")
    bench.connect()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [first] = bench.take_requests("BYE")
    lose(bench)
    [second] = bench.take_requests("BYE")
    assert (second.cseq, second.vias[0].branch != first.vias[0].branch) == (first.cseq, True)
    lose(bench)
    assert bench.take_requests() == [], "there is nobody any more"
    bench.finish()


def test_a_reinvite_that_was_lost_leaves_the_call_as_it_was() -> None:
    bench = Bench(transport="TCP")
    bench.connect()
    bench.apply(bench.core.reoffer(bench.session, OFFER, bench.now))
    [again] = bench.take_requests("INVITE")
    bench.respond(again, 100, tag="t")
    lose(bench)
    bench.wait(33)
    [failed] = bench.take_told(SessionReofferFailed)
    assert (failed.status, failed.reason, failed.by) == (503, LOST, "local")
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    assert len(bench.take_requests("BYE")) == 1


def test_a_reinvite_that_is_answered_after_it_was_given_up_is_taken_back() -> None:
    bench = Bench(transport="TCP")
    bench.connect()
    bench.apply(bench.core.reoffer(bench.session, b"changed", bench.now))
    [again] = bench.take_requests("INVITE")
    bench.respond(again, 100, tag="t")
    lose(bench)
    bench.wait(40)
    assert len(bench.take_told(SessionReofferFailed)) == 1
    bench.take_requests()
    bench.respond(again, 200, body=ANSWER)
    assert bench.take_told(SessionAnswered) == []
    [ack, back] = bench.take_requests()
    assert (ack.method, back.method, back.body) == ("ACK", "INVITE", OFFER)
    bench.respond(back, 200, body=ANSWER)
    assert [answered.body for answered in bench.take_told(SessionAnswered)] == [ANSWER]
