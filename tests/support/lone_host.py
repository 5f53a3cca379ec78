"""A machine in a network of its own, with addresses and name servers that a test's own machine cannot have.

Started in namespaces for network and mounts with the name of what to do and its arguments; fails if that does not go as it
should.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Iterable

from support.dns_server import name_server
from support.happenings import Happenings
from support.programs import program
from support.sip_caller import AudioPort, caller, description
from support.sip_responder import reply, responder
from support.stun_server import PUBLIC_HOST, StunServer
from support.talker import Talker

from voip_engine import AccountSettings, Engine, EngineSettings
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, CallEnded, MediaChanged
from voip_engine.network_settings import AdmissionSettings, DiallingSettings
from voip_engine.network_watch import EVERY_S
from voip_engine.sdp.description import SessionDescription
from voip_engine.sip.messages.message import Request, Response, parse_message

DESK, BEFORE, AFTER = "10.7.0.1", "10.7.1.1", "10.7.1.2"
FAR = "9.9.9.9"
"""Never contacted: in this network it is this machine's."""
FAR_IPV6, BEFORE_IPV6, AFTER_IPV6 = "fd00:7::1", "fd00:8::1", "fd00:8::2"
AT_ONCE_S = EVERY_S + 3.5
"""What still went by the old connection would not be given up for 4 s after the change was noticed."""


def ip(*arguments: str, check: bool = True) -> bool:
    """Set something about the network; whether it could be."""
    return subprocess.run((program("ip"), *arguments), check=check).returncode == 0


def be_at(address: str) -> None:
    """Take an address, and reach the desk from it."""
    ip("address", "add", f"{address}/32", "dev", "lo")
    ip("route", "replace", "local", DESK, "dev", "lo", "table", "local", "src", address)


def busy(request: Request) -> Iterable[Response]:
    return [] if request.method == "ACK" else [reply(request, 486)]


async def call_moves(transport: str, srtp: str) -> None:
    """A call goes on from another address, on both sides' word, and with its audio in both directions."""
    settings = EngineSettings(
        listen=(f"{transport}:{DESK}:5060",),
        srtp=srtp,
        auto_answer=True,
        admission=AdmissionSettings(networks=("10.7.0.0/16",)),  # a call's other end may speak from there all the while
    )
    async with (
        Engine(settings) as desk,
        Engine(EngineSettings(listen=("udp:0.0.0.0:0", "tcp:0.0.0.0:0"), srtp=srtp, mode="echo")) as laptop,
    ):
        at_desk, at_laptop = Happenings(desk), Happenings(laptop)
        call = await laptop.dial(f"sip:desk@{DESK};transport={transport}")
        answered = await at_desk.wait_for(CallAnswered)
        await at_laptop.wait_for(CallAnswered)
        ip("address", "delete", f"{BEFORE}/32", "dev", "lo")
        be_at(AFTER)
        await at_desk.wait_for(MediaChanged)
        theirs = desk.calls[answered.call_id]
        assert call.snapshot().local_rtp.startswith(f"{AFTER}:"), call.snapshot().local_rtp
        assert call.snapshot().security == theirs.snapshot().security
        talker = Talker(load_speech("ben_saturday"))
        await call.set_mode(talker)
        assert await talker.own_words() > 0.8
        assert theirs.snapshot().remote_rtp.startswith(f"{AFTER}:"), theirs.snapshot().remote_rtp
        await theirs.hang_up()
        assert (await at_laptop.wait_for(CallEnded)).by == "remote"


