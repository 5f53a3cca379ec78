"""Several servers for one name, and requests too long for UDP, in virtual time (RFC 3263 §4.3, RFC 3261 §18.1.1)."""

from __future__ import annotations

import pytest
from support.sip_wire import ANSWER, OFFER, Peer, Wire

from voip_engine.sip.effects import SendRequest, SessionAnswered, SessionEnded, SessionInvited, SessionProgressed
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import NameAddress, SipUri

SILENT, DEAF = "10.0.0.7", "10.0.0.8"
LONG_OFFER = OFFER + b"a=x-filler:" + b"x" * 1300 + b"\r\n"


def call(peer: Peer, wire: Wire, *hosts: str, offer: bytes = OFFER) -> str:
    """Call somebody at the first of these hosts that takes it."""
    first, *further = (NextHop("UDP", host, 5060, "pbx.example") for host in hosts)
    session, effects = peer.core.invite(
        target=SipUri.parse("sip:bob@pbx.example"),
        next_hop=first,
        local=peer.local,
        account=None,
        caller=NameAddress("", peer.uri),
        offer=offer,
        now=wire.now,
        further=tuple(further),
    )
    peer.apply(effects)
    return session


def test_the_next_server_is_called_when_one_is_silent() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    call(alice, wire, SILENT, bob.host)
    wire.run(until=5)
    [invited] = bob.of(SessionInvited)
    invites = [request for _, request in wire.requests(alice.host, "INVITE")]
    assert len({request.vias[0].branch for request in invites}) == 2
    assert len({(request.call_id, request.from_.tag, str(request.cseq)) for request in invites}) == 1
    bob.apply(bob.core.answer(invited.session, ANSWER, wire.now))
    wire.run(until=6)
    assert alice.of(SessionAnswered)
    alice.apply(alice.core.hang_up(alice.of(SessionAnswered)[0].session, wire.now))
    wire.run()
    assert bob.of(SessionEnded)
    assert alice.core.idle
    assert bob.core.idle


def test_the_next_server_is_called_at_once_when_one_has_no_room_or_is_not_there() -> None:
    wire = Wire()
    alice, full, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.3", capacity=0), wire.peer("10.0.0.2")
    call(alice, wire, full.host, bob.host)
    wire.run(until=0.1)
    assert bob.of(SessionInvited)

    call(alice, wire, SILENT, bob.host)
    [transaction] = {f"INVITE {r.vias[0].branch}" for _, r in wire.requests(alice.host, "INVITE")[-1:]}
    alice.apply(alice.core.transport_failed(transaction, "nobody listens there", wire.now))
    wire.run(until=0.2)
    assert len(bob.of(SessionInvited)) == 2


def test_when_none_answers_the_last_one_gets_all_its_time() -> None:
    wire = Wire()
    alice = wire.peer("10.0.0.1")
    call(alice, wire, SILENT, DEAF)
    wire.run(until=35.9)
    assert not alice.of(SessionEnded)
    wire.run()
    [ended] = alice.of(SessionEnded)
    assert ended.status == 408
    assert wire.now >= 36
    assert alice.core.idle


def test_a_server_that_was_given_up_and_rings_is_cancelled() -> None:
    wire = Wire()
    alice, late, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.3"), wire.peer("10.0.0.2")
    wire.fate = lambda sender, message: [5.0 if sender is late else 0.01]
    late.on_told = lambda effect: (
        late.apply(late.core.ring(effect.session, wire.now)) if isinstance(effect, SessionInvited) else None
    )
    call(alice, wire, late.host, bob.host)
    wire.run(until=4.5)
    [invited] = bob.of(SessionInvited)
    bob.apply(bob.core.answer(invited.session, ANSWER, wire.now))
    wire.run(until=20)
    assert [ended.status for ended in late.of(SessionEnded)] == [487]
    assert not alice.of(SessionProgressed)
    assert not alice.of(SessionEnded)


