"""Runs the sans-I/O SIP core on the event loop: bytes in, effects out, one timer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from voip_engine.hosts import STUN_PORT, is_public
from voip_engine.network_settings import TlsSettings
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import (
    CloseConnection,
    Effect,
    KeepAlive,
    KeepConnection,
    SendOnFlow,
    SendRequest,
    SessionInvited,
    Unanswered,
)
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Path, Transport
from voip_engine.sip.messages.framing import FramingError
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.locating import Resolver
from voip_engine.sip.network.tls import TlsContexts, TlsFiles
from voip_engine.sip.network.transport import SipTransport
from voip_engine.sip.trace import SipTrace, SipTraces


class Signalling:
    """Joins core and sockets. What concerns calls and accounts is handed to `on_effect`, in order."""

    def __init__(
        self,
        core: SipCore,
        on_effect: Callable[[Effect], None],
        *,
        tls: TlsSettings | None = None,
        resolver: Resolver | None = None,
        stun: str | None = None,
    ) -> None:
        self.core = core
        self._on_effect = on_effect
        self._stun = SipUri.parse(f"sip:{stun}") if stun else None
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._traces = SipTraces()
        self._tls_is_set = tls is not None and (tls.ca_file is not None or tls.certificate_file is not None)
        self._tls = TlsContexts(TlsFiles(tls.ca_file, tls.certificate_file, tls.key_file) if tls else None)
        self._transport = SipTransport(
            on_data=self._receive,
            on_failure=self._transport_failed,
            on_framing_error=self._framing_failed,
            on_flow_lost=self._flow_lost,
            on_sent=lambda data, flow: self._traces.sent(data, flow, time.time()),
            knows=lambda flow: core.knows(flow, self.now),
            tls=self._tls,
            resolver=resolver,
        )

    @property
    def now(self) -> float:
        """The core's clock, in seconds."""
        return self._loop.time()

    async def check_certificates(self) -> None:
        """Read the certificates that are set, before a connection needs them. Raises TransportError in plain words."""
        if self._tls_is_set:
            await self._tls.client()

    async def listen(self, transport: Transport, host: str, port: int) -> LocalAddress:
        """Bind a listening socket. Raises TransportError in plain words."""
        return await self._transport.listen(transport, host, port)

    async def paths_to(self, next_hop: NextHop) -> tuple[Path, ...]:
        """Return the servers of `next_hop` in the order to try them, with our address towards each. Raises TransportError."""
        return await self._transport.paths_to(next_hop)

    async def contact_for(self, path: Path) -> LocalAddress:
        """Return where a server or peer reaches us: behind NAT what the STUN server of the settings says, if it says so."""
        hop, local = path.hop, path.local
        if self._stun is None or hop.transport != "UDP" or is_public(local.host) or not is_public(hop.host):
            return local
        seen = await self._transport.seen_address(hop.host, self._stun.host, self._stun.port or STUN_PORT)
        return local if seen is None else LocalAddress("UDP", *seen)

    async def local_address_for(self, next_hop: NextHop) -> LocalAddress:
        """Return the address at which `next_hop` can reach us. Raises TransportError for a name that does not resolve."""
        return await self._transport.local_address_for(next_hop)

    def source_address(self, host: str) -> str:
        """Return our address on the way to a literal address as things are now, empty for no way."""
        return self._transport.source_address(host)

    def network_changed(self) -> None:
        """Take word that this machine slept or has another address."""
        self.core.network_changed()
        self._transport.network_changed()

    async def addresses_of(self, next_hop: NextHop) -> list[str]:
        """Return every literal address that a next hop may have. Raises TransportError for a name that does not resolve."""
        return await self._transport.addresses_of(next_hop)

    def trace(self, session: str) -> SipTrace:
        """What is sent and received on a session from now on, as long as the caller holds it."""
        return self._traces.open(session.partition(";")[0])  # a session is named after its Call-ID

    def perform(self, effects: Iterable[Effect]) -> None:
        """Carry out what the core wants, then set the timer for its next deadline."""
        for effect in effects:
            if isinstance(effect, CloseConnection):
                self._transport.cut_off(effect.flow)
            elif isinstance(effect, KeepConnection):
                self._transport.keep(effect.flow)
            elif isinstance(effect, KeepAlive):
                self._transport.keep_alive(effect)
            elif isinstance(effect, Unanswered):
                self._transport.unanswered(effect)
            elif isinstance(effect, SendOnFlow | SendRequest):
                self._transport.send(effect)
            else:
                self._on_effect(effect)
        self._set_timer()

    async def close(self) -> None:
        """Close every socket."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._transport.close()

    def _receive(self, data: bytes, flow: Flow) -> None:
        effects = self.core.receive(data, flow, self.now)
        # A call's trace begins with its INVITE, before there is anybody else to hold it.
        invited = [self.trace(effect.session) for effect in effects if isinstance(effect, SessionInvited)]
        self._traces.received(data, flow, time.time())
        self.perform(effects)
        invited.clear()

    def _transport_failed(self, transaction: str, reason: str) -> None:
        self.perform(self.core.transport_failed(transaction, reason, self.now))

    def _framing_failed(self, error: FramingError, flow: Flow) -> None:
        self.perform(self.core.framing_failed(error, flow, self.now))

    def _flow_lost(self, flow: Flow, reason: str) -> None:
        self.perform(self.core.flow_lost(flow, self.now, reason))

    def _set_timer(self) -> None:
        deadline = self.core.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.perform(self.core.on_timer(self.now))
