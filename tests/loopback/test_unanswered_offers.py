"""Offers of ours that are never answered, or not with anything that can be used, block nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from support.happenings import Happenings
from support.sip_responder import Responder, reply, responder

from voip_engine import Engine, EngineError
from voip_engine.events import CallAnswered, CallCreated, CallEnded, MediaChanged, MediaChangeRefused
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.snapshots import Holder, MediaChange

AUDIO = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
NO_AUDIO = AUDIO.replace(b"m=audio 9", b"m=audio 0")


def agreeable(request: Request) -> Iterable[Response]:
    """Answer everything, calls with a description."""
    if request.method == "ACK":
        return []
    body = AUDIO if request.method == "INVITE" else b""
    return [reply(request, 200, ("Contact", f"<{request.uri}>"), body=body)]


def address_of(engine: Engine) -> tuple[str, int]:
    host, _, port = engine.snapshot().listening[0].removeprefix("udp:").rpartition(":")
    return host, int(port)


def empty(phone: Responder, method: str, uri: str, to: str, *, cseq: int, call_id: str, sender: str) -> Request:
    """A request of the phone's without a description."""
    text = (
        f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bK{method}{cseq}\r\n"
        f"Max-Forwards: 70\r\nFrom: {sender}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:bob@{phone.address}>\r\nContent-Length: 0\r\n\r\n"
    )
    message = parse_message(text.encode())
    assert isinstance(message, Request)
    return message


async def success(phone: Responder) -> Response:
    """The 200 that the phone gets."""
    async with asyncio.timeout(10):
        while not (found := [each for each in phone.responses if each.status == 200]):
            phone.heard.clear()
            await phone.heard.wait()
    return found[0]


async def test_a_reinvite_whose_offer_is_never_answered_leaves_the_call_negotiable(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(agreeable) as phone:
        call = await engine.dial(f"sip:bob@{phone.address}")
        await happened.wait_for(CallAnswered)
        invite = await phone.request("INVITE")
        dialog = {"call_id": invite.call_id, "sender": f"{invite.headers.get('To')};tag=peer"}
        us, ours = str(invite.contacts[0].uri), str(invite.headers.get("From"))
        phone.send(empty(phone, "INVITE", us, ours, cseq=1, **dialog), address_of(engine))
        assert (await success(phone)).body, "an offer of ours"
        phone.send(empty(phone, "ACK", us, ours, cseq=1, **dialog), address_of(engine))
        await happened.wait_for(MediaChangeRefused)
        await call.hold(True)
        await happened.wait_for(MediaChanged, held_by=Holder.US)


@pytest.mark.parametrize("answer", [b"", NO_AUDIO], ids=["none", "one of no use"])
async def test_a_hold_that_gets_no_answer_of_use_can_be_tried_again(make_engine, answer):
    engine = await make_engine()
    happened = Happenings(engine)

    def forgetful(request: Request) -> Iterable[Response]:
        if request.method == "INVITE" and sum(each.method == "INVITE" for each in phone.requests) == 2:
            return [reply(request, 200, ("Contact", f"<{request.uri}>"), body=answer)]
        return agreeable(request)

    async with responder(forgetful) as phone:
        call = await engine.dial(f"sip:bob@{phone.address}")
        await happened.wait_for(CallAnswered)
        await call.hold(True)
        await happened.wait_for(MediaChangeRefused)
        assert call.snapshot().held_by is Holder.NOBODY
        await call.hold(True)
        await happened.wait_for(MediaChanged, held_by=Holder.US)


async def test_a_hold_that_nobody_could_be_told_of_was_not_refused(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(agreeable) as phone:
        call = await engine.dial(f"sip:bob@{phone.address}")
        await happened.wait_for(CallAnswered)
        await phone.request("ACK")
        address = phone.address
    await call.hold(True)
    failed = await happened.wait_for(MediaChangeRefused)
    assert (failed.by, failed.change, failed.reason) == (
        "local",
        MediaChange.HOLD,
        f"nobody listens at {address} over UDP",
    )


async def test_a_caller_who_never_describes_its_audio_is_hung_up_on(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(agreeable) as phone:
        dialog = {"call_id": "late@test", "sender": "<sip:bob@127.0.0.1>;tag=peer"}
        host, port = address_of(engine)
        us = f"sip:us@{host}:{port}"
        phone.send(empty(phone, "INVITE", us, f"<{us}>", cseq=1, **dialog), (host, port))
        created = await happened.wait_for(CallCreated)
        await engine.calls[created.call_id].answer()
        accepted = await success(phone)
        phone.send(empty(phone, "ACK", us, str(accepted.headers.get("To")), cseq=1, **dialog), (host, port))
        assert "where to send audio" in (await happened.wait_for(CallEnded)).reason
        await phone.request("BYE")
        with pytest.raises(EngineError):
            await engine.calls[created.call_id].hold(True)
