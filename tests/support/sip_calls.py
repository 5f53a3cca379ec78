"""Calls between two cores on a wire in memory, and what to lose of them."""

from __future__ import annotations

from collections.abc import Callable

from support.sip_wire import ANSWER, Message, Peer, Wire

from voip_engine.sip.effects import (
    Effect,
    SessionAnswered,
    SessionConfirmed,
    SessionEnded,
    SessionInvited,
    SessionReoffered,
)
from voip_engine.sip.flow import Flow, Transport
from voip_engine.sip.messages.message import Request, Response


def two_peers(transport: Transport = "UDP") -> tuple[Wire, Peer, Peer]:
    wire = Wire(transport=transport)
    return wire, wire.peer("10.0.0.1"), wire.peer("10.0.0.2")


def connected() -> tuple[Wire, Peer, Peer, str]:
    """Two peers with a call up between them; forget what led there."""
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.5)
    assert bob.of(SessionConfirmed)
    assert alice.of(SessionAnswered)
    alice.told.clear()
    bob.told.clear()
    return wire, alice, bob, session


def lose(count: int, wanted: Callable[[Message], bool]) -> Callable[[Peer, Message], list[float]]:
    """Lose the first `count` messages of this kind; all others take 10 ms."""
    left = [count]

    def fate(sender: Peer, message: Message) -> list[float]:
        if wanted(message) and left[0]:
            left[0] -= 1
            return []
        return [0.01]

    return fate


def is_request(method: str) -> Callable[[Message], bool]:
    return lambda message: isinstance(message, Request) and message.method == method


def is_response(status: int, method: str = "INVITE") -> Callable[[Message], bool]:
    return lambda message: isinstance(message, Response) and message.status == status and message.cseq.method == method


def ends(peer: Peer) -> list[tuple[str, int | None, str]]:
    return [(end.by, end.status, end.reason) for end in peer.of(SessionEnded)]


def assert_nothing_left(wire: Wire) -> None:
    wire.run()
    for peer in wire.peers.values():
        assert peer.core.idle
        assert peer.core.timers == 0


def deliver(wire: Wire, peer: Peer, data: bytes, source: str = "10.0.0.1", port: int = 5060) -> None:
    flow = Flow(wire.transport, peer.host, 5060, source, port)
    peer.apply(peer.core.receive(data, flow, wire.now))


def answer_with(peer: Peer, wire: Wire, body: bytes) -> Callable[[Effect], None]:
    def on_told(effect: Effect) -> None:
        if isinstance(effect, SessionInvited):
            peer.apply(peer.core.answer(effect.session, body, wire.now))
        elif isinstance(effect, SessionReoffered):
            peer.apply(peer.core.accept_reoffer(effect.session, body, wire.now))

    return on_told
