"""SIP over real sockets: UDP and TCP, IPv4 and IPv6 (RFC 3261 §18, RFC 3581).

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
from dataclasses import dataclass, field
from typing import Any

from voip_engine.sip.effects import SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.framing import FramingError
from voip_engine.sip.routes import PendingTransactions, Remote, Routes
from voip_engine.sip.sockets import (
    DEFAULT_PORT,
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
from voip_engine.sip.tcp import TcpConnection, TcpEvents, TcpLimits
from voip_engine.sip.udp import DATAGRAM_LIMIT_BYTES, UdpSocket

__all__ = ["SipTransport", "TcpLimits", "TransportError"]

log = logging.getLogger(__name__)

_WAITING_BYTES = 1024 * 1024  # what may wait for one connection to be made


@dataclass(slots=True)
class _Attempt:
    """A connection being made, and what waits for it: data with transaction, or None for a response."""

    waiting: list[tuple[bytes, str | None]] = field(default_factory=list)
    waiting_bytes: int = 0


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
    ) -> None:
        self._on_data = on_data
        self._on_failure = on_failure
        self._on_flow_lost = on_flow_lost
        self._limits = limits or TcpLimits()
        self._events = TcpEvents(self._connected, on_data, on_framing_error, self._disconnected)
        self._udp: list[UdpSocket] = []
        self._listeners: list[tuple[asyncio.Server, LocalAddress]] = []
        self._connections: dict[int, TcpConnection] = {}
        self._by_remote: dict[Remote, TcpConnection] = {}
        self._attempts: dict[Remote, _Attempt] = {}
        self._connection_count = 0
        self._full = False
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
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: self._new_connection(outbound=False), sock=opened)
            self._listeners.append((server, bound))
        return bound

    async def local_address_for(self, next_hop: NextHop) -> LocalAddress:
        """Find what to put into Via and Contact for a next hop, opening a socket if none fits.

        Raises TransportError.
        """
        remote_host = await self._choose_address(next_hop)
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
        else:
            self._send_on_connection(effect)

    async def close(self) -> None:
        """Close every socket, giving peers a moment to take what was sent, and end every task."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server, _ in self._listeners:
            server.close()
        connections = list(self._connections.values())
        for connection in connections:
            connection.close()
        if connections:
            await asyncio.wait([connection.closed for connection in connections])
        for server, _ in self._listeners:
            await server.wait_closed()
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
        if known and hop.transport == "TCP":
            self._send_request_on_connection(effect, self._preferred("TCP", known))
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
                self._send_request_on_connection(effect, await self._choose_address(effect.next_hop))
        except TransportError as error:
            self._fail(effect.transaction, str(error))

    def _send_request_datagram(self, effect: SendRequest, host: str) -> None:
        remote = host, effect.next_hop.port or DEFAULT_PORT
        self._pending.add(effect.transaction, "UDP", remote)
        failure = self._send_datagram(effect.data, *remote)
        if failure is not None:
            self._fail(effect.transaction, failure)

    def _send_request_on_connection(self, effect: SendRequest, host: str) -> None:
        remote = host, effect.next_hop.port or DEFAULT_PORT
        self._pending.add(effect.transaction, "TCP", remote)
        connection = self._by_remote.get(remote)
        if connection is not None and connection.usable:
            try:
                connection.send(effect.data)
            except ConnectionError as error:
                self._fail(effect.transaction, describe_failure(error, effect.next_hop))
            return
        self._connect_and_send(remote, effect.data, effect.transaction)

    # ---- TCP --------------------------------------------------------------------------------------------------------

    def _send_on_connection(self, effect: SendOnFlow) -> None:
        connection = self._connections.get(effect.flow.connection)
        if connection is not None and connection.usable:
            try:
                connection.send(effect.data)
            except ConnectionError as error:
                log.debug("sending to %s failed: %s", effect.flow.remote_host, error)
        elif effect.fallback is not None:
            self._start(self._send_on_fallback(effect.data, effect.fallback))

    async def _send_on_fallback(self, data: bytes, hop: NextHop) -> None:
        """Open a connection for a response whose own one is gone (RFC 3261 §18.2.2)."""
        try:
            host = await self._choose_address(hop)
        except TransportError as error:
            log.debug("a response cannot be delivered: %s", error)
            return
        remote = host, hop.port or DEFAULT_PORT
        connection = self._by_remote.get(remote)
        if connection is None or not connection.usable:
            self._connect_and_send(remote, data, None)
            return
        try:
            connection.send(data)
        except ConnectionError as error:
            log.debug("sending to %s failed: %s", host, error)

    def _connect_and_send(self, remote: Remote, data: bytes, transaction: str | None) -> None:
        attempt = self._attempts.get(remote)
        if attempt is None:
            attempt = self._attempts[remote] = _Attempt()
            self._start(self._connect(remote, attempt))
        if attempt.waiting_bytes + len(data) > _WAITING_BYTES:
            if transaction is not None:
                self._fail(transaction, f"too much waits for a connection to {remote[0]}:{remote[1]}")
            return
        attempt.waiting.append((data, transaction))
        attempt.waiting_bytes += len(data)

    async def _connect(self, remote: Remote, attempt: _Attempt) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                _, connection = await loop.create_connection(lambda: self._new_connection(outbound=True), *remote)
            del self._attempts[remote]
            for data, _ in attempt.waiting:
                connection.send(data)
        except OSError as error:
            self._attempts.pop(remote, None)
            reason = describe_failure(error, NextHop("TCP", *remote))
            for _, transaction in attempt.waiting:
                if transaction is not None:
                    self._fail(transaction, reason)

    def _new_connection(self, *, outbound: bool) -> TcpConnection:
        self._connection_count += 1
        return TcpConnection(self._connection_count, outbound, self._limits, self._events)

    def _connected(self, connection: TcpConnection) -> bool:
        remote = connection.flow.remote_host, connection.flow.remote_port
        if self._closed:
            return False
        if not connection.outbound:
            inbound = sum(not each.outbound for each in self._connections.values())
            full, self._full = self._full, inbound >= self._limits.connections
            if self._full:
                if not full:
                    log.warning("refusing connections: %d are open, the last one came from %s", inbound, remote[0])
                return False
        self._connections[connection.number] = connection
        self._by_remote[remote] = connection
        return True

    def _disconnected(self, connection: TcpConnection, error: BaseException | None) -> None:
        flow = connection.flow
        remote = flow.remote_host, flow.remote_port
        del self._connections[connection.number]
        if self._by_remote.get(remote) is connection:
            del self._by_remote[remote]
        if self._closed:
            return
        self._fail_pending("TCP", remote, f"{flow.remote_host}:{flow.remote_port} closed the connection")
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
            bound = self._best([address for _, address in self._listeners], remote_host)
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
