"""Keys that are sent by INFO, to a phone that takes no telephone-events."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from support.happenings import Happenings
from support.sip_responder import reply, responder

from voip_engine import EngineError
from voip_engine.events import CallAnswered
from voip_engine.sip.messages.message import Request, Response

PLAIN_AUDIO = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


def answering(request: Request) -> Iterable[Response]:
    """Take calls; leave keys without an answer."""
    if request.method == "INVITE":
        return [reply(request, 200, ("Contact", f"<{request.uri}>"), body=PLAIN_AUDIO)]
    return [reply(request, 200)] if request.method == "BYE" else []


async def test_keys_that_wait_when_the_call_ends_are_given_up(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(answering) as phone:
        call = await engine.dial(f"sip:bob@{phone.address}")
        await happened.wait_for(CallAnswered)
        pressing = [asyncio.create_task(call.send_dtmf(digits)) for digits in ("12", "3")]
        await phone.request("INFO")
        await call.hang_up()
        async with asyncio.timeout(10):
            results = await asyncio.gather(*pressing, return_exceptions=True)
        assert [type(result) for result in results] == [EngineError, EngineError]
        assert "ended" in str(results[1])
        with pytest.raises(EngineError, match="over"):
            await call.send_dtmf("4")
