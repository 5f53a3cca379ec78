"""A phone that calls an engine on loopback, with descriptions that a test writes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count

from support.sip_responder import Responder, reply, responder
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.sip.messages.message import Request, Response, parse_message


def description(port: int, *lines: str, host: str = "127.0.0.1", protocol: str = "RTP/AVP") -> bytes:
    """Audio in PCMA at a port of this machine; `lines` are added to its section."""
    family = "IP6" if ":" in host else "IP4"
    head = (
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} {protocol} 8",
    )
    return ("\r\n".join((*head, *lines)) + "\r\n").encode()


class Caller:
    """Calls one engine; `asked` are the requests that the engine sends it, each answered with `answer` if an INVITE."""

    def __init__(self, engine: Engine) -> None:
        self.answer = b""
        self.phone: Responder
        self._host, _, port = uri_of(engine).partition("@")[2].partition(";")[0].rpartition(":")
        self._port = int(port)
        self._calls = count(1)

    def reply(self, request: Request) -> Iterable[Response]:
        if request.method == "ACK":
            return []
        body = self.answer if request.method == "INVITE" else b""
        return [reply(request, 200, ("Contact", f"<sip:phone@{self.phone.address}>"), body=body)]

    async def invite(self, offer: bytes, user: str = "echo") -> Response:
        """Call somebody; gives the final response, which is acknowledged."""
        call_id = f"{next(self._calls)}@caller"
        to = f"<sip:{user}@{self._host}:{self._port}>"
        self._send("INVITE", user, to, call_id, offer)
        final = await self._answer(call_id)
        self._send("ACK", user, str(final.headers.get("To")), call_id, b"")
        return final

    async def ask(self) -> Response:
        """Ask by OPTIONS, which is answered after all that the engine has read before."""
        call_id = f"{next(self._calls)}@caller"
        self._send("OPTIONS", "echo", f"<sip:echo@{self._host}:{self._port}>", call_id, b"")
        return await self._answer(call_id)

    async def _answer(self, call_id: str) -> Response:
        async with asyncio.timeout(10):
            while not (
                final := [each for each in self.phone.responses if each.call_id == call_id and each.status >= 200]
            ):
                self.phone.heard.clear()
                await self.phone.heard.wait()
        return final[0]

    def _send(self, method: str, user: str, to: str, call_id: str, body: bytes) -> None:
        at = self.phone.address
        lines = [
            f"{method} sip:{user}@{self._host}:{self._port} SIP/2.0",
            f"Via: SIP/2.0/UDP {at};branch=z9hG4bK{method}{call_id}",
            "Max-Forwards: 70",
            f"From: <sip:phone@{at}>;tag=phone",
            f"To: {to}",
            f"Call-ID: {call_id}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:phone@{at}>",
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        message = parse_message(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        assert isinstance(message, Request)
        self.phone.send(message, (self._host, self._port))


@asynccontextmanager
async def caller(engine: Engine) -> AsyncIterator[Caller]:
    """A phone while the block runs."""
    made = Caller(engine)
    async with responder(made.reply) as made.phone:
        yield made


class AudioPort:
    """Where a test takes audio by hand."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.port: int = self.socket.getsockname()[1]

    def __enter__(self) -> AudioPort:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    async def packets(self, number: int) -> list[bytes]:
        """The next so many packets, RTCP left out."""
        came: list[bytes] = []
        async with asyncio.timeout(10):
            while len(came) < number:
                data = await asyncio.get_running_loop().sock_recv(self.socket, 2048)
                if len(data) > 12 and not 192 <= data[1] <= 223:
                    came.append(data)
        return came
