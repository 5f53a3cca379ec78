"""Who may call, over real sockets."""

from __future__ import annotations

import asyncio
import socket

import pytest
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine.events import CallAnswered, CallCreated, CallEnded, RequestTurnedAway
from voip_engine.network_settings import AdmissionSettings

OPTIONS = (
    b"OPTIONS sip:desk@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx;rport\r\n"
    b"From: <sip:scanner@127.0.0.1>;tag=a\r\nTo: <sip:desk@127.0.0.1>\r\nCall-ID: scan\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)


async def test_a_scanner_hears_nothing_and_is_told_of_once(make_engine):
    engine = await make_engine(admission=AdmissionSettings(networks=("192.0.2.0/24",)))
    happened = Happenings(engine)
    port = int(engine.snapshot().listening[0].rpartition(":")[2])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.setblocking(False)
        scanner.bind(("127.0.0.1", 0))
        for _ in range(3):
            scanner.sendto(OPTIONS, ("127.0.0.1", port))
        turned_away = await happened.wait_for(RequestTurnedAway)
        assert turned_away.source == "127.0.0.1"
        assert turned_away.reason == "who asks is no server of an account, in no listed network and no listed user"
        async with asyncio.timeout(20):
            while engine.snapshot().turned_away < 3:
                await asyncio.sleep(0.01)
        with pytest.raises(BlockingIOError):
            scanner.recv(2000)
    assert sum(isinstance(event, RequestTurnedAway) for event in happened.seen) == 1


async def test_a_stranger_may_be_called_and_hang_up(make_engine):
    nobody = AdmissionSettings(networks=())
    callee = await make_engine(auto_answer=True)
    caller = await make_engine(admission=nobody)
    happened, at_callee = Happenings(caller), Happenings(callee)
    await caller.dial(uri_of(callee))
    await happened.wait_for(CallAnswered)
    created = await at_callee.wait_for(CallCreated)
    await at_callee.wait_for(CallAnswered)
    await callee.calls[created.call_id].hang_up()
    ended = await happened.wait_for(CallEnded)
    assert ended.by == "remote"
    assert caller.snapshot().turned_away == 0


async def test_who_may_not_call_gets_no_answer_until_he_gives_up(make_engine):
    desk = await make_engine(auto_answer=True, admission=AdmissionSettings(networks=()))
    caller = await make_engine()
    happened = Happenings(desk)
    call = await caller.dial(uri_of(desk))
    await happened.wait_for(RequestTurnedAway)
    assert not desk.calls
    await call.hang_up()


async def test_a_source_that_asks_too_often_is_told_to_wait(make_engine):
    desk = await make_engine(auto_answer=True, admission=AdmissionSettings(calls_per_second=0.01, calls_burst=2))
    caller = await make_engine()
    happened = Happenings(caller)
    for _ in range(3):
        await caller.dial(uri_of(desk))
    ended = await happened.wait_for(CallEnded)
    assert (ended.call_id, ended.status) == ("3", 503)
    assert desk.snapshot().turned_away == 1
