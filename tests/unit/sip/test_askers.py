"""Who is told what an account's password makes of a challenge, and who is not."""

from __future__ import annotations

import pytest
from support.sip_bench import THEM, US, Bench
from support.sip_wire import ANSWER

from voip_engine.sip.authentication.askers import MAX_REALMS, MAX_SERVERS, MEMORY_S, Askers
from voip_engine.sip.effects import SessionAnswered, SessionEnded, SessionInvited
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.registrations.registration import AccountConfig

AOR = "sip:alice@pbx.example"
SERVER, NODE, STRANGER = THEM, "10.0.0.10", "10.6.6.6"


def challenge(realm: str = "pbx.example") -> str:
    return f'Proxy-Authenticate: Digest realm="{realm}", nonce="n", qop="auth"'


def bench_with_account() -> Bench:
    bench = Bench()
    hop = NextHop("UDP", "pbx.example", 0)
    bench.core.add_account(AccountConfig(AOR, SipUri.parse(AOR), "alice", "alice", "secret", "", hop, 300, False))
    return bench


def signed(requests: list[Request]) -> bool:
    return any("Authorization" in r.headers or "Proxy-Authorization" in r.headers for r in requests)


def connected(*record_route: str, contact: str = f"<sip:mallory@{STRANGER}>") -> Bench:
    """A call by the account's server to somebody at an address of his own."""
    bench = bench_with_account()
    bench.respond(bench.place(account=AOR), 200, *record_route, contact=contact, body=ANSWER)
    assert bench.take_told(SessionAnswered)
    bench.sent.clear()
    return bench


# ---- calls ----


@pytest.mark.parametrize("source", [SERVER, NODE])
def test_the_server_that_a_call_goes_by_may_ask_from_any_of_its_addresses(source: str) -> None:
    bench = bench_with_account()
    bench.respond(bench.place(account=AOR), 407, challenge("calls"), source=source)
    assert signed(bench.take_requests("INVITE"))


@pytest.mark.parametrize("realm", ["pbx.example", "mallory"])
def test_whom_we_called_is_told_nothing_by_asking_for_it(realm: str) -> None:
    bench = connected()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 407, challenge(realm), source=STRANGER)
    assert bench.take_requests() == []
    bench.finish()


def test_a_change_of_the_call_tells_nothing_either() -> None:
    bench = connected()
    bench.apply(bench.core.reoffer(bench.session, ANSWER, bench.now))
    [invite] = bench.take_requests("INVITE")
    bench.respond(invite, 401, challenge().replace("Proxy", "WWW"), source=STRANGER)
    assert not signed(bench.take_requests())


def test_who_calls_us_is_told_nothing_by_asking_for_it() -> None:
    bench = bench_with_account()
    bench.request("INVITE", body=ANSWER, source=STRANGER, contact=f"<sip:mallory@{STRANGER}>")
    [invited] = bench.take_told(SessionInvited)
    bench.apply(bench.core.answer(invited.session, ANSWER, bench.now))
    [_, ok] = bench.take_responses()
    bench.request("ACK", to_tag=ok.to.tag or "", source=STRANGER)
    bench.apply(bench.core.hang_up(invited.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 407, challenge(), source=STRANGER)
    assert bench.take_requests() == []


@pytest.mark.parametrize(
    ("route", "source"),
    [(f"<sip:{SERVER};lr>", SERVER), (f"<sip:{SERVER};lr>", NODE), ("<sip:edge.pbx.example;lr>", NODE)],
)
def test_within_a_call_the_server_may_ask_for_a_realm_it_asked_for_before(route: str, source: str) -> None:
    bench = bench_with_account()
    bench.respond(bench.place(account=AOR), 407, challenge("calls"))
    [invite] = bench.take_requests("INVITE")
    bench.respond(invite, 200, f"Record-Route: {route}", contact=f"<sip:carol@{STRANGER}>", body=ANSWER)
    bench.sent.clear()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 407, challenge("calls"), source=source)
    assert signed(bench.take_requests("BYE"))


def test_a_realm_that_is_none_of_the_server_s_is_not_answered_within_a_call_that_it_carries() -> None:
    bench = connected(f"Record-Route: <sip:{SERVER};lr>")
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 407, challenge("mallory"))
    assert bench.take_requests() == []
    assert len(bench.take_told(SessionEnded)) == 1


def test_a_server_that_registers_from_another_address_may_ask_from_there() -> None:
    bench = bench_with_account()
    bench.apply(bench.core.register(AOR, LocalAddress("UDP", US, 5060), bench.now))
    [register] = bench.take_requests("REGISTER")
    bench.respond(register, 401, challenge("calls").replace("Proxy", "WWW"), source=NODE)
    [register] = bench.take_requests("REGISTER")
    assert signed([register])
    bench.respond(register, 200, source=NODE)
    bench.respond(bench.place(account=AOR), 200, f"Record-Route: <sip:{NODE};lr>", body=ANSWER)
    bench.sent.clear()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 407, challenge("calls"), source=NODE)
    assert signed(bench.take_requests("BYE"))


# ---- who is a server ----


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("pbx.example", True),
        ("PBX.example.", True),
        ("edge.pbx.example", True),
        ("evilpbx.example", False),
        ("example", False),
        ("192.0.2.5", True),
        ("::ffff:192.0.2.5", True),
        ("2001:DB8::0:5", True),
        ("192.0.2.6", False),
    ],
)
def test_servers_are_known_by_name_and_by_address(host: str, is_one: bool) -> None:
    askers = Askers(["pbx.example"])
    askers.found(["192.0.2.5", "2001:db8::5"], 0.0)
    assert askers.is_server(host, MEMORY_S) is is_one


def test_addresses_and_realms_are_not_kept_without_end() -> None:
    askers = Askers()
    askers.found(["192.0.2.1"], 0.0)
    assert not askers.is_server("192.0.2.1", MEMORY_S + 1)
    askers.found([f"10.0.1.{number}" for number in range(MAX_SERVERS + 1)], 0.0)
    assert not askers.is_server("10.0.1.0", 0.0)
    assert askers.is_server("10.0.1.1", 0.0)
    for number in range(MAX_REALMS + 1):
        askers.met(f"realm {number}")
    assert askers.knows("realm 0")
    assert not askers.knows(f"realm {MAX_REALMS}")
