"""What the core says of requests that nobody answers, and how long it minds connections that come to nothing."""

from __future__ import annotations

from support.sip_bench import Bench
from support.sip_wire import OFFER, Wire

from voip_engine.sip.effects import Unanswered
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.uri import NameAddress, SipUri

LONG_OFFER = OFFER + b"a=x-filler:" + b"x" * 1300 + b"\r\n"
SERVER = "10.0.0.9"


class Caller(Bench):
    """Calls with offers too long for UDP."""

    def call(self, *further: str) -> None:
        hops = [NextHop("UDP", host, 5060) for host in (SERVER, *further)]
        self.session, effects = self.core.invite(
            target=SipUri.parse("sip:bob@pbx.example"),
            next_hop=hops[0],
            further=tuple(hops[1:]),
            local=Wire().peer("10.0.0.2").local,
            account=None,
            caller=NameAddress("", SipUri.parse("sip:alice@10.0.0.2")),
            offer=LONG_OFFER,
            now=self.now,
        )
        self.apply(effects)

    def ways(self) -> list[tuple[str, str]]:
        """Transport and host of the INVITEs since the last time, repetitions left out."""
        return list(dict.fromkeys((hop.transport, hop.host) for hop in self.take_hops()))

    def take_hops(self) -> list[NextHop]:
        hops = self.hops("INVITE")
        self.sent.clear()
        return hops

    def refuse(self) -> None:
        """Nobody takes the connection for the INVITE sent last."""
        _, invite, _ = self.sent[-1]
        self.apply(self.core.transport_failed(f"INVITE {invite.vias[0].branch}", "nobody listens there", self.now))


def test_a_server_that_took_a_long_request_over_tcp_does_not_get_it_over_udp_too() -> None:
    bench = Caller()
    bench.call()
    [(_, invite, _)] = bench.sent
    transaction = f"INVITE {invite.vias[0].branch}"
    bench.wait(31)
    # Should it still wait for its connection, the transport fails it now: only then UDP is right.
    assert bench.take_told(Unanswered) == [Unanswered(transaction, given_up=False)]
    assert bench.ways() == [("TCP", SERVER)]
    bench.wait(2)
    assert bench.take_told(Unanswered) == [Unanswered(transaction, given_up=True)]
    bench.finish()
    assert bench.ways() == []


def test_silence_over_tcp_gives_the_next_server_its_turn() -> None:
    bench = Caller()
    bench.call("10.0.0.8")
    bench.wait(5)
    assert bench.ways() == [("TCP", SERVER), ("TCP", "10.0.0.8")]


def test_a_server_without_tcp_is_asked_for_it_again_after_a_while() -> None:
    bench = Caller()
    bench.call()
    bench.refuse()
    assert bench.ways() == [("TCP", SERVER), ("UDP", SERVER)]
    bench.wait(290)
    bench.call()
    assert bench.ways() == [("UDP", SERVER)]
    bench.wait(11)
    bench.sent.clear()
    bench.call()
    assert bench.ways() == [("TCP", SERVER)]


def test_a_server_without_tcp_is_asked_for_it_again_in_another_network() -> None:
    bench = Caller()
    bench.call()
    bench.refuse()
    bench.core.network_changed()
    bench.sent.clear()
    bench.call()
    assert bench.ways() == [("TCP", SERVER)]


def test_a_request_within_a_call_that_nobody_answers_is_told() -> None:
    bench = Bench(transport="TCP")
    bench.connect()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.wait(40)
    assert Unanswered(f"BYE {bye.vias[0].branch}", given_up=True) in bench.take_told(Unanswered)
