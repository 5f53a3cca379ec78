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
from collections.abc import Callable, Container, Coroutine
from dataclasses import replace
from itertools import groupby
from random import Random
from typing import Any

from voip_engine.hosts import is_unspecified
from voip_engine.sip.effects import KeepAlive, SendOnFlow, SendRequest, Unanswered
from voip_engine.sip.flow import DEFAULT_PORTS, Flow, LocalAddress, NextHop, Path, Transport
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.network.dns_resolver import DnsResolver
from voip_engine.sip.network.locating import Resolver
from voip_engine.sip.network.mapped_address import MappedAddresses
from voip_engine.sip.network.routes import PendingTransactions, Remote, Routes
from voip_engine.sip.network.sockets import (
    TransportError,
    bound_address,
    describe_failure,
    family_of,
    is_loopback,
    look_up,
    open_socket,
    source_address,
    wildcard_like,
)
from voip_engine.sip.network.streams import Streams
from voip_engine.sip.network.tcp import PING, TcpLimits
from voip_engine.sip.network.tls import TlsContexts
from voip_engine.sip.network.udp import DATAGRAM_LIMIT_BYTES, UdpSocket

__all__ = ["SipTransport", "TcpLimits", "TransportError"]

log = logging.getLogger(__name__)


class SipTransport:
    """Owns every SIP socket. Its callbacks run in the event loop and must not block.

    `on_failure` gets a transaction and plain words; it is called after `send` has returned. `on_flow_lost` gets plain words,
    too. `on_sent` gets what really went out, and which way: names were looked up by then, and a connection made. Hosts in the
    flows are literal addresses; `local_host` is one that the peer can reach, on a wildcard socket too.
    """

    def __init__(
        self,
        on_data: Callable[[bytes, Flow], None],
        on_failure: Callable[[str, str], None],
        on_framing_error: Callable[[FramingError, Flow], None],
        on_flow_lost: Callable[[Flow, str], None],
        *,
        on_sent: Callable[[bytes, Flow], None] = lambda data, flow: None,
        knows: Callable[[Flow], bool] = lambda flow: True,
        limits: TcpLimits | None = None,
        tls: TlsContexts | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._on_data = on_data
        self._on_sent = on_sent
        self._on_failure = on_failure
        self._on_flow_lost = on_flow_lost
        self._limits = limits or TcpLimits()
        self._streams = Streams(
            self._received,
            on_framing_error,
            self._stream_lost,
            self._fail,
            on_sent=on_sent,
            knows=knows,
            limits=self._limits,
            tls=tls or TlsContexts(),
        )
        self._udp: list[UdpSocket] = []
        self._mapped = MappedAddresses()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()
        self._routes = Routes(resolver or DnsResolver(), Random())
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
        return (await self.paths_to(next_hop))[0].local

    async def paths_to(self, next_hop: NextHop) -> tuple[Path, ...]:
        """Find the servers of a next hop in the order to try them, and our address towards each.

        Left out is what no network route leads to or takes no TLS connection, as long as others may within `patience_s`.
        Raises TransportError for nothing left.
        """
        paths: list[Path] = []
        failure: TransportError | None = None
        hops = self._in_reach(await self._routes.find(next_hop))
        for hop in hops:
            try:
                over_tls = next((path.local for path in paths if path.hop.transport == "TLS"), None)
                if hop.transport == "TLS" and over_tls is not None:
                    local = LocalAddress("TLS", self._routes.source(hop.host), over_tls.port)
                else:
                    local = await self._local_address_towards(hop, last=hop is hops[-1])
                paths.append(Path(hop, local))
            except TransportError as error:
                failure = failure or error
        if not paths and failure is not None:
            raise failure
        return tuple(paths)

    async def addresses_of(self, next_hop: NextHop) -> list[str]:
        """Find every literal address that a next hop may have. Raises TransportError."""
        return list(dict.fromkeys(hop.host for hop in await self._routes.find(next_hop)))

    async def _local_address_towards(self, hop: NextHop, *, last: bool = True) -> LocalAddress:
        """Find or open what reaches a literal next hop. Raises TransportError."""
        async with self._opening:
            found = self._local_address(hop.transport, hop.host)
            if found is None and hop.transport != "TLS":
                await self.listen(hop.transport, wildcard_like(hop.host), 0)
                found = self._local_address(hop.transport, hop.host)
        if found is None and hop.transport == "TLS":
            try:
                flow = await self._streams.connect(hop, within_s=None if last else self._limits.patience_s)
            except TransportError:
                self._routes.put_last("TLS", (hop.host, hop.port or DEFAULT_PORTS["TLS"]))
                raise
            return LocalAddress("TLS", flow.local_host, flow.local_port)
        if found is None:
            raise TransportError(f"No socket reaches {hop.host}.")
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

    def unanswered(self, effect: Unanswered) -> None:
        """Take word that an answer is overdue (see `Unanswered`)."""
        whom = self._pending.waits_for(effect.transaction)
        if whom is None or self._closed:
            return
        self._routes.put_last(*whom)
        if effect.given_up:
            self._streams.give_up(effect.transaction)
        elif self._streams.withdraw(effect.transaction):
            transport, (host, port) = whom
            self._fail(effect.transaction, describe_failure(TimeoutError(), NextHop(transport, host, port)))

    async def seen_address(self, remote_host: str, stun_host: str, stun_port: int) -> tuple[str, int] | None:
        """Ask a STUN server where the UDP socket towards a literal address is seen; None when that is not to be known."""
        udp = self._udp_socket(remote_host, None)
        return None if udp is None else await self._mapped.of(udp, stun_host, stun_port)

    def source_address(self, host: str) -> str:
        """Our address on the way to a literal address as the routing table has it now, empty for no way."""
        try:
            return source_address(host)
        except TransportError:
            return ""

    def network_changed(self) -> None:
        """Forget names and routes; cut off connections from addresses that are ours no more, and probe the others."""
        self._routes.forget()
        self._mapped.forget()
        for flow in self._streams.flows():
            if self.source_address(flow.remote_host) != flow.local_host:
                self._streams.abort(flow)
        self._streams.probe()

    def keep_alive(self, effect: KeepAlive) -> None:
        """Send a keep-alive. Over UDP nobody answers it; on a stream silence ends the connection (see `TcpConnection`)."""
        if effect.flow is not None:
            self._streams.send_on(effect.flow, PING)
        elif not self._closed:
            for hop in self._routes.known(effect.next_hop)[:1]:
                self._send_datagram(PING, hop.host, hop.port or DEFAULT_PORTS["UDP"])

    def cut_off(self, flow: Flow) -> None:
        """Close a connection at once that somebody else opened; one of ours stays, and one that is to be kept."""
        self._streams.cut_off(flow)

    def keep(self, flow: Flow) -> None:
        """Let the connection of a stranger stay, who has shown that he may call or has a part in a call."""
        self._streams.keep(flow)

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
        if self._closed or self._mapped.receive(udp, data) or not data.strip(b"\r\n\x00"):
            return  # a keep-alive (RFC 5626 §4.4.1 and what older phones send)
        self._received(data, self._flow(udp, host, port))

    def _received(self, data: bytes, flow: Flow) -> None:
        self._routes.answers(flow.transport, (flow.remote_host, flow.remote_port))
        self._on_data(data, flow)

    def _flow(self, udp: UdpSocket, host: str, port: int) -> Flow:
        local = udp.address.host
        if is_unspecified(local):
            try:
                local = self._routes.source(host)
            except TransportError:
                log.debug("no way back to %s:%d", host, port)
        return Flow("UDP", local, udp.address.port, host, port)

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
        self._on_sent(data, flow or self._flow(udp, host, port))
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
        known = self._in_reach(self._routes.known(_as_named(effect.next_hop)))
        if known and (known[0].transport != "UDP" or self._reaches(known[0])):
            self._send_request_to(effect, known[0])
        else:
            self._start(self._resolve_and_send(effect))

    async def _resolve_and_send(self, effect: SendRequest) -> None:
        try:
            hop = self._in_reach(await self._routes.find(_as_named(effect.next_hop)))[0]
            if hop.transport == "UDP":
                await self._local_address_towards(hop)
            self._send_request_to(effect, hop)
        except TransportError as error:
            self._fail(effect.transaction, str(error))

    def _send_request_to(self, effect: SendRequest, hop: NextHop) -> None:
        """Send a request to a literal next hop."""
        remote = hop.host, hop.port or DEFAULT_PORTS[hop.transport]
        self._pending.add(effect.transaction, hop.transport, remote)
        if hop.transport != "UDP":
            self._streams.send(hop, effect.data, effect.transaction)
            return
        failure = self._send_datagram(effect.data, *remote)
        if failure is not None:
            self._fail(effect.transaction, failure)

    # ---- streams ----------------------------------------------------------------------------------------------------

    async def _send_on_fallback(self, data: bytes, hop: NextHop) -> None:
        """Open a connection for a response whose own one is gone (RFC 3261 §18.2.2)."""
        try:
            self._streams.send(self._in_reach(await self._routes.find(hop))[0], data, None)
        except TransportError as error:
            log.debug("a response cannot be delivered: %s", error)

    def _stream_lost(self, flow: Flow, reason: str) -> None:
        if not self._closed:
            carried = self._streams.carried_by(flow)
            self._fail_pending(flow.transport, (flow.remote_host, flow.remote_port), reason, carried)
            self._on_flow_lost(flow, reason)

    # ---- addresses --------------------------------------------------------------------------------------------------

    def _in_reach(self, hops: tuple[NextHop, ...]) -> list[NextHop]:
        """Put first, of the addresses of one server, what a socket we have reaches, and to what we have a connection."""
        by_server = groupby(hops, key=lambda hop: (hop.transport, hop.port))
        nearest = [hop for _, same in by_server for hop in sorted(same, key=lambda hop: not self._reaches(hop))]
        by_transport = groupby(nearest, key=lambda hop: hop.transport)
        return [hop for _, same in by_transport for hop in sorted(same, key=self._distance)]

    def _distance(self, hop: NextHop) -> tuple[float, bool]:
        return self._routes.failed_at(hop), hop.transport == "UDP" or not self._streams.leads_to(hop)

    def _reaches(self, hop: NextHop) -> bool:
        try:
            return self._local_address(hop.transport, hop.host) is not None
        except TransportError:
            return False

    def _local_address(self, transport: Transport, remote_host: str) -> LocalAddress | None:
        if transport == "UDP":
            bound = self._best([udp.address for udp in self._udp], remote_host)
        else:
            bound = self._best(self._streams.addresses(transport), remote_host)
        if bound is None or not is_unspecified(bound.host):
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

    def _fail_pending(
        self, transport: Transport, remote: Remote, reason: str, among: Container[str] | None = None
    ) -> None:
        waiting = self._pending.take(transport, remote, among)
        if waiting:
            self._routes.put_last(transport, remote)
        for transaction in waiting:
            self._fail(transaction, reason)

    def _fail(self, transaction: str, reason: str) -> None:
        if (whom := self._pending.pop(transaction)) is not None:
            self._routes.put_last(*whom)
        asyncio.get_running_loop().call_soon(self._report_failure, transaction, reason)

    def _report_failure(self, transaction: str, reason: str) -> None:
        if not self._closed:
            self._on_failure(transaction, reason)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _as_named(hop: NextHop) -> NextHop:
    """Keep a request to the transport that its Via names already."""
    return replace(hop, any_transport=False) if hop.any_transport else hop
