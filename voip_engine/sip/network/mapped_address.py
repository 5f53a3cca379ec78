"""Where our SIP socket is seen from outside, for calls that no registrar tells us anything about (RFC 5389)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from importlib import import_module

from voip_engine.sip.network.sockets import TransportError, family_of, look_up
from voip_engine.sip.network.udp import UdpSocket
from voip_engine.stun.exchange import TIMEOUT_S, StunExchange
from voip_engine.stun.messages import (
    TRANSACTION_ID_BYTES,
    MalformedStun,
    binding_request,
    looks_like_stun,
    seen_address,
)

log = logging.getLogger(__name__)

KNOWN_S = 20.0
"""How long an answer is trusted; what gave none is not asked for as long either. NATs forget in 30 s and more."""


async def ask(
    exchange: StunExchange, send: Callable[[bytes], None], answered: asyncio.Event, own_host: str
) -> tuple[str, int] | None:
    """Send requests until `answered` says that the exchange has its answer; return where it says we are seen, or None.

    `own_host` is what the asking socket is bound to. Raises MalformedStun, and what `send` raises.
    """
    loop = asyncio.get_running_loop()
    while not exchange.done(now := loop.time()):
        request = exchange.on_timer(now)
        if request is not None:
            send(request)
        try:
            async with asyncio.timeout_at(exchange.next_deadline()):
                await answered.wait()
        except TimeoutError:
            continue
    return seen_address(exchange.answer, own_host) if exchange.answer is not None else None


class MappedAddresses:
    """Asks a STUN server through the socket itself. One question at a time, answers are remembered for 20 s."""

    def __init__(self) -> None:
        self._exchange: tuple[UdpSocket, StunExchange] | None = None
        self._answered = asyncio.Event()
        self._asking = asyncio.Lock()
        self._known: dict[tuple[str, int], tuple[float, tuple[str, int] | None]] = {}

    async def of(self, udp: UdpSocket, server: str, port: int) -> tuple[str, int] | None:
        """Return host and port that a socket is seen at; None when the server does not say within half a second."""
        key = udp.address.host, udp.address.port
        async with self._asking:
            now = asyncio.get_running_loop().time()
            until, known = self._known.get(key, (now, None))
            if until > now:
                return known
            found = await self._ask(udp, server, port)
            self._known[key] = asyncio.get_running_loop().time() + KNOWN_S, found
        return found

    def receive(self, udp: UdpSocket, data: bytes) -> bool:
        """Take a datagram if it is STUN: an answer, or nothing that concerns SIP."""
        if not looks_like_stun(data):
            return False
        if self._exchange is not None and self._exchange[0] is udp and self._exchange[1].receive(data):
            self._answered.set()
        return True

    def forget(self) -> None:
        """Ask anew: the network has changed."""
        self._known.clear()

    async def _ask(self, udp: UdpSocket, server: str, port: int) -> tuple[str, int] | None:
        await asyncio.to_thread(import_module, "aioice.stun")
        loop = asyncio.get_running_loop()
        own, began_s = udp.address.host, loop.time()
        try:
            # A call waits for this: names that are found slowly take from the time that there is for an answer.
            async with asyncio.timeout(TIMEOUT_S):
                addresses = await look_up(server, "UDP")
            host = next(each for each in addresses if family_of(each) == family_of(own))
            exchange = StunExchange(binding_request(secrets.token_bytes(TRANSACTION_ID_BYTES)), began_s)
            self._exchange = udp, exchange
            self._answered.clear()
            seen = await ask(exchange, lambda request: udp.send(request, host, port), self._answered, own)
            if seen is not None:
                return seen
            log.warning("the STUN server %s does not answer", server)
        except StopIteration:
            log.warning("the STUN server %s has no address like %s", server, own)
        except TimeoutError:
            log.warning("looking up the STUN server %s takes too long", server)
        except (TransportError, OSError, MalformedStun) as error:
            log.warning("the STUN server %s is of no use: %s", server, error)
        finally:
            self._exchange = None
        return None