def test_a_server_that_was_given_up_and_answers_is_hung_up() -> None:
    wire = Wire()
    alice, late, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.3"), wire.peer("10.0.0.2")
    wire.fate = lambda sender, message: [5.0 if sender is late else 0.01]
    late.on_told = lambda effect: (
        late.apply(late.core.answer(effect.session, ANSWER, wire.now)) if isinstance(effect, SessionInvited) else None
    )
    call(alice, wire, late.host, bob.host)
    wire.run(until=4.5)
    [invited] = bob.of(SessionInvited)
    bob.apply(bob.core.answer(invited.session, ANSWER, wire.now))
    wire.run(until=30)
    assert [request.to.tag for _, request in wire.requests(alice.host, "BYE")] != []
    assert late.of(SessionEnded)
    assert not bob.of(SessionEnded)
    assert len(alice.of(SessionAnswered)) == 1


def test_a_call_that_is_given_up_tries_no_further_server() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    session = call(alice, wire, SILENT, bob.host)
    wire.run(until=1)
    alice.apply(alice.core.hang_up(session, wire.now))
    wire.run()
    assert not bob.of(SessionInvited)
    assert alice.core.idle


def test_servers_of_the_other_address_family_are_left_out() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("2001:db8::2")
    call(alice, wire, SILENT, bob.host)
    wire.run()
    assert not bob.of(SessionInvited)
    assert [ended.status for ended in alice.of(SessionEnded)] == [408]


def test_after_tls_nothing_else_is_tried() -> None:
    wire = Wire(transport="TLS")
    alice = wire.peer("10.0.0.1")
    hops = [NextHop("TLS", SILENT, 5061), NextHop("UDP", DEAF, 5060), NextHop("TLS", DEAF, 5061)]
    _, effects = alice.core.invite(
        target=SipUri.parse("sip:bob@pbx.example"),
        next_hop=hops[0],
        local=alice.local,
        account=None,
        caller=NameAddress("", alice.uri),
        offer=OFFER,
        now=wire.now,
        further=tuple(hops[1:]),
    )
    asked = []
    while effects:
        for effect in effects:
            if isinstance(effect, SendRequest):
                asked.append((effect.next_hop.transport, effect.next_hop.host))
        transaction = next((e.transaction for e in effects if isinstance(e, SendRequest)), None)
        effects = alice.core.transport_failed(transaction, "nobody listens there", 0.0) if transaction else []
    assert asked == [("TLS", SILENT), ("TLS", DEAF)]


def transports(wire: Wire, peer: Peer) -> list[str]:
    """Which transports the INVITEs of a peer name, repetitions left out."""
    seen: dict[str | None, str] = {}
    for _, request in wire.requests(peer.host, "INVITE"):
        assert isinstance(request, Request)
        seen.setdefault(request.vias[0].branch, request.vias[0].transport)
    return list(seen.values())


@pytest.mark.parametrize(("offer", "expected"), [(OFFER, "UDP"), (LONG_OFFER, "TCP")])
def test_what_is_too_long_for_udp_goes_over_tcp(offer: bytes, expected: str) -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    call(alice, wire, bob.host, offer=offer)
    wire.run(until=1)
    assert transports(wire, alice) == [expected]
    assert bob.of(SessionInvited)[0].offer == offer


def test_where_nobody_takes_tcp_long_requests_go_over_udp_after_all() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    wire.fate = lambda sender, message: [] if message.vias[0].transport == "TCP" else [0.01]
    call(alice, wire, bob.host, offer=LONG_OFFER)
    [(_, invite)] = wire.requests(alice.host, "INVITE")
    alice.apply(alice.core.transport_failed(f"INVITE {invite.vias[0].branch}", "nobody listens there", wire.now))
    wire.run(until=1)
    assert transports(wire, alice) == ["TCP", "UDP"]
    assert len(bob.of(SessionInvited)) == 1
    # That is remembered.
    call(alice, wire, bob.host, offer=LONG_OFFER)
    wire.run(until=2)
    assert transports(wire, alice)[2:] == ["UDP"]
    assert len(bob.of(SessionInvited)) == 2
