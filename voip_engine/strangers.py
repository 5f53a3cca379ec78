"""Who sent what was not taken: each host is told of once, from whatever ports it sends, and all of it is counted."""

from __future__ import annotations

import time
from collections.abc import Callable

from voip_engine.events import AnyEvent, PacketRejected, RequestTurnedAway
from voip_engine.hosts import host_port
from voip_engine.sip.flow import Flow

HOSTS_KEPT = 1000


class Strangers:
    """The malformed messages and unwelcome requests of one engine. Of more than 1,000 hosts the rest is only counted."""

    def __init__(self, publish: Callable[[AnyEvent], None]) -> None:
        self._publish = publish
        self._told: dict[type[AnyEvent], set[str]] = {PacketRejected: set(), RequestTurnedAway: set()}
        self.malformed_messages = 0
        self.turned_away = 0

    def rejected(self, flow: Flow, reason: str) -> None:
        """Note a message that made no sense."""
        self.malformed_messages += 1
        self._tell(PacketRejected(time.time(), host_port(flow.remote_host, flow.remote_port), reason), flow.remote_host)

    def turned_back(self, flow: Flow, reason: str) -> None:
        """Note a request of somebody who may not call, or asks too often."""
        self.turned_away += 1
        self._tell(RequestTurnedAway(time.time(), flow.remote_host, reason), flow.remote_host)

    def _tell(self, event: PacketRejected | RequestTurnedAway, host: str) -> None:
        told = self._told[type(event)]
        if host not in told and len(told) < HOSTS_KEPT:
            told.add(host)
            self._publish(event)
