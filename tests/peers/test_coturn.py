"""Where a call's media ports are seen from outside, asked of coturn through these ports; on loopback that is where they are."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from support.coturn import coturn

from voip_engine.media.plane import MediaPlane
from voip_engine.sdp.plan import HostPort
from voip_engine.stun.messages import TRANSACTION_ID_BYTES, binding_request, mapped_address

pytestmark = [pytest.mark.peer("turnserver"), pytest.mark.timeout(20)]


@pytest.mark.interop("coturn", "UDP", "", "STUN binding through the media ports of a call")
async def test_media_ports_are_told_as_coturn_sees_them(tmp_path: Path) -> None:
    plane = MediaPlane(lambda report: None, lambda outage_s, legs: None)
    await plane.start()
    try:
        async with coturn(tmp_path) as port:
            rtp = await plane.open_leg(1, HostPort("127.0.0.1", 0), None)
            first, second = (binding_request(secrets.token_bytes(TRANSACTION_ID_BYTES)) for _ in range(2))
            mapped = await plane.ask_stun(1, HostPort("127.0.0.1", port), (first, second))
    finally:
        await plane.close()
    assert mapped.rtp is not None
    assert mapped.rtcp is not None
    assert mapped_address(mapped.rtp) == ("127.0.0.1", rtp.port)
    assert mapped_address(mapped.rtcp) == ("127.0.0.1", rtp.port + 1)
