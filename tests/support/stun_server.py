"""A STUN server on loopback that sees everybody behind a NAT."""

from __future__ import annotations

import asyncio

from aioice import stun

PUBLIC_HOST = "203.0.113.9"


class StunServer(asyncio.DatagramProtocol):
    """Tells that ports are seen at `PUBLIC_HOST`, `shift` above their own. Deaf if told so."""

    host = PUBLIC_HOST

    def __init__(self, *, shift: int = 1000, deaf: bool = False) -> None:
        self.shift, self.deaf = shift, deaf
        self.asked: list[tuple[str, int]] = []
        self.heard = asyncio.Event()
        self.address = ""
        self._transport: asyncio.DatagramTransport

    async def __aenter__(self) -> StunServer:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        host, port = self._transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        self.asked.append(address)
        self.heard.set()
        if self.deaf:
            return
        request = stun.parse_message(data)
        seen = (self.host, address[1] + self.shift)
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = seen
        self._transport.sendto(bytes(response), address)
