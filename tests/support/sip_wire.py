"""SIP cores on a wire in memory, with a clock that moves only when told to."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from random import Random
from typing import TypeVar

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri

OFFER = b"v=0\r\ns=offer\r\n"
ANSWER = b"v=0\r\ns=answer\r\n"
Message = Request | Response
T = TypeVar("T")


class Peer:
    """A core at an address of its own. `told` holds what an engine would have heard."""

    def __init__(self, wire: Wire, host: str, seed: int, capacity: int, session_timer_s: int = 0) -> None:
        self.core = SipCore(Random(seed), user_agent=f"test/{host}", capacity=capacity, session_timer_s=session_timer_s)
        self.told: list[Effect] = []
        self.on_told: Callable[[Effect], None] = lambda effect: None
        self.host = host
        self._wire = wire

    @property
    def local(self) -> LocalAddress:
        return LocalAddress(self._wire.transport, self.host, 5060)

    @property
    def hop(self) -> NextHop:
        return NextHop(self._wire.transport, self.host, 5060)

    @property
    def uri(self) -> SipUri:
        return SipUri("sip", "user", self.host)

    def call(self, other: Peer, account: str | None = None) -> str:
        """Call another peer; returns the session."""
        session, effects = self.core.invite(
            target=other.uri,
            next_hop=other.hop,
            local=self.local,
            account=account,
            caller=NameAddress("", self.uri),
            offer=OFFER,
            now=self._wire.now,
        )
        self.apply(effects)
        return session

    def apply(self, effects: list[Effect]) -> None:
        """Carry out what the core wants."""
        for effect in effects:
            if isinstance(effect, SendOnFlow | SendRequest):
                self._wire.carry(self, effect)
            else:
                self.told.append(effect)
                self.on_told(effect)

    def of(self, kind: type[T]) -> list[T]:
        """All effects of one kind that were told."""
        return [effect for effect in self.told if isinstance(effect, kind)]


class Wire:
    """Carries messages between peers; `fate(message, data)` says after which delays copies of it arrive."""

    def __init__(self, *, transport: Transport = "UDP", delay_s: float = 0.01) -> None:
        self.now = 0.0
        self.transport = transport
        self.peers: dict[str, Peer] = {}
        self.sent: list[tuple[float, str, Message]] = []
        self.fate: Callable[[Peer, Message], list[float]] = lambda sender, message: [delay_s]
        self._flying: list[tuple[float, int, Peer, bytes, str]] = []
        self._numbers = count()

    def peer(self, host: str, *, seed: int = 1, capacity: int = 1000, session_timer_s: int = 0) -> Peer:
        """Put a new peer on the wire."""
        self.peers[host] = peer = Peer(self, host, seed + len(self.peers), capacity, session_timer_s)
        return peer

    def carry(self, sender: Peer, effect: SendOnFlow | SendRequest) -> None:
        """Take a message; it arrives at another peer, or nowhere."""
        message = parse_message(effect.data)
        self.sent.append((self.now, sender.host, message))
        host = effect.flow.remote_host if isinstance(effect, SendOnFlow) else effect.next_hop.host
        receiver = self.peers.get(host)
        if receiver is not None:
            for delay_s in self.fate(sender, message):
                arrival = (self.now + delay_s, next(self._numbers), receiver, effect.data, sender.host)
                heapq.heappush(self._flying, arrival)

    def run(self, until: float | None = None) -> None:
        """Let time pass: until then, or until nothing is left to happen."""
        while True:
            due = [self._flying[0][0]] if self._flying else []
            due += [deadline for peer in self.peers.values() if (deadline := peer.core.next_deadline()) is not None]
            if not due or (until is not None and min(due) > until):
                break
            self.now = max(self.now, min(due))
            while self._flying and self._flying[0][0] <= self.now:
                _, _, receiver, data, sender = heapq.heappop(self._flying)
                flow = Flow(self.transport, receiver.host, 5060, sender, 5060, int(self.transport == "TCP"))
                receiver.apply(receiver.core.receive(data, flow, self.now))
            for peer in self.peers.values():
                peer.apply(peer.core.on_timer(self.now))
        if until is not None:
            self.now = until

    def requests(self, host: str, method: str) -> list[tuple[float, Request]]:
        """When a peer sent which requests of this method."""
        return [
            (at, message)
            for at, sender, message in self.sent
            if sender == host and isinstance(message, Request) and message.method == method
        ]

    def responses(self, host: str, status: int, method: str | None = None) -> list[tuple[float, Response]]:
        """When a peer sent which responses of this status."""
        return [
            (at, message)
            for at, sender, message in self.sent
            if sender == host
            and isinstance(message, Response)
            and message.status == status
            and (method is None or message.cseq.method == method)
        ]
