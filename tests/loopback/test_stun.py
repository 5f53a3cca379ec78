"""Where a leg's ports are seen from outside, asked of a STUN server through those ports."""

from __future__ import annotations

import asyncio
import time

import pytest
from support.ports import free_port_range
from support.stun_server import PUBLIC_HOST, StunServer

from voip_engine import EngineSettings
from voip_engine.calls.leg_ports import LegPorts
from voip_engine.media.plane import MediaPlane
from voip_engine.sdp.description import SessionDescription
from voip_engine.sip.flow import LocalAddress, NextHop

HOME = LocalAddress("UDP", "127.0.0.1", 5060)
OUTSIDE, INSIDE = NextHop("UDP", "9.9.9.9", 5060), NextHop("UDP", "192.168.7.7", 5060)
"""Never contacted: they only say who is going to read the description."""


@pytest.fixture
async def plane():
    reports = []
    plane = MediaPlane(reports.append, lambda outage_s, legs: None)
    await plane.start()
    yield plane
    await plane.close()


def audio_of(negotiation):
    description = SessionDescription.parse(negotiation.offer())
    return description.host, description.media[0].port, description.media[0].attribute("rtcp")


async def test_peers_outside_are_told_the_address_that_they_can_reach(plane):
    async with StunServer() as server:
        ports = LegPorts(plane, EngineSettings(stun=server.address))
        negotiation = await ports.open(1, HOME, OUTSIDE, "off", ("PCMU",))
        own = {address[1] for address in server.asked}
        assert len(own) == 2
        assert audio_of(negotiation) == (PUBLIC_HOST, min(own) + 1000, None)
        assert negotiation.local.host == PUBLIC_HOST
        server.asked.clear()
        inside = await ports.open(2, HOME, INSIDE, "off", ("PCMU",))
        assert audio_of(inside)[0] == "127.0.0.1"
        assert server.asked == []


async def test_a_nat_that_tears_the_ports_apart_is_told_of(plane):
    class Scattering(StunServer):
        def datagram_received(self, data, address):
            self.shift = 500 if address[1] % 2 else 1000
            super().datagram_received(data, address)

    async with Scattering() as server:
        ports = LegPorts(plane, EngineSettings(stun=server.address))
        _, rtp, rtcp = audio_of(await ports.open(1, HOME, OUTSIDE, "off", ("PCMU",)))
        assert int(rtcp) == rtp - 1000 + 1 + 500


async def test_an_address_that_nobody_can_reach_is_told_to_nobody(plane):
    class Mistaken(StunServer):
        host = "0.0.0.0"

    async with Mistaken() as server:
        ports = LegPorts(plane, EngineSettings(stun=server.address))
        assert audio_of(await ports.open(1, HOME, OUTSIDE, "off", ("PCMU",)))[0] == "127.0.0.1"
        assert server.asked


async def test_a_deaf_server_costs_half_a_second_once_and_not_the_call(plane):
    async with StunServer(deaf=True) as server:
        ports = LegPorts(plane, EngineSettings(stun=server.address))
        began_s = time.monotonic()
        negotiation = await ports.open(1, HOME, OUTSIDE, "off", ("PCMU",))
        assert 0.4 < time.monotonic() - began_s < 10
        assert audio_of(negotiation)[0] == "127.0.0.1"
        assert len(server.asked) == 6, "three times for each port"
        await ports.open(2, HOME, OUTSIDE, "off", ("PCMU",))
        assert len(server.asked) == 6


async def test_a_call_that_is_given_up_while_the_server_is_asked_frees_its_ports(plane):
    lowest = free_port_range(2)
    async with StunServer(deaf=True) as server:
        ports = LegPorts(plane, EngineSettings(stun=server.address, rtp_ports=(lowest, lowest + 1)))
        opening = asyncio.create_task(ports.open(1, HOME, OUTSIDE, "off", ("PCMU",)))
        async with asyncio.timeout(10):
            await server.heard.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert (await ports.open(2, HOME, INSIDE, "off", ("PCMU",))).local.port == lowest


async def test_a_server_that_is_not_found_keeps_no_call_waiting(plane):
    ports = LegPorts(plane, EngineSettings(stun="no-such-host.invalid"))
    assert audio_of(await ports.open(1, HOME, OUTSIDE, "off", ("PCMU",)))[0] == "127.0.0.1"
