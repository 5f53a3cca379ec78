"""SIP over real sockets: UDP, TCP and TLS, IPv4 and IPv6 (RFC 3261 §18, RFC 3581).

```
sockets ──► on_data(bytes, Flow) ──► SipCore ──► SendOnFlow / SendRequest ──► send() ──► sockets
```
`send` never waits. What needs waiting (names, connecting) runs in tasks that `close` ends; a peer that is slow or
dead holds up nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from voip_engine.sip.effects import SendOnFlow, SendRequest
from voip_engine.sip.flow import DEFAULT_PORTS, Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.framing import FramingError
from voip_engine.sip.routes import PendingTransactions, Remote, Routes
from voip_engine.sip.sockets import (
    TransportError,
    bound_address,
    describe_failure,
    family_of,
    is_loopback,
    is_wildcard,
    look_up,
    open_socket,
    wildcard_like,
)
from voip_engine.sip.streams import Streams
from voip_engine.sip.tcp import TcpLimits
from voip_engine.sip.tls import TlsContexts
from voip_engine.sip.udp import DATAGRAM_LIMIT_BYTES, UdpSocket

__all__ = ["SipTransport", "TcpLimits", "TransportError"]

log = logging.getLogger(__name__)


class SipTransport:
    """Owns every SIP socket. Its callbacks run in the event loop and must not block.

    `on_failure` gets a transaction and plain words; it is called after `send` has returned. Hosts in the flows are
    literal addresses; `local_host` is one that the peer can reach, on a wildcard socket too.
    """

    def __init__(
        self,
        on_data: Callable[[bytes, Flow], None],
        on_failure: Callable[[str, str], None],
        on_framing_error: Callable[[FramingError, Flow], None],
        on_flow_lost: Callable[[Flow], None],
        *,
        limits: TcpLimits | None = None,
        tls: TlsContexts | None = None,
    ) -> None:
        self._on_data = on_data
        self._on_failure = on_failure
        self._on_flow_lost = on_flow_lost
        self._streams = Streams(
            on_data,
            on_framing_error,
            self._stream_lost,
            self._fail,
            limits=limits or TcpLimits(),
            tls=tls or TlsContexts(),
        )
        self._udp: list[UdpSocket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._routes = Routes()
        self._pending = PendingTransactions()
        self._closed = False

    async def listen(self, transport: Transport, host: str, port: int) -> LocalAddress:
        """Receive on an address; port 0 takes a free one. Raises TransportError."""
        address = (await look_up(host, transport))[0]
        opened = open_socket(transport, address, port)
        bound = bound_address(transport, opened)
        if transport == "UDP":
            udp = UdpSocket(opened, self._datagram_received, self._unreachable)
            await udp.start()
            self._udp.append(udp)
        else:
            await self._streams.listen(opened, bound)
        return bound

    async def local_address_for(self, next_hop: NextHop) -> LocalAddress:
        """Find what to put into Via and Contact for a next hop, opening a socket if none fits.

        Over TLS, which takes a certificate to listen with, that is a connection to the next hop. Raises TransportError.
        """
        remote_host = await self._choose_address(next_hop)
        if next_hop.transport == "TLS" and self._local_address("TLS", remote_host) is None:
            domain = next_hop.domain or next_hop.host
            flow = await self._streams.connect(replace(next_hop, host=remote_host, domain=domain))
            return LocalAddress("TLS", flow.local_host, flow.local_port)
        async with self._opening:
            found = self._local_address(next_hop.transport, remote_host)
            if found is None:
                await self.listen(next_hop.transport, wildcard_like(remote_host), 0)
                found = self._local_address(next_hop.transport, remote_host)
        if found is None:
            raise TransportError(f"No socket reaches {next_hop.host}.")
        return found

    def send(self, effect: SendOnFlow | SendRequest) -> None:
        """Send a response on its flow, or a request to its next hop. Never blocks; failures go to `on_failure`."""
        if self._closed:
            return
        if isinstance(effect, SendRequest):
            self._send_request(effect)
        elif effect.flow.transport == "UDP":
            self._send_datagram(effect.data, effect.flow.remote_host, effect.flow.remote_port, effect.flow)
        elif not self._streams.send_on(effect.flow, effect.data) and effect.fallback is not None:
            self._start(self._send_on_fallback(effect.data, effect.fallback))

    async def close(self) -> None:
        """Close every socket, giving peers a moment to take what was sent, and end every task."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._streams.close()
        for udp in self._udp:
            await udp.close()

    # ---- UDP --------------------------------------------------------------------------------------------------------

    def _datagram_received(self, udp: UdpSocket, data: bytes, host: str, port: int) -> None:
        if self._closed or not data.strip(b"\r\n\x00"):
            return  # a keep-alive (RFC 5626 §4.4.1 and what older phones send)
        local = udp.address.host
        if is_wildcard(local):
            try:
                local = self._routes.source(host)
            except TransportError:
                log.debug("no way back to %s:%d", host, port)
        self._on_data(data, Flow("UDP", local, udp.address.port, host, port))

    def _send_datagram(self, data: bytes, host: str, port: int, flow: Flow | None = None) -> str | None:
        """Send from the flow's socket or one that fits; give plain words when that failed."""
        hop = NextHop("UDP", host, port)
        if len(data) > DATAGRAM_LIMIT_BYTES:
            return "the message is too long for UDP"
        try:
            udp = self._udp_socket(host, flow)
            if udp is None:
                return "there is no UDP socket to send from"
            udp.send(data, host, port)
        except TransportError as error:
            return str(error)
        except OSError as error:
            log.debug("sending to %s:%d failed: %s", host, port, error)
            return describe_failure(error, hop)
        return None

    def _udp_socket(self, remote_host: str, flow: Flow | None) -> UdpSocket | None:
        if flow is not None:
            for udp in self._udp:
                if udp.address.port == flow.local_port and udp.address.host == flow.local_host:
                    return udp
            for udp in self._udp:
                if udp.address.port == flow.local_port and udp.address.host == wildcard_like(flow.local_host):
                    return udp
        best = self._best([udp.address for udp in self._udp], remote_host)
        return next((udp for udp in self._udp if udp.address == best), None)

    def _unreachable(self, error: OSError, host: str, port: int) -> None:
        """Fail what waits for an answer from an address that ICMP calls unreachable (RFC 3261 §18.4)."""
        self._fail_pending("UDP", (host, port), describe_failure(error, NextHop("UDP", host, port)))

    # ---- requests ---------------------------------------------------------------------------------------------------

    def _send_request(self, effect: SendRequest) -> None:
        hop = effect.next_hop
        known = self._routes.known(hop)
        if known and hop.transport != "UDP":
            self._send_request_on_stream(effect, self._preferred(hop.transport, known))
        elif known and self._reaches("UDP", address := self._preferred("UDP", known)):
            self._send_request_datagram(effect, address)
        else:
            self._start(self._resolve_and_send(effect))

    async def _resolve_and_send(self, effect: SendRequest) -> None:
        try:
            if effect.next_hop.transport == "UDP":
                await self.local_address_for(effect.next_hop)
                self._send_request_datagram(effect, await self._choose_address(effect.next_hop))
            else:
                self._send_request_on_stream(effect, await self._choose_address(effect.next_hop))
        except TransportError as error:
            self._fail(effect.transaction, str(error))

    def _send_request_datagram(self, effect: SendRequest, host: str) -> None:
        remote = host, effect.next_hop.port or DEFAULT_PORTS["UDP"]
        self._pending.add(effect.transaction, "UDP", remote)
        failure = self._send_datagram(effect.data, *remote)
        if failure is not None:
            self._fail(effect.transaction, failure)

    def _send_request_on_stream(self, effect: SendRequest, host: str) -> None:
        hop = effect.next_hop
        remote = host, hop.port or DEFAULT_PORTS[hop.transport]
        self._pending.add(effect.transaction, hop.transport, remote)
        literal = NextHop(hop.transport, *remote, hop.domain or (hop.host if hop.transport == "TLS" else ""))
        self._streams.send(literal, effect.data, effect.transaction)

    # ---- streams ----------------------------------------------------------------------------------------------------

    async def _send_on_fallback(self, data: bytes, hop: NextHop) -> None:
        """Open a connection for a response whose own one is gone (RFC 3261 §18.2.2)."""
        try:
            self._streams.send(replace(hop, host=await self._choose_address(hop)), data, None)
        except TransportError as error:
            log.debug("a response cannot be delivered: %s", error)

    def _stream_lost(self, flow: Flow, reason: str) -> None:
        if not self._closed:
            self._fail_pending(flow.transport, (flow.remote_host, flow.remote_port), reason)
            self._on_flow_lost(flow)

    # ---- addresses --------------------------------------------------------------------------------------------------

    async def _choose_address(self, hop: NextHop) -> str:
        """Literal address of a next hop: the first that a socket we have reaches, else the first. Raises."""
        return self._preferred(hop.transport, await self._routes.find(hop))

    def _preferred(self, transport: Transport, addresses: list[str]) -> str:
        return next((address for address in addresses if self._reaches(transport, address)), addresses[0])

    def _reaches(self, transport: Transport, remote_host: str) -> bool:
        try:
            return self._local_address(transport, remote_host) is not None
        except TransportError:
            return False

    def _local_address(self, transport: Transport, remote_host: str) -> LocalAddress | None:
        if transport == "UDP":
            bound = self._best([udp.address for udp in self._udp], remote_host)
        else:
            bound = self._best(self._streams.addresses(transport), remote_host)
        if bound is None or not is_wildcard(bound.host):
            return bound
        return LocalAddress(transport, self._routes.source(remote_host), bound.port)

    def _best(self, bound: list[LocalAddress], remote_host: str) -> LocalAddress | None:
        """Of addresses we are bound to, the one to talk to a remote host from: ours on the route, or the wildcard.

        Else one that is as much or as little of this machine only as the route; the rest cannot reach it.
        """
        family = family_of(remote_host)
        candidates = [address for address in bound if family_of(address.host) == family]
        if not candidates:
            return None
        source = self._routes.source(remote_host)
        for wanted in (source, wildcard_like(source)):
            for address in candidates:
                if address.host == wanted:
                    return address
        loopback = is_loopback(source)
        return next((address for address in candidates if is_loopback(address.host) == loopback), None)

    # ---- failures and tasks -----------------------------------------------------------------------------------------

    def _fail_pending(self, transport: Transport, remote: Remote, reason: str) -> None:
        for transaction in self._pending.take(transport, remote):
            self._fail(transaction, reason)

    def _fail(self, transaction: str, reason: str) -> None:
        self._pending.discard(transaction)
        asyncio.get_running_loop().call_soon(self._report_failure, transaction, reason)

    def _report_failure(self, transaction: str, reason: str) -> None:
        if not self._closed:
            self._on_failure(transaction, reason)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
