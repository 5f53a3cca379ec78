"""A call goes on when our address changes: the other side is told where we are, and all else is sent from there."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, Bench
from support.sip_wire import ANSWER

from voip_engine.sip.effects import SessionAnswered, SessionReofferFailed
from voip_engine.sip.flow import LocalAddress, Transport
from voip_engine.sip.sessions.session import SessionStateError

ELSEWHERE = "10.0.0.77"
MOVED = b"v=0\r\nc=IN IP4 10.0.0.77\r\n"


def move(bench: Bench, *, account: str | None = None, contact: LocalAddress | None = None) -> None:
    local = LocalAddress(bench.transport, ELSEWHERE, 5060)
    effects = bench.core.move(bench.session, MOVED, account=account, local=local, contact=contact, now=bench.now)
    bench.apply(effects)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_reinvite_says_where_we_are_now(transport: Transport) -> None:
    bench = Bench(transport=transport)
    bench.connect()
    move(bench)
    assert [hop.host for hop in bench.hops("INVITE")] == [THEM]
    [invite] = bench.take_requests("INVITE")
    assert invite.vias[0].host == ELSEWHERE
    [contact] = invite.contacts
    assert (contact.uri.user, contact.uri.host) == ("alice", ELSEWHERE)
    assert invite.body == MOVED
    bench.respond(invite, 200, body=ANSWER)
    assert [answered.body for answered in bench.take_told(SessionAnswered)] == [ANSWER]


def test_what_follows_comes_from_there() -> None:
    bench = Bench()
    bench.connect()
    move(bench)
    [again] = bench.take_requests("INVITE")
    bench.respond(again, 200, body=ANSWER)
    [ack] = bench.take_requests("ACK")
    assert ack.vias[0].host == ELSEWHERE
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    assert bye.vias[0].host == ELSEWHERE


def test_who_called_us_is_told_so_too() -> None:
    bench = Bench()
    invite = bench.request("INVITE", body=ANSWER)
    [bench.session] = [effect.session for effect in bench.told]
    bench.apply(bench.core.answer(bench.session, ANSWER, bench.now))
    *_, answer = bench.take_responses()
    bench.request("ACK", to_tag=answer.to.tag or "", branch="z9hG4bKack")
    move(bench)
    [again] = bench.take_requests("INVITE")
    assert (again.call_id, again.to.tag) == (invite.call_id, invite.from_.tag)
    assert again.contacts[0].uri.host == ELSEWHERE


def test_behind_nat_the_contact_is_the_address_seen_from_outside() -> None:
    bench = Bench()
    bench.connect()
    move(bench, contact=LocalAddress("UDP", "198.51.100.7", 40_000))
    [again] = bench.take_requests("INVITE")
    assert (again.contacts[0].uri.host, again.contacts[0].uri.port) == ("198.51.100.7", 40_000)
    assert again.vias[0].host == ELSEWHERE


def refresh(bench: Bench) -> bytes:
    """Wait until the session is refreshed, and return what is offered then."""
    bench.take_requests()
    bench.wait(101)
    [invite] = bench.take_requests("INVITE")
    return invite.body


def test_once_we_have_moved_no_refresh_names_the_old_address() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE")
    move(bench)
    [invite] = bench.take_requests("INVITE")
    bench.respond(invite, 488)
    assert [failed.status for failed in bench.take_told(SessionReofferFailed)] == [488]
    assert refresh(bench) == MOVED


def test_an_offer_from_before_the_move_is_not_gone_back_to() -> None:
    bench = Bench(session_timer_s=200)
    bench.connect("Session-Expires: 200;refresher=uac", allow="INVITE")
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    [hold] = bench.take_requests("INVITE")
    move(bench)
    bench.respond(hold, 200, "Session-Expires: 200;refresher=uac", body=ANSWER)
    [invite] = bench.take_requests("INVITE")
    assert invite.body == MOVED
    bench.respond(invite, 488)
    assert refresh(bench) == MOVED


def test_of_two_offers_the_refusal_of_the_first_is_not_told() -> None:
    """For the second asks for what the first did, and more."""
    bench = Bench()
    bench.connect()
    bench.apply(bench.core.reoffer(bench.session, b"hold", bench.now))
    [hold] = bench.take_requests("INVITE")
    move(bench)
    bench.respond(hold, 488)
    assert bench.told == []
    [invite] = bench.take_requests("INVITE")
    bench.respond(invite, 488)
    assert [failed.status for failed in bench.take_told(SessionReofferFailed)] == [488]


def test_a_call_that_is_not_up_cannot_be_moved() -> None:
    bench = Bench()
    bench.place()
    with pytest.raises(SessionStateError):
        move(bench)


def test_a_call_that_is_over_is_let_be() -> None:
    bench = Bench()
    bench.connect()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    bench.sent.clear()
    move(bench)
    assert bench.sent == []
