"""How long connections last that others open, and what they hear: the core behind a door, over real sockets in virtual time."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import pytest
from support import virtual_time
from support.certificates import Authority

from voip_engine.admission import Admission
from voip_engine.network_settings import AdmissionSettings, AdmittedUser, TlsSettings
from voip_engine.secret import Secret
from voip_engine.signalling import Signalling
from voip_engine.sip.authentication.auth import DigestClient, parse_challenges
from voip_engine.sip.core import SipCore
from voip_engine.sip.flow import LocalAddress, Transport
from voip_engine.sip.messages.message import parse_message
from voip_engine.sip.network.tcp import PING, PONG, TcpLimits

LISTED, STRANGER = "127.0.0.1", "127.0.0.66"
PATIENCE_S = 0.02
PING_EVERY_S = 20.0
LIMITS = TcpLimits()
BRANCH = AdmittedUser(username="branch", password=Secret("secret"))


def request(method: str, *extra: str, user: str = "alice", cseq: int = 1) -> bytes:
    lines = (
        f"{method} sip:desk@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/TCP 127.0.0.66;branch=z9hG4bK{cseq}",
        f"From: <sip:{user}@127.0.0.66>;tag=a",
        "To: <sip:desk@127.0.0.1>",
        "Call-ID: call",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:alice@127.0.0.66>",
        *extra,
        "Content-Length: 0",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Visitor:
    """Somebody who is connected to the desk, and all that he heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.heard = bytearray()
        self._listening = asyncio.create_task(self._listen())
        self._began_s = asyncio.get_running_loop().time()

    async def pings(self, seconds: float) -> float:
        """Send keep-alives until he is cut off, at most that long; tells how long he has been connected then."""
        now = asyncio.get_running_loop().time
        end_s = now() + seconds
        while not self._listening.done() and now() < end_s:
            self.writer.write(PING)
            await asyncio.wait([self._listening], timeout=min(PING_EVERY_S, end_s - now()))
        return now() - self._began_s

    async def head(self) -> bytes:
        """Wait for a whole message, and take it from what was heard."""
        while b"\r\n\r\n" not in self.heard:
            await asyncio.sleep(0.001)
        head, _, rest = bytes(self.heard).partition(b"\r\n\r\n")
        self.heard[:] = rest
        return head + b"\r\n\r\n"

    async def leave(self) -> None:
        self.writer.close()
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        with suppress(OSError):
            await self.writer.wait_closed()

    async def _listen(self) -> None:
        with suppress(ConnectionError):
            while data := await self._reader.read(4096):
                self.heard += data


class Desk:
    """A core that listed networks may call, and one user from anywhere."""

    def __init__(self, signalling: Signalling, address: LocalAddress, trust: ssl.SSLContext | None) -> None:
        self._address = address
        self._trust = trust
        self._signalling = signalling

    @classmethod
    @asynccontextmanager
    async def open(cls, transport: Transport, authority: Authority, *, users: bool = True) -> AsyncIterator[Desk]:
        allowed = AdmissionSettings(networks=(f"{LISTED}/32",), users=(BRANCH,) if users else ())
        door = Admission(allowed, has_accounts=False, random=Random(1))
        issued = authority.issue("desk")
        tls = TlsSettings(certificate_file=str(issued.certificate), key_file=str(issued.key))
        core = SipCore(Random(3), user_agent="test", door=door)
        signalling = Signalling(core, lambda effect: None, tls=tls)
        trust = ssl.create_default_context(cafile=str(authority.ca_file)) if transport == "TLS" else None
        try:
            yield cls(signalling, await signalling.listen(transport, "127.0.0.1", 0), trust)
        finally:
            await signalling.close()

    @asynccontextmanager
    async def visited(self, host: str, first_words: bytes) -> AsyncIterator[Visitor]:
        """Let somebody connect from an address, and say something."""
        opened = await asyncio.open_connection(
            self._address.host, self._address.port, local_addr=(host, 0), ssl=self._trust
        )
        visitor = Visitor(*opened)
        visitor.writer.write(first_words)
        try:
            yield visitor
        finally:
            await visitor.leave()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


