"""What the other side plays before it answers is heard, of several branches the latest; then that of the one that answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager

import pytest
from support.happenings import Happenings
from support.media_peer import tone
from support.sip_responder import Responder, reply, responder

from voip_engine import Engine
from voip_engine.events import CallAnswered, CallEnded, CallRinging, MediaChanged
from voip_engine.rtp.packet import RtpPacket
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.message import Request, Response
from voip_engine.snapshots import CallState


class Branch:
    """One place where it rings, behind `server`. It plays a tone from its own port, but may say another host."""

    def __init__(self, server: Responder, tag: str, host: str = "127.0.0.1") -> None:
        self.tag = tag
        self.host = host
        self.contact = f"<sip:{tag}@{server.address}>"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]

    def __enter__(self) -> Branch:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def description(self) -> bytes:
        host, port = self.host, self.port
        return (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        ).encode()

    def respond(self, invite: Request, status: int, *headers: tuple[str, str], described: bool = True) -> Response:
        contact = ("Contact", self.contact)
        return reply(invite, status, contact, *headers, tag=self.tag, body=self.description() if described else b"")

    def update(self, invite: Request, port: int) -> Request:
        """An UPDATE that has audio sent to another port from now on."""
        self.port = port
        headers = Headers()
        for name, value in (
            ("Via", f"SIP/2.0/UDP {self.contact[1:-1].partition('@')[2]};branch=z9hG4bK{self.tag};rport"),
            ("Max-Forwards", "70"),
            ("From", f"{invite.headers.get('To')};tag={self.tag}"),
            ("To", str(invite.headers.get("From"))),
            ("Call-ID", invite.call_id),
            ("CSeq", "1 UPDATE"),
            ("Contact", self.contact),
            ("Content-Type", "application/sdp"),
        ):
            headers.add(name, value)
        return Request("UPDATE", invite.contacts[0].uri, headers, self.description())

    async def play(self, remote: str) -> None:
        """Send a tone until cancelled."""
        host, _, port = remote.rpartition(":")
        for number, payload in enumerate(tone(1500)):
            packet = RtpPacket(0, number, number * 160, self.port, payload)
            self.socket.sendto(packet.serialize(), (host, int(port)))
            await asyncio.sleep(0.02)


@asynccontextmanager
async def playing(branch: Branch, remote: str) -> AsyncIterator[None]:
    task = asyncio.create_task(branch.play(remote))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        branch.socket.close()


def address_of(engine: Engine) -> tuple[str, int]:
    host, _, port = engine.snapshot().listening[0].removeprefix("udp:").rpartition(":")
    return host, int(port)


def trying(request: Request) -> Iterable[Response]:
    return [reply(request, 200)] if request.method in ("PRACK", "BYE", "UPDATE") else []


async def heard(call) -> None:
    async with asyncio.timeout(10):
        while call.snapshot().media.level_in_dbfs < -30:
            await asyncio.sleep(0.05)


async def rings(server: Responder, engine: Engine, branch: Branch, status: int, *headers: tuple[str, str]) -> Request:
    """Say that it rings, with a session description."""
    invite = await server.request("INVITE")
    server.send(branch.respond(invite, status, *headers), address_of(engine))
    return invite


async def test_a_tone_that_comes_with_ringing_is_heard_before_the_answer(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(trying) as server:
        branch = Branch(server, "one")
        call = await engine.dial(f"sip:bob@{server.address}")
        invite = await rings(server, engine, branch, 180)
        assert (await happened.wait_for(CallRinging)).early_media
        async with playing(branch, call.snapshot().local_rtp):
            await heard(call)
            assert (call.snapshot().state, call.snapshot().early_media) == (CallState.RINGING, True)
            # Answered without a session description: the early one counts.
            server.send(branch.respond(invite, 200, described=False), address_of(engine))
            await happened.wait_for(CallAnswered)
            assert not call.snapshot().early_media
            assert call.snapshot().codec.name == "PCMU"
            await call.hold(True)
            assert (await server.request("INVITE", 2)).body


async def test_of_two_branches_the_latest_is_heard_and_then_the_one_that_answers(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    reliably = (("Require", "100rel"), ("RSeq", "1"))
    async with responder(trying) as server:
        one, two = Branch(server, "one"), Branch(server, "two")
        call = await engine.dial(f"sip:bob@{server.address}")
        invite = await rings(server, engine, one, 183, *reliably)
        await happened.wait_for(CallRinging)
        await rings(server, engine, two, 183, *reliably)
        await happened.wait_for(CallRinging)
        assert {(await server.request("PRACK", n)).to.tag for n in (1, 2)} == {"one", "two"}
        async with playing(two, call.snapshot().local_rtp):
            await heard(call)
            assert call.snapshot().remote_rtp.endswith(f":{two.port}")
            server.send(one.respond(invite, 200, described=False), address_of(engine))
            await happened.wait_for(CallAnswered)
        async with playing(one, call.snapshot().local_rtp):
            async with asyncio.timeout(10):
                while not call.snapshot().remote_rtp.endswith(f":{one.port}"):
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize(("body", "words"), [(b"", "without a session description"), (b"v=0\r\n", "cannot be used")])
async def test_a_branch_that_answers_without_ever_saying_where_audio_goes_is_hung_up(make_engine, body, words):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(trying) as server:
        with ExitStack() as stack:
            one, two, other = (stack.enter_context(Branch(server, tag)) for tag in ("one", "two", "other"))
            await engine.dial(f"sip:bob@{server.address}")
            for branch in (one, other):
                invite = await rings(server, engine, branch, 183)
                await happened.wait_for(CallRinging, early_media=True)
            answer = two.respond(invite, 200)
            answer.body = body
            server.send(answer, address_of(engine))
            assert (await server.request("BYE")).to.tag == "two"
            assert words in (await happened.wait_for(CallEnded)).reason
            assert not [event for event in happened.seen if isinstance(event, CallAnswered)]


@pytest.mark.parametrize("described", [True, False])
async def test_a_branch_that_answers_has_what_it_agreed_on_while_it_rang(make_engine, described: bool):
    engine = await make_engine()
    happened = Happenings(engine)
    reliably = (("Require", "100rel"), ("RSeq", "1"))
    async with responder(trying) as server:
        with ExitStack() as stack:
            one, two = (stack.enter_context(Branch(server, tag)) for tag in ("one", "two"))
            call = await engine.dial(f"sip:bob@{server.address}")
            invite = await rings(server, engine, one, 183, *reliably)
            await happened.wait_for(CallRinging)
            first = one.description()
            server.send(one.update(invite, 5004), address_of(engine))
            async with asyncio.timeout(10):
                while not any(each.cseq.method == "UPDATE" for each in server.responses):
                    server.heard.clear()
                    await server.heard.wait()
            await rings(server, engine, two, 183, *reliably)
            await happened.wait_for(CallRinging)
            assert call.snapshot().remote_rtp.endswith(f":{two.port}")
            answer = one.respond(invite, 200, described=described)
            if described:
                answer.body = first  # once more, though it is older than the UPDATE
            server.send(answer, address_of(engine))
            await happened.wait_for(CallAnswered)
            assert call.snapshot().remote_rtp == "127.0.0.1:5004"


async def test_a_phone_behind_nat_is_heard_from_where_its_signalling_comes(make_engine):
    engine = await make_engine()
    happened = Happenings(engine)
    async with responder(trying) as server:
        branch = Branch(server, "one", host="10.255.255.7")
        call = await engine.dial(f"sip:bob@{server.address}")
        await rings(server, engine, branch, 183)
        await happened.wait_for(CallRinging)
        async with playing(branch, call.snapshot().local_rtp):
            await heard(call)
            async with asyncio.timeout(10):
                while call.snapshot().remote_rtp != f"127.0.0.1:{branch.port}":
                    await asyncio.sleep(0.05)


async def test_silence_while_it_rings_is_no_reason_to_hang_up(make_engine):
    engine = await make_engine(media_timeout_s=1.0)
    happened = Happenings(engine)
    async with responder(trying) as server:
        branch = Branch(server, "one")
        call = await engine.dial(f"sip:bob@{server.address}")
        invite = await rings(server, engine, branch, 183)
        await happened.wait_for(CallRinging)
        async with playing(branch, call.snapshot().local_rtp):
            await heard(call)
        async with asyncio.timeout(10):
            while call.snapshot().media.silent_s < 1.5:
                await asyncio.sleep(0.05)
        assert call.state is CallState.RINGING
        # Once it is answered, silence counts.
        server.send(branch.respond(invite, 200), address_of(engine))
        assert "Nothing was heard" in (await happened.wait_for(CallEnded)).reason


async def test_codecs_change_in_mid_call(make_engine, echo):
    caller = await make_engine()
    happened, at_echo = Happenings(caller), Happenings(echo)
    host, port = address_of(echo)
    call = await caller.dial(f"sip:echo@{host}:{port}")
    await happened.wait_for(CallAnswered)
    await call.set_codecs(("PCMA",))
    assert (await happened.wait_for(MediaChanged)).codec.name == "PCMA"
    assert (await at_echo.wait_for(MediaChanged)).codec.name == "PCMA"


async def test_both_sides_hold_and_each_knows(make_engine, echo):
    caller = await make_engine()
    happened, at_echo = Happenings(caller), Happenings(echo)
    host, port = address_of(echo)
    call = await caller.dial(f"sip:echo@{host}:{port}")
    await happened.wait_for(CallAnswered)
    [other] = echo.calls.values()
    await asyncio.gather(call.hold(True), other.hold(True))  # they meet: both get 491, and try again apart
    await happened.wait_for(MediaChanged, held_by="both")
    await at_echo.wait_for(MediaChanged, held_by="both")
    await call.hold(False)
    await happened.wait_for(MediaChanged, held_by="them")
    await at_echo.wait_for(MediaChanged, held_by="us")
