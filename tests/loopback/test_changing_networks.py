"""What was found out about servers in one network counts for nothing in another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import Random

from support.sip_responder import reply, responder
from support.sip_wire import OFFER

from voip_engine.signalling import Signalling
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, SessionEnded
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import NameAddress, SipUri

TOO_LONG = OFFER + b"a=x-filler:" + b"x" * 1300 + b"\r\n"


def busy(request: Request) -> Iterable[Response]:
    return [] if request.method == "ACK" else [reply(request, 486)]


async def test_a_server_without_tcp_is_asked_for_it_again() -> None:
    ended: asyncio.Queue[SessionEnded] = asyncio.Queue()
    arrived = asyncio.Event()

    def apply(effect: Effect) -> None:
        if isinstance(effect, SessionEnded):
            ended.put_nowait(effect)

    async def call() -> None:
        [path] = await signalling.paths_to(hop)
        _, effects = signalling.core.invite(
            target=SipUri.parse("sip:bob@127.0.0.1"),
            next_hop=path.hop,
            local=path.local,
            account=None,
            caller=NameAddress("", SipUri.parse("sip:alice@127.0.0.1")),
            offer=TOO_LONG,
            now=signalling.now,
        )
        signalling.perform(effects)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"INVITE ")
        arrived.set()
        writer.close()

    signalling = Signalling(SipCore(Random(1), user_agent="test"), apply)
    async with responder(busy) as phone, asyncio.timeout(10):
        port = int(phone.address.rpartition(":")[2])
        hop = NextHop("UDP", "127.0.0.1", port)
        await call()
        assert (await ended.get()).status == 486
        server = await asyncio.start_server(take, "127.0.0.1", port)
        signalling.network_changed()
        await call()
        await arrived.wait()
        server.close()
        await signalling.close()
