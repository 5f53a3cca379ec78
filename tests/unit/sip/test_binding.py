"""What a registrar's answer may say without doing harm."""

from __future__ import annotations

import pytest

from voip_engine.sip.flow import LocalAddress
from voip_engine.sip.messages.message import Headers, Response
from voip_engine.sip.registrations.binding import Binding

VIA = "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKx"


def accepted(*more: tuple[str, str], via: str = VIA) -> Binding:
    binding = Binding("alice", secure=False, instance="")
    binding.local = LocalAddress("UDP", "10.0.0.1", 5060)
    binding.accepted(Response(200, "OK", Headers([("Via", via), *more])), 300)
    return binding


def test_a_service_route_is_kept_in_order():
    routes = accepted(("Service-Route", "<sip:p1.example;lr>, <sip:p2.example;lr>")).service_route
    assert routes == ("<sip:p1.example;lr>", "<sip:p2.example;lr>")


@pytest.mark.parametrize("broken", ["<sip:10.0.0.(;lr>", "<sip:a@b", "<tel:+1>", "x"])
def test_a_service_route_that_cannot_be_read_is_none(broken):
    assert accepted(("Service-Route", f"<sip:p1.example;lr>, {broken}")).service_route == ()


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), ("0", None), ("9" * 5000, None), ("x", None), ("-1", None)]
)
def test_a_flow_timer_is_a_number_of_seconds(written, seconds):
    assert accepted(("Flow-Timer", written)).flow_timer_s == seconds


@pytest.mark.parametrize("port", ["00000180000", "9" * 5000, "0", "65536", "x"])
def test_a_port_that_is_none_tells_no_address(port):
    assert accepted(via=f"{VIA};received=192.0.2.1;rport={port}").public_address == ""


def test_the_port_that_the_registrar_saw_is_ours():
    assert accepted(via=f"{VIA};received=192.0.2.1;rport=6000").public_address == "192.0.2.1:6000"
