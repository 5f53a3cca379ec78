"""Calls of ours that are sent elsewhere by 3xx (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, US, Bench
from support.sip_requests import account, new_core, place, requests, respond
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionAnswered, SessionEnded, SessionRedirected
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.sessions.session import SessionStateError


def go_on(bench: Bench, target: str, *, transport: str = "UDP") -> Request:
    """Follow a redirection; returns the new INVITE."""
    uri = SipUri.parse(target)
    hop, local = NextHop(transport, uri.host, 5060), LocalAddress(transport, US, 5060)  # type: ignore[arg-type]
    bench.apply(bench.core.redirect(bench.session, target=uri, next_hop=hop, local=local, now=bench.now))
    [invite] = bench.take_requests("INVITE")
    return invite


def targets(bench: Bench) -> list[str]:
    [redirected] = bench.take_told(SessionRedirected)
    return [str(uri) for uri in redirected.targets]


def test_a_call_goes_on_where_it_is_sent() -> None:
    bench = Bench()
    first = bench.place()
    bench.respond(first, 302, contact="<sip:dave@10.0.0.7;method=INVITE?Subject=x>")
    assert [m.method for m in bench.take_requests()] == ["ACK"]
    assert targets(bench) == ["sip:dave@10.0.0.7"]
    second = go_on(bench, "sip:dave@10.0.0.7", transport="TCP")
    assert str(second.uri) == "sip:dave@10.0.0.7"
    assert (second.call_id, second.from_.tag, second.cseq.number) == (first.call_id, first.from_.tag, 2)
    assert second.headers.get("To") == first.headers.get("To")
    assert second.body == OFFER
    assert second.headers.get_all("Contact") == ["<sip:alice@10.0.0.2:5060;transport=tcp>"]
    assert second.vias[0].transport == "TCP"
    bench.respond(second, 200, tag="other", body=ANSWER)
    assert [a.session for a in bench.take_told(SessionAnswered)] == [bench.session]


@pytest.mark.parametrize("host", ["10.0.0.7", "10.0.0.9"], ids=["to somebody else", "to another name there"])
@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
def test_credentials_do_not_go_along_where_a_call_is_sent_on(status: int, asks: str, answers: str, host: str) -> None:
    """A digest is a password's, and its guesses can be tried at leisure."""
    core = new_core()
    core.add_account(account())
    session, invite = place(core, "sip:alice@pbx.example")
    challenge = (asks, 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5')
    _, signed = requests(respond(core, invite, status, challenge))
    assert 'username="alice"' in (signed.headers.get(answers) or "")
    respond(core, signed, 302, ("Contact", f"<sip:dave@{host}>"))
    hop, local = NextHop("UDP", host, 5060), LocalAddress("UDP", US, 5060)
    target = SipUri.parse(f"sip:dave@{host}")
    [elsewhere] = requests(core.redirect(session, target=target, next_hop=hop, local=local, now=0.2))
    assert (elsewhere.method, str(elsewhere.uri)) == ("INVITE", f"sip:dave@{host}")
    assert answers not in elsewhere.headers
    assert "nonce" not in elsewhere.serialize().decode()


@pytest.mark.parametrize(("host", "routes"), [("10.0.0.7", []), (THEM, [f"<sip:{THEM};lr>"])])
def test_a_route_is_left_out_where_it_does_not_lead(host: str, routes: list[str]) -> None:
    bench = Bench()
    invite = bench.place(extra=(("Route", f"<sip:{THEM};lr>"),))
    assert invite.headers.get_all("Route") == [f"<sip:{THEM};lr>"]
    bench.respond(invite, 302, contact=f"<sip:dave@{host}>")
    assert go_on(bench, f"sip:dave@{host}").headers.get_all("Route") == routes


def test_contacts_are_told_best_first_and_only_those_that_can_be_called() -> None:
    bench = Bench()
    contact = "<sip:b@b.example>;q=0.5, <tel:+1>, <sip:a@a.example>, <mailto:x@y.example>, <sip:c@c.example>;q=x"
    bench.respond(bench.place(), 300, contact=contact)
    assert targets(bench) == ["sip:a@a.example", "sip:c@c.example", "sip:b@b.example"]


def test_when_one_address_fails_the_others_are_told_again() -> None:
    bench = Bench()
    bench.respond(bench.place(), 302, contact="<sip:a@a.example>, <sip:b@b.example>;q=0.1")
    targets(bench)
    bench.respond(go_on(bench, "sip:a@a.example"), 486)
    assert targets(bench) == ["sip:b@b.example"]
    bench.respond(go_on(bench, "sip:b@b.example"), 404)
    assert [end.reason for end in bench.take_told(SessionEnded)] == ["No such user (404)."]
    bench.finish()


def test_a_refusal_for_everywhere_ends_the_search() -> None:
    bench = Bench()
    bench.respond(bench.place(), 302, contact="<sip:a@a.example>, <sip:b@b.example>")
    targets(bench)
    bench.respond(go_on(bench, "sip:a@a.example"), 603)
    assert [end.status for end in bench.take_told(SessionEnded)] == [603]


@pytest.mark.parametrize(
    ("status", "contact"),
    [(302, ""), (302, f"<sip:carol@{THEM}>"), (305, "<sip:p@p.example>"), (380, "<sip:p@p.example>")],
)
def test_what_leads_nowhere_new_is_a_refusal(status: int, contact: str) -> None:
    bench = Bench()
    bench.respond(bench.place(), status, contact=contact)
    assert [type(effect) for effect in bench.told] == [SessionEnded]
    bench.finish()


def test_a_call_is_sent_on_five_times_at_most() -> None:
    bench = Bench()
    invite = bench.place()
    for hop in range(5):
        bench.respond(invite, 302, contact=f"<sip:{hop}@{hop}.example>")
        assert targets(bench) == [f"sip:{hop}@{hop}.example"]
        invite = go_on(bench, f"sip:{hop}@{hop}.example")
    bench.respond(invite, 302, contact="<sip:6@6.example>")
    assert [end.status for end in bench.take_told(SessionEnded)] == [302]
    bench.finish()


def test_two_that_send_to_each_other_end_the_call() -> None:
    bench = Bench()
    bench.respond(bench.place(), 301, contact="<sip:a@a.example>")
    targets(bench)
    bench.respond(go_on(bench, "sip:a@a.example"), 301, contact=f"<sip:carol@{THEM}>")
    assert [end.reason for end in bench.take_told(SessionEnded)] == ["Moved to another address for good (301)."]


@pytest.mark.parametrize("hung_up", [True, False])
def test_a_redirection_nobody_follows_ends_the_call(hung_up: bool) -> None:
    bench = Bench()
    bench.respond(bench.place(), 302, contact="<sip:a@a.example>")
    targets(bench)
    if hung_up:
        bench.apply(bench.core.hang_up(bench.session, bench.now))
    else:
        bench.wait(32)
    assert [end.status for end in bench.take_told(SessionEnded)] == [302]
    assert bench.take_requests("CANCEL") == []
    bench.finish()


def test_a_cancelled_call_goes_nowhere() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 180)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    bench.respond(invite, 302, contact="<sip:a@a.example>")
    assert bench.take_told(SessionRedirected) == []
    bench.finish()


def test_a_call_that_nobody_sent_on_cannot_go_on() -> None:
    bench = Bench()
    bench.place()
    with pytest.raises(SessionStateError, match="nobody has sent it on"):
        go_on(bench, "sip:a@a.example")
