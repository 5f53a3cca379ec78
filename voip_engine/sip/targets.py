"""Which server a request goes to: the first of several that answers (RFC 3263 §4.3), over TCP where UDP is too small."""

from __future__ import annotations

from dataclasses import replace

from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.messages.message import Request

PATIENCE_S = 4.0
"""How long one server may be silent when there is another one: three repetitions over UDP."""
LONGEST_DATAGRAM_BYTES = 1300
"""Longer requests go over TCP (RFC 3261 §18.1.1): in fragments they get lost on many a way."""


class Targets:
    """The servers for one request, literal and in order. Where UDP is asked for and TCP is refused, long requests take UDP."""

    def __init__(self, endpoint: Endpoint, hops: tuple[NextHop, ...]) -> None:
        self._endpoint = endpoint
        self._hops = hops
        self._over_tcp = False

    @property
    def hop(self) -> NextHop:
        """The server whose turn it is."""
        return self._hops[0]

    @property
    def more(self) -> bool:
        """Whether there is something else to try."""
        return self._over_tcp or len(self._hops) > 1

    def address(self, request: Request, local: LocalAddress, now: float) -> NextHop:
        """Give a request its Via, and return where it goes."""
        hop = self.hop
        self._over_tcp = False
        self._endpoint.address(request, hop, local)
        if (
            hop.transport == "UDP"
            and self._endpoint.without_tcp.get((hop.host, hop.port), now) <= now
            and len(request.serialize()) > LONGEST_DATAGRAM_BYTES
        ):
            self._over_tcp = True
            hop = replace(hop, transport="TCP")
            self._endpoint.address(request, hop, local)
        return hop

    def move_on(self, now: float, *, reached: bool) -> bool:
        """Give the next one its turn, or over UDP the same one if it was not `reached` over TCP; False for none left.

        Whoever takes TCP may have the request already: to get it over UDP, too, it would be a loop (RFC 3261 §8.2.2.2).
        """
        if self._over_tcp and not reached:
            self._endpoint.note_without_tcp(self.hop, now)
            return True
        if len(self._hops) == 1:
            return False
        self._hops = self._hops[1:]
        return True