both = pytest.mark.parametrize("transport", ["TCP", "TLS"])


@both
@pytest.mark.parametrize("users", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        b"",
        b"INVITE sip:desk@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP",
        b"INVITE sip:desk@127.0.0.1 SIP/2.0\r\nContent-Length: 60000\r\n\r\n",
        request("ACK"),
        request("OPTIONS"),
        request("INVITE"),
        request("INVITE").replace(b"CSeq: 1 INVITE", b"CSeq: INVITE"),
    ],
    ids=["nothing", "half-a-head", "no-body", "ack", "options", "invite", "malformed"],
)
def test_a_stranger_hears_nothing_and_is_gone_within_half_a_minute(
    transport: Transport, users: bool, words: bytes, authority: Authority
) -> None:
    async def visit() -> None:
        async with Desk.open(transport, authority, users=users) as desk, desk.visited(STRANGER, words) as stranger:
            assert await stranger.pings(10 * LIMITS.first_message_s) <= LIMITS.first_message_s + 0.1
            assert not stranger.heard

    virtual_time.run(visit(), patience_s=PATIENCE_S)


@both
def test_who_is_asked_for_a_password_has_half_a_minute_to_know_it(transport: Transport, authority: Authority) -> None:
    async def visit() -> None:
        invite = request("INVITE", user="branch")
        async with Desk.open(transport, authority) as desk, desk.visited(STRANGER, invite) as stranger:
            assert parse_message(await stranger.head()).serialize().startswith(b"SIP/2.0 401 ")
            stranger.writer.write(request("ACK", user="branch"))
            lasted_s = await stranger.pings(10 * LIMITS.first_message_s)
            assert lasted_s == pytest.approx(LIMITS.first_message_s, abs=0.1)
            assert not stranger.heard

    virtual_time.run(visit(), patience_s=PATIENCE_S)


@both
def test_who_knows_a_password_is_kept_and_his_pings_are_answered(transport: Transport, authority: Authority) -> None:
    async def visit() -> None:
        invite = request("INVITE", user="branch")
        async with Desk.open(transport, authority) as desk, desk.visited(STRANGER, invite) as user:
            challenge = parse_message(await user.head())
            user.writer.write(request("ACK", user="branch"))
            client = DigestClient("branch", "secret", Random(2))
            offered = parse_challenges(challenge.headers)
            [(name, value)] = client.authorize("INVITE", "sip:desk@127.0.0.1", b"", offered)
            user.writer.write(request("INVITE", f"{name}: {value}", user="branch", cseq=2))
            assert (await user.head()).startswith(b"SIP/2.0 100 ")
            assert await user.pings(10 * PING_EVERY_S) >= 10 * PING_EVERY_S
            assert user.heard == 10 * PONG
            # What he may not ask for hears nothing, and does not cost him the call.
            user.writer.write(request("SUBSCRIBE", cseq=3).replace(b"Call-ID: call", b"Call-ID: other"))
            await user.pings(PING_EVERY_S)
            assert user.heard == 11 * PONG

    virtual_time.run(visit(), patience_s=PATIENCE_S)


@both
def test_a_listed_source_is_answered_from_its_first_ping_on(transport: Transport, authority: Authority) -> None:
    async def visit() -> None:
        async with Desk.open(transport, authority) as desk, desk.visited(LISTED, b"") as phone:
            await phone.pings(PING_EVERY_S)
            assert phone.heard == PONG
            phone.writer.write(request("OPTIONS"))
            await phone.pings(10 * PING_EVERY_S)
            assert phone.heard.startswith(PONG + b"SIP/2.0 200 ")
            assert phone.heard.endswith(10 * PONG)
            # Nothing goes any more.
            assert await phone.pings(0) < LIMITS.idle_s
            await asyncio.sleep(LIMITS.idle_s + 1)
            assert await phone.pings(1) < 2 * LIMITS.idle_s
            assert phone.heard.endswith(10 * PONG)

    virtual_time.run(visit(), patience_s=PATIENCE_S)
