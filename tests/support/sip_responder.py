"""A SIP peer on a UDP socket whose every answer a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

from voip_engine.hosts import host_port
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message

Answer = Callable[[Request], Iterable[Response]]


class Responder(asyncio.DatagramProtocol):
    """Answers each new request as `answer` says, and repeats itself to repeated ones."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[Request] = []
        self.responses: list[Response] = []
        self.heard = asyncio.Event()
        self._answer = answer
        self._said: dict[bytes, list[bytes]] = {}
        self._transport: asyncio.DatagramTransport

    @property
    def address(self) -> str:
        """Its `host:port`."""
        return host_port(*self._transport.get_extra_info("sockname")[:2])

    def send(self, message: Request | Response, to: tuple[str, int]) -> None:
        """Say something unasked."""
        self._transport.sendto(message.serialize(), to)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = parse_message(data)
        if isinstance(message, Response):
            self.responses.append(message)
        elif data not in self._said:
            self.requests.append(message)
            self._said[data] = [response.serialize() for response in self._answer(message)]
        for answer in self._said.get(data, ()):
            self._transport.sendto(answer, addr)
        self.heard.set()

    async def request(self, method: str, count: int = 1) -> Request:
        """The request number `count` of a method, as soon as it has come."""
        async with asyncio.timeout(10):
            while len(found := [each for each in self.requests if each.method == method]) < count:
                self.heard.clear()
                await self.heard.wait()
        return found[count - 1]


@asynccontextmanager
async def responder(answer: Answer, host: str = "127.0.0.1") -> AsyncIterator[Responder]:
    """A peer at an address of this machine while the block runs."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Responder(answer), local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()


def reply(request: Request, status: int, *headers: tuple[str, str], tag: str = "peer", body: bytes = b"") -> Response:
    """A response to a request, with a session description if there is a body."""
    response = make_response(request, status, to_tag=tag)
    for name, value in headers:
        response.headers.add(name, value)
    if body:
        response.headers.add("Content-Type", "application/sdp")
        response.body = body
    return response
