"""A call's SIP messages as the engine tells of them, on both sides of a real call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

from support.dns_server import name_server
from support.happenings import Happenings
from support.ports import free_port
from support.sip_responder import reply, responder
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallCreated
from voip_engine.signalling import Signalling
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import SessionEnded
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.network.dns_resolver import DnsResolver
from voip_engine.sip.trace import SipTraceEntry


async def test_both_sides_keep_the_messages_of_a_call_also_when_it_is_over(make_engine) -> None:
    phone, echo = await make_engine(), await make_engine(auto_answer=True)
    at_phone, at_echo = Happenings(phone), Happenings(echo)
    call = await phone.dial(uri_of(echo))
    await at_phone.wait_for(CallAnswered)
    await call.hang_up()
    await call.wait_ended()
    answered = echo.calls[(await at_echo.wait_for(CallCreated)).call_id]
    await answered.wait_ended()
    sent = [(entry.method, entry.status) for entry in call.trace() if not entry.repeated]
    assert sent[:2] == [("INVITE", None), ("INVITE", 100)]
    for message in (("INVITE", 200), ("ACK", None), ("BYE", None), ("BYE", 200)):
        assert message in sent
    received = [(entry.method, entry.status) for entry in answered.trace() if not entry.repeated]
    assert sorted(map(str, received)) == sorted(map(str, sent))
    assert [entry.sent for entry in call.trace()][:2] == [True, False]
    assert [entry.sent for entry in answered.trace()][:2] == [False, True]


async def test_calls_keep_their_messages_apart(make_engine) -> None:
    phone, echo = await make_engine(), await make_engine(auto_answer=True)
    calls = [await phone.dial(uri_of(echo)) for _ in range(2)]
    ids = [call.snapshot().sip_call_id for call in calls]
    for call, call_id in zip(calls, ids, strict=True):
        assert call.trace()
        assert all(f"Call-ID: {call_id}" in entry.text for entry in call.trace())


async def test_a_call_to_ourselves_shares_its_messages(make_engine) -> None:
    engine: Engine = await make_engine(auto_answer=True)
    happened = Happenings(engine)
    call = await engine.dial(uri_of(engine))
    await happened.wait_for(CallAnswered)
    here, there = engine.calls.values()
    assert here is call
    assert here.trace() == there.trace()
    assert {entry.sent for entry in call.trace()} == {True, False}


def ways(entries: Iterable[SipTraceEntry], *, sent: bool) -> list[tuple[str, str, str]]:
    """Over what, from where and to where messages went, in order."""
    return [(each.transport, each.source, each.destination) for each in entries if each.sent is sent]


async def test_requests_stand_with_the_way_they_went_and_not_with_the_one_they_were_meant_for(make_engine) -> None:
    port = free_port()
    echo = await make_engine(auto_answer=True, listen=(f"udp:127.0.0.1:{port}", f"tcp:127.0.0.1:{port}"))
    phone = await make_engine()
    at_phone, at_echo = Happenings(phone), Happenings(echo)
    call = await phone.dial(f"sip:echo@127.0.0.1:{port}", caller=f'"{1300 * "x"}" <sip:alice@127.0.0.1>')
    await at_phone.wait_for(CallAnswered)
    answered = echo.calls[(await at_echo.wait_for(CallCreated)).call_id]
    await call.hang_up()
    await answered.wait_ended()
    assert [each.method for each in call.trace() if each.sent] == ["INVITE", "ACK", "BYE"]
    assert ways(call.trace(), sent=True) == ways(answered.trace(), sent=False)
    assert {(way, there) for way, _, there in ways(call.trace(), sent=True)} == {("TCP", f"127.0.0.1:{port}")}


async def test_what_never_left_is_not_there(make_engine) -> None:
    echo, phone = await make_engine(auto_answer=True, listen=("udp:127.0.0.1:0",)), await make_engine()
    happened = Happenings(phone)
    call = await phone.dial(uri_of(echo), caller=f'"{1300 * "x"}" <sip:alice@127.0.0.1>')
    await happened.wait_for(CallAnswered)
    assert [(each.transport, each.method) for each in call.trace() if each.sent] == [("UDP", "INVITE"), ("UDP", "ACK")]


async def test_each_server_that_was_tried_is_named() -> None:
    def busy(request: Request) -> Iterable[Response]:
        return [reply(request, 486)] if request.method == "INVITE" else []

    async with responder(busy) as server:
        port, dead = int(server.address.rpartition(":")[2]), free_port()
        records = (
            f"_sip._udp.pbx.test SRV 10 0 {dead} dead.pbx.test.",
            f"_sip._udp.pbx.test SRV 20 0 {port} live.pbx.test.",
            "dead.pbx.test A 127.0.0.1",
            "live.pbx.test A 127.0.0.1",
        )
        ended: asyncio.Event = asyncio.Event()
        async with name_server(*records) as names:
            signalling = Signalling(
                SipCore(Random(1), user_agent="test"),
                lambda effect: ended.set() if isinstance(effect, SessionEnded) else None,
                resolver=DnsResolver(("127.0.0.1",), names.port),
            )
            first, *further = await signalling.paths_to(NextHop("UDP", "pbx.test", 0))
            session, wanted = signalling.core.invite(
                target=SipUri.parse("sip:bob@pbx.test"),
                next_hop=first.hop,
                local=first.local,
                contact=first.local,
                further=tuple(path.hop for path in further),
                account=None,
                caller=NameAddress.parse("<sip:alice@pbx.test>"),
                offer=b"v=0\r\n",
                now=signalling.now,
            )
            trace = signalling.trace(session)
            signalling.perform(wanted)
            await ended.wait()
            await signalling.close()
    tried = [(each.method, each.destination) for each in trace.entries() if each.sent]
    assert tried == [
        ("INVITE", f"127.0.0.1:{dead}"),
        ("INVITE", f"127.0.0.1:{port}"),
        ("ACK", f"127.0.0.1:{port}"),
    ]
