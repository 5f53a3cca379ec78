"""Calls signalled over one family of addresses that want their audio over the other, as phones on hosts with both offer it."""

from __future__ import annotations

import pytest
from support.happenings import Happenings
from support.sip_caller import AudioPort, caller, description

from voip_engine import EngineSettings
from voip_engine.calls.leg_ports import LegPorts
from voip_engine.events import CallAnswered, CallRefused, MediaChanged
from voip_engine.media.plane import MediaPlane
from voip_engine.sdp.description import SessionDescription
from voip_engine.sip.flow import LocalAddress, NextHop


@pytest.mark.parametrize("srtp", ["off", "offered"])
async def test_audio_goes_over_ipv6_where_the_caller_wants_it_there(make_engine, srtp):
    engine = await make_engine(auto_answer=True, srtp=srtp)
    happened = Happenings(engine)
    with AudioPort("::1") as audio:
        async with caller(engine) as phone:
            accepted = await phone.invite(description(audio.port, host="::1"))
            answer = SessionDescription.parse(accepted.body)
            call = engine.calls[(await happened.wait_for(CallAnswered)).call_id]
            assert answer.host == "::1"
            assert call.snapshot().local_rtp == f"[::1]:{answer.media[0].port}"
            await audio.packets(3)
            phone.answer = description(audio.port, "a=recvonly", host="::1")
            await call.hold(True)
            assert (await happened.wait_for(MediaChanged)).on_hold
            await audio.packets(3)


async def test_a_family_that_we_have_no_address_of_is_refused_as_ever(make_engine):
    engine = await make_engine(auto_answer=True)
    happened = Happenings(engine)
    async with caller(engine) as phone:
        for host in ("fe80::1", "::"):
            refused = await phone.invite(description(4000, host=host))
            assert refused.status == 488
            assert "IPv6" in (await happened.wait_for(CallRefused)).reason
        assert engine.calls == {}


async def test_such_a_leg_stays_in_its_family_when_it_is_moved():
    plane = MediaPlane(lambda report: None, lambda outage_s, legs: None)
    await plane.start()
    try:
        ports = LegPorts(plane, EngineSettings())
        home, peer = LocalAddress("UDP", "127.0.0.1", 5060), NextHop("UDP", "127.0.0.1", 5062)
        offer = description(4000, host="::1")
        negotiation = await ports.open(1, home, peer, "off", ("PCMA",), offer)
        negotiation.answer(offer)
        before = negotiation.local
        await ports.move(1, negotiation, LocalAddress("UDP", "127.0.0.2", 5060), peer)
        assert (before.host, negotiation.local.host) == ("::1", "::1")
        assert negotiation.local != before
    finally:
        await plane.close()
