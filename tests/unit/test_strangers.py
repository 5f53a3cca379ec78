"""A scan by one host, from port after port, is told of once."""

from __future__ import annotations

from voip_engine.events import AnyEvent, PacketRejected, RequestTurnedAway
from voip_engine.sip.flow import Flow
from voip_engine.strangers import Strangers


def flow_from(host: str, port: int) -> Flow:
    return Flow("UDP", "192.0.2.1", 5060, host, port)


def test_a_scan_by_one_host_is_told_of_once_and_counted_whole() -> None:
    told: list[AnyEvent] = []
    strangers = Strangers(told.append)
    for port in range(40_000, 40_050):
        strangers.turned_back(flow_from("198.51.100.66", port), "nobody here")
        strangers.rejected(flow_from("198.51.100.66", port), "no SIP")
    strangers.turned_back(flow_from("198.51.100.67", 5060), "nobody here")
    assert [type(event) for event in told] == [RequestTurnedAway, PacketRejected, RequestTurnedAway]
    assert (strangers.turned_away, strangers.malformed_messages) == (51, 50)