async def account_moves() -> None:
    """An account registers over TCP, and again at once from another address, over a connection from there."""
    registered: asyncio.Queue[str] = asyncio.Queue()

    async def grant(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("peername")[0]
        try:
            while True:
                message = (await reader.readuntil(b"\r\n\r\n")).lstrip()
                if message:
                    request = parse_message(message)
                    assert isinstance(request, Request)
                    contact = ("Contact", request.headers.get("Contact") or "")
                    writer.write(reply(request, 200, contact).serialize())
                    registered.put_nowait(host)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(grant, DESK, 0)
    uri = f"sip:alice@{DESK}:{server.sockets[0].getsockname()[1]};transport=tcp"
    async with Engine(EngineSettings(accounts=(AccountSettings(uri=uri, voicemail=False),), listen=())):
        assert await registered.get() == BEFORE
        await asyncio.sleep(EVERY_S + 0.1)  # the address has been looked at, which nobody is told of
        ip("address", "delete", f"{BEFORE}/32", "dev", "lo")
        be_at(AFTER)
        async with asyncio.timeout(AT_ONCE_S):
            while await registered.get() != AFTER:
                pass
    server.close()


def be_at_ipv6(address: str) -> None:
    """Take an address, and reach the far one from it."""
    ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    ip("route", "replace", "local", FAR_IPV6, "dev", "lo", "table", "local", "src", address)


async def audio_moves() -> None:
    """A call that is signalled over IPv4 goes on from another address of IPv6, where its audio is."""
    ip("address", "add", f"{FAR_IPV6}/128", "dev", "lo", "nodad")
    from_itself = ("-6", "route", "delete", "local", FAR_IPV6, "dev", "lo", "table", "local")
    while not ip(*from_itself, check=False):
        await asyncio.sleep(0.05)  # the system makes it in its own time, and tells nobody
    be_at_ipv6(BEFORE_IPV6)
    with AudioPort(FAR_IPV6) as audio:
        async with Engine(EngineSettings(listen=("udp:127.0.0.1:0",), auto_answer=True)) as engine:
            happened = Happenings(engine)
            async with caller(engine) as phone:
                phone.answer = offer = description(audio.port, host=FAR_IPV6)
                accepted = await phone.invite(offer)
                await happened.wait_for(CallAnswered)
                ip("address", "delete", f"{BEFORE_IPV6}/128", "dev", "lo")
                be_at_ipv6(AFTER_IPV6)
                told = await phone.phone.request("INVITE")
                hosts = [SessionDescription.parse(body).host for body in (accepted.body, told.body)]
                assert hosts == [BEFORE_IPV6, AFTER_IPV6], hosts


async def redirected_call_moves() -> None:
    """A call that is sent on to where we have another address goes on from that one: its offer named the first."""

    def send_on(request: Request) -> Iterable[Response]:
        contact = ("Contact", f"<sip:bob@{near.address}>")
        return [reply(request, 302, contact)] if request.method == "INVITE" else []

    def answer(request: Request) -> Iterable[Response]:
        body = description(4000) if request.method == "INVITE" else b""
        return [] if request.method == "ACK" else [reply(request, 200, ("Contact", f"<sip:{near.address}>"), body=body)]

    settings = EngineSettings(listen=("udp:0.0.0.0:0",), dialling=DiallingSettings(redirect=("*",)))
    async with responder(answer) as near, responder(send_on, FAR) as server, Engine(settings) as engine:
        await engine.dial(f"sip:bob@{server.address}")
        hosts = [SessionDescription.parse((await near.request("INVITE", count)).body).host for count in (1, 2)]
        assert hosts == [BEFORE, "127.0.0.1"], hosts


async def called_far_away() -> None:
    """Whoever is called outside is told the address that a STUN server sees."""
    async with (
        StunServer() as stun,
        responder(busy, FAR) as phone,
        Engine(EngineSettings(listen=("udp:0.0.0.0:0",), stun=stun.address)) as engine,
    ):
        await engine.dial(f"sip:bob@{phone.address}")
        contact = (await phone.request("INVITE")).contacts[0].uri
        assert contact.host == PUBLIC_HOST, contact


async def second_server_called() -> None:
    """A call goes to the second of the servers that a domain's records name when nobody is at the first one."""
    async with responder(busy) as phone:
        records = (
            "_sip._udp.pbx.test SRV 10 0 9 first.pbx.test.",
            f"_sip._udp.pbx.test SRV 20 0 {phone.address.rpartition(':')[2]} second.pbx.test.",
            "first.pbx.test A 127.0.0.1",
            "second.pbx.test A 127.0.0.1",
        )
        async with (
            name_server(*records, port=53),
            Engine(EngineSettings(listen=("udp:127.0.0.1:0",))) as engine,
        ):
            await engine.dial("sip:bob@pbx.test")
            assert (await phone.request("INVITE")).uri.host == "pbx.test"


if __name__ == "__main__":
    ip("link", "set", "lo", "up")
    for address in (DESK, FAR):
        ip("address", "add", f"{address}/32", "dev", "lo")
    be_at(BEFORE)
    ip("route", "replace", "local", FAR, "dev", "lo", "table", "local", "src", BEFORE)
    with tempfile.NamedTemporaryFile("w") as resolv_conf:
        resolv_conf.write("nameserver 127.0.0.1\n")
        resolv_conf.flush()
        subprocess.run((program("mount"), "--bind", resolv_conf.name, "/etc/resolv.conf"), check=True)
        known = call_moves, account_moves, audio_moves, redirected_call_moves, called_far_away, second_server_called
        to_do = {each.__name__: each for each in known}
        asyncio.run(to_do[sys.argv[1]](*sys.argv[2:]))
