"""Calls of ours whose offer is refused as such, and that have another one to make (RFC 3261 §8.1.3.5, §21.4.26)."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import AlternativeOffered, SessionAnswered, SessionEnded
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.registrations.registration import AccountConfig

OTHER = OFFER.replace(b"RTP/AVP", b"RTP/SAVP")


@pytest.mark.parametrize("status", [415, 488, 606])
def test_the_alternative_follows_a_refused_offer_in_the_same_session(status: int) -> None:
    bench = Bench()
    first = bench.place(alternative=OTHER)
    bench.respond(first, 180, tag="early")
    bench.respond(first, status, tag="early")
    ack, second = bench.take_requests()
    assert (ack.method, second.method, second.body) == ("ACK", "INVITE", OTHER)
    assert (second.call_id, second.from_.tag, second.cseq.number) == (first.call_id, first.from_.tag, 2)
    assert second.to.tag is None
    assert second.vias[0].branch != first.vias[0].branch
    assert second.headers.get_all("Content-Length") == [str(len(OTHER))]
    assert bench.take_told(AlternativeOffered) == [AlternativeOffered(bench.session)]
    bench.respond(second, 200, body=ANSWER)
    assert [a.body for a in bench.take_told(SessionAnswered)] == [ANSWER]


def test_it_follows_once() -> None:
    bench = Bench()
    bench.respond(bench.place(alternative=OTHER), 488)
    [second] = bench.take_requests("INVITE")
    bench.respond(second, 488)
    assert bench.take_requests("INVITE") == []
    assert [ended.status for ended in bench.take_told(SessionEnded)] == [488]
    bench.finish()


@pytest.mark.parametrize("status", [403, 486, 503, 603])
def test_other_refusals_are_not_of_the_offer(status: int) -> None:
    bench = Bench()
    bench.respond(bench.place(alternative=OTHER), status)
    assert bench.take_requests("INVITE") == []
    assert [ended.status for ended in bench.take_told(SessionEnded)] == [status]


def test_without_an_alternative_a_refused_offer_is_the_end() -> None:
    bench = Bench()
    bench.respond(bench.place(), 488)
    assert [ended.status for ended in bench.take_told(SessionEnded)] == [488]


def test_a_call_that_was_hung_up_meanwhile_is_not_tried_again() -> None:
    bench = Bench()
    first = bench.place(alternative=OTHER)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    bench.respond(first, 488)
    assert bench.take_requests("INVITE") == []
    bench.finish()


def test_it_brings_credentials_of_its_own() -> None:
    aor = SipUri.parse("sip:alice@pbx.example")
    bench = Bench()
    bench.core.add_account(AccountConfig(str(aor), aor, "alice", "alice", "pw", "", NextHop("UDP", THEM, 0), 300, True))
    first = bench.place(account=str(aor), alternative=OTHER)
    bench.respond(first, 407, 'Proxy-Authenticate: Digest realm="pbx", nonce="n1", qop="auth"')
    [second] = bench.take_requests("INVITE")
    bench.respond(second, 488)
    [third] = bench.take_requests("INVITE")
    counts = [request.headers.get("Proxy-Authorization").partition("nc=")[2][:8] for request in (second, third)]
    assert counts == ["00000001", "00000002"]
