"""At what addresses a leg's two ports are seen from outside: asked of a STUN server through the ports themselves."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from voip_engine.media.protocol import LegMapped, MapLeg
from voip_engine.media.sockets import Source
from voip_engine.stun.exchange import StunExchange

KEEPALIVE_S: Final = 15.0
"""How often an address that nothing else keeps open is used (RFC 6263 §7)."""


class AddressMapping:
    """The exchanges of one leg. Driven by the tick; answers go to the engine unread."""

    def __init__(self, command: MapLeg, sockets: tuple[socket.socket, socket.socket], now: float) -> None:
        self._leg_id = command.leg_id
        self._server = (command.server.host, command.server.port)
        self._sockets = sockets
        self._exchanges = tuple(StunExchange(request, now) for request in command.requests)
        self._asked_s = now
        self.reported = False

    def advance(self, now: float) -> LegMapped | None:
        """Send what is due; gives the report once both are answered or given up."""
        for number, exchange in enumerate(self._exchanges):
            request = exchange.on_timer(now)
            if request is not None:
                self._send(number, request)
        if self.reported or not all(exchange.done(now) for exchange in self._exchanges):
            return None
        self.reported = True
        rtp, rtcp = (exchange.answer for exchange in self._exchanges)
        return LegMapped(self._leg_id, rtp, rtcp)

    def receive(self, number: int, data: bytes, source: Source) -> None:
        """Take a STUN datagram that came through the RTP (0) or RTCP (1) port; any but the server's answers are dropped."""
        if source == self._server:
            self._exchanges[number].receive(data)

    def keep_open(self, now: float) -> None:
        """Ask again every now and then, so that the addresses stay ours until the peer has begun to send."""
        if self.reported and now - self._asked_s >= KEEPALIVE_S:
            self._asked_s = now
            for number, exchange in enumerate(self._exchanges):
                self._send(number, exchange.request)

    def _send(self, number: int, request: bytes) -> None:
        with contextlib.suppress(OSError):  # it is repeated, or given up
            self._sockets[number].sendto(request, self._server)
