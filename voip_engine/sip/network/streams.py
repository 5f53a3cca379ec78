"""Stream connections for SIP, TCP and TLS: made when something is to be sent, taken from listeners, used by both sides.

A request for a domain goes over TLS only where the certificate names that domain (RFC 5922 §7.3). For a mere address, as
Record-Route and Contact bring it, the certificate has to name the domain last verified there, or else the address. On what
others opened we know nobody's name: such a connection takes only requests that go back to whom it brought.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from socket import socket
from typing import Any

from voip_engine.hosts import is_literal
from voip_engine.sip.flow import DEFAULT_PORTS, Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.network.crowd import Crowd
from voip_engine.sip.network.sockets import TransportError, describe_failure, place_of
from voip_engine.sip.network.tcp import TcpConnection, TcpEvents, TcpLimits
from voip_engine.sip.network.tls import TlsContexts, describe_tls_failure
from voip_engine.sip.network.tls_gate import TlsGate
from voip_engine.sip.plain_words import sentence

log = logging.getLogger(__name__)

_WAITING_BYTES = 1024 * 1024  # what may wait for one connection to be made
_DOMAINS_REMEMBERED = 1024
_CARRIERS_REMEMBERED = 4096

Place = tuple[Transport, str, int]
"""Transport, literal address and port of the other side."""


@dataclass(slots=True)
class _Attempt:
    """A connection being made, and what waits for it: data with transaction, or None for a response."""

    waiting: list[tuple[bytes, str | None]] = field(default_factory=list)
    waiting_bytes: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)
    flow: Flow | None = None
    failure: str = ""


class Streams:
    """Owns listeners and connections. Next hops are literal addresses with a port.

    `on_lost` gets the flow of a connection that is gone and plain words, `on_failure` a transaction and plain words, `on_sent`
    what was handed to a connection. `knows` tells sources that may call from strangers, who get few connections: whom we called
    may send its BYE on one of its own.
    """

    def __init__(
        self,
        on_data: Callable[[bytes, Flow], None],
        on_framing_error: Callable[[FramingError, Flow], None],
        on_lost: Callable[[Flow, str], None],
        on_failure: Callable[[str, str], None],
        *,
        on_sent: Callable[[bytes, Flow], None],
        knows: Callable[[Flow], bool],
        limits: TcpLimits,
        tls: TlsContexts,
    ) -> None:
        self._on_sent = on_sent
        self._on_lost = on_lost
        self._on_failure = on_failure
        self._crowd = Crowd(limits, knows, self._abort)
        self._limits = limits
        self._tls = tls
        self._events = TcpEvents(self._connected, self._is_stranger, on_data, on_framing_error, self._disconnected)
        self._listeners: list[tuple[asyncio.Server, LocalAddress]] = []
        self._connections: dict[int, TcpConnection] = {}
        self._by_place: dict[Place, list[TcpConnection]] = {}
        self._shaking_hands: dict[int, asyncio.Transport] = {}
        self._attempts: dict[NextHop, _Attempt] = {}
        self._domains: OrderedDict[Place, str] = OrderedDict()
        self._carriers: OrderedDict[str, int] = OrderedDict()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def addresses(self, transport: Transport) -> list[LocalAddress]:
        """Where others can connect to."""
        return [address for _, address in self._listeners if address.transport == transport]

    def flows(self) -> list[Flow]:
        """The connections that are up."""
        return [connection.flow for connection in self._connections.values()]

    async def listen(self, opened: socket, bound: LocalAddress) -> None:
        """Take connections on a socket that listens. Raises TransportError for certificates that cannot be used."""
        transport = bound.transport
        try:
            context = await self._tls.server() if transport == "TLS" else None
        except TransportError:
            opened.close()
            raise

        def accept() -> asyncio.BaseProtocol:
            if context is None:
                return self._new_connection(transport, outbound=False)
            secured = self._new_connection(transport, outbound=False)
            return TlsGate(
                lambda flow: not self._closed and self._crowd.enter(secured.number, flow),
                lambda plain, flow: self._arrives(plain, flow, secured, context),
            )

        server = await asyncio.get_running_loop().create_server(accept, sock=opened)
        self._listeners.append((server, bound))

    def leads_to(self, hop: NextHop) -> bool:
        """Say whether there is a connection to a next hop."""
        return self._find(self._named(hop)) is not None

    async def connect(self, hop: NextHop, *, within_s: float | None = None) -> Flow:
        """Return the flow to a next hop, connecting if there is none. Raises TransportError.

        What takes longer than `within_s` goes on without whoever asked for it.
        """
        hop = self._named(hop)
        connection = self._find(hop)
        if connection is not None:
            return connection.flow
        attempt = self._attempt(hop)
        try:
            async with asyncio.timeout(within_s):
                await attempt.over.wait()
        except TimeoutError as error:
            raise TransportError(sentence(describe_failure(error, hop))) from None
        if attempt.flow is None:
            raise TransportError(sentence(attempt.failure))
        return attempt.flow

    def send(self, hop: NextHop, data: bytes, transaction: str | None) -> None:
        """Send to a next hop, connecting if need be. What goes wrong with a transaction is told to `on_failure`."""
        hop = self._named(hop)
        connection = self._find(hop)
        if connection is None:
            self._send_when_connected(hop, data, transaction)
            return
        try:
            self._put(connection, data, transaction)
        except ConnectionError as error:
            self._tell_failure(transaction, describe_failure(error, hop))

    def withdraw(self, transaction: str) -> bool:
        """Don't send any more what still waits for a connection; False if nothing of a transaction does."""
        for attempt in self._attempts.values():
            for waiting in attempt.waiting:
                if waiting[1] == transaction:
                    attempt.waiting.remove(waiting)
                    attempt.waiting_bytes -= len(waiting[0])
                    return True
        return False

    def give_up(self, transaction: str) -> None:
        """Cut off the connection that a request went by in vain, if nothing else came back there either."""
        connection = self._connections.get(self._carriers.pop(transaction, 0))
        if connection is not None and connection.deaf:
            connection.forsake()

    def carried_by(self, flow: Flow) -> set[str]:
        """The transactions whose requests went by the connection of a flow."""
        return {transaction for transaction, number in self._carriers.items() if number == flow.connection}

    def send_on(self, flow: Flow, data: bytes) -> bool:
        """Send on the connection of a flow; False when it is gone."""
        connection = self._connections.get(flow.connection)
        if connection is None or not connection.usable:
            return False
        try:
            self._put(connection, data)
        except ConnectionError as error:
            log.debug("sending to %s failed: %s", flow.remote_host, error)
        return True

    def probe(self) -> None:
        """Find out which of our connections still lead anywhere: by keep-alives, and by what else is sent there."""
        for connection in [each for each in self._connections.values() if each.outbound]:
            connection.probe()

    def abort(self, flow: Flow) -> None:
        """Cut off a connection."""
        connection = self._connections.get(flow.connection)
        if connection is not None:
            connection.abort()

    def cut_off(self, flow: Flow) -> None:
        """Cut off the connection of a stranger; one of ours stays, and one that is to be kept."""
        connection = self._connections.get(flow.connection)
        if connection is not None and self._is_stranger(connection):
            connection.abort()

    def keep(self, flow: Flow) -> None:
        """Let a stranger's connection stay like those of sources that may call."""
        self._crowd.keep(flow.connection)

    async def close(self) -> None:
        """Close everything, giving peers a moment to take what was sent."""
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

    def _put(self, connection: TcpConnection, data: bytes, transaction: str | None = None) -> None:
        connection.send(data, asks=bool(transaction) and not data.startswith(b"ACK "))  # which nobody answers
        if transaction:
            self._carriers[transaction] = connection.number
            if len(self._carriers) > _CARRIERS_REMEMBERED:
                self._carriers.popitem(last=False)
        self._on_sent(data, connection.flow)

    # ---- connections --------------------------------------------------------------------------------------------------

    def _find(self, hop: NextHop) -> TcpConnection | None:
        """The connection to go back on, else the newest to an address that serves the domain."""
        back = self._connections.get(hop.connection)
        if (
            back is not None
            and back.trusted
            and (back.flow.transport, back.flow.remote_host) == (hop.transport, hop.host)
        ):
            return back
        there = [each for each in self._by_place.get(_place(hop), ()) if each.trusted]
        return next((each for each in reversed(there) if each.serves(hop.domain)), None)

    def _named(self, hop: NextHop) -> NextHop:
        """Fill in the port, and over TLS the domain: for a mere address the one it was last verified for."""
        port = hop.port or DEFAULT_PORTS[hop.transport]
        place: Place = hop.transport, hop.host, port
        domain = "" if hop.transport != "TLS" else hop.domain
        if hop.transport == "TLS" and (not domain or is_literal(domain)):
            domain = self._domains.get(place, hop.host)
        return NextHop(*place, domain, connection=hop.connection)

    def _send_when_connected(self, hop: NextHop, data: bytes, transaction: str | None) -> None:
        attempt = self._attempt(hop)
        if attempt.waiting_bytes + len(data) > _WAITING_BYTES:
            self._tell_failure(transaction, f"too much waits for a connection to {place_of(hop)}")
            return
        attempt.waiting.append((data, transaction))
        attempt.waiting_bytes += len(data)

    def _attempt(self, hop: NextHop) -> _Attempt:
        hop = replace(hop, connection=0)
        attempt = self._attempts.get(hop)
        if attempt is None:
            attempt = self._attempts[hop] = _Attempt()
            self._start(self._connect(hop, attempt))
        return attempt

    async def _connect(self, hop: NextHop, attempt: _Attempt) -> None:
        try:
            connection = await self._open(hop)
            del self._attempts[hop]
            attempt.flow = connection.flow
            for data, transaction in attempt.waiting:
                self._put(connection, data, transaction)
        except (OSError, TransportError) as error:
            self._attempts.pop(hop, None)
            attempt.failure = self._describe(error, hop)
            for _, transaction in attempt.waiting:
                self._tell_failure(transaction, attempt.failure)
        finally:
            attempt.over.set()

    async def _open(self, hop: NextHop) -> TcpConnection:
        """Connect, and over TLS verify whom we reached. Raises OSError and TransportError."""
        context = await self._tls.client() if hop.transport == "TLS" else None
        async with asyncio.timeout(self._limits.connect_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: self._new_connection(hop.transport, outbound=True, domain=hop.domain),
                hop.host,
                hop.port,
                ssl=context,
                server_hostname=hop.domain if context else None,
                ssl_shutdown_timeout=self._limits.linger_s if context else None,
            )
        if connection.refusal is not None:
            raise connection.refusal
        if context is not None:
            self._domains[_place(hop)] = hop.domain
            self._domains.move_to_end(_place(hop))
            if len(self._domains) > _DOMAINS_REMEMBERED:
                self._domains.popitem(last=False)
        return connection

    def _arrives(
        self, plain: asyncio.Transport, flow: Flow, connection: TcpConnection, context: ssl.SSLContext
    ) -> None:
        self._shaking_hands[connection.number] = plain
        self._start(self._shake_hands(plain, flow, connection, context))

    async def _shake_hands(
        self, plain: asyncio.Transport, flow: Flow, connection: TcpConnection, context: ssl.SSLContext
    ) -> None:
        """Go on over TLS with a connection of somebody else's."""
        try:
            secured = await asyncio.get_running_loop().start_tls(
                plain,
                connection,
                context,
                server_side=True,
                ssl_handshake_timeout=self._limits.connect_s,
                ssl_shutdown_timeout=self._limits.linger_s,
            )
            if secured is not None:
                connection.connection_made(secured)
        except OSError as error:
            log.debug("no TLS with %s: %s", flow.remote_host, error)
        finally:
            del self._shaking_hands[connection.number]
            if not connection.usable:
                self._crowd.leave(connection.number)

    def _new_connection(self, transport: Transport, *, outbound: bool, domain: str = "") -> TcpConnection:
        self._count += 1
        return TcpConnection(self._count, transport, outbound, domain, self._limits, self._events)

    def _connected(self, connection: TcpConnection) -> bool:
        flow = connection.flow
        if self._closed:
            return False
        if not connection.outbound and not self._crowd.enter(connection.number, flow):
            return False
        self._connections[connection.number] = connection
        self._by_place.setdefault((flow.transport, flow.remote_host, flow.remote_port), []).append(connection)
        return True

    def _is_stranger(self, connection: TcpConnection) -> bool:
        return self._crowd.is_stranger(connection.number, connection.flow)

    def _abort(self, number: int) -> None:
        """Cut off a connection that others opened, be it that hands are still shaken."""
        connection = self._connections.get(number) or self._shaking_hands.get(number)
        if connection is not None:
            connection.abort()

    def _disconnected(self, connection: TcpConnection, error: BaseException | None) -> None:
        flow = connection.flow
        place = flow.transport, flow.remote_host, flow.remote_port
        del self._connections[connection.number]
        self._crowd.leave(connection.number)
        self._by_place[place].remove(connection)
        if not self._by_place[place]:
            del self._by_place[place]
        if self._closed:
            return
        name = place_of(NextHop(*place))
        self._on_lost(flow, _why_lost(connection, error, name))

    # ---- failures and tasks -------------------------------------------------------------------------------------------

    def _describe(self, error: BaseException, hop: NextHop) -> str:
        if isinstance(error, TransportError):
            return str(error).rstrip(".")
        words = describe_tls_failure(error, place_of(hop), hop.domain or hop.host)
        return words or describe_failure(error, hop)

    def _tell_failure(self, transaction: str | None, reason: str) -> None:
        if transaction is not None:
            self._on_failure(transaction, reason)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _why_lost(connection: TcpConnection, error: BaseException | None, name: str) -> str:
    transport = connection.flow.transport
    words = describe_tls_failure(error, name, name) if error is not None and transport == "TLS" else None
    if words is not None:
        return words
    if connection.silent:
        return f"{name} does not answer any more"
    if connection.outbound and transport == "TCP" and not connection.heard:
        return f"{name} closed the connection without a word; if it takes TLS there, add ;transport=tls"
    return f"{name} closed the connection"


def _place(hop: NextHop) -> Place:
    return hop.transport, hop.host, hop.port
