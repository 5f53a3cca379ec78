"""One stream connection for SIP, TCP or TLS over it (RFC 3261 §18, keep-alives of RFC 5626 §4.4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from voip_engine.sip.flow import Flow, Transport
from voip_engine.sip.messages.framing import FramingError, Ping, Pong, StreamFramer
from voip_engine.sip.network.certificates import Certificate, names_in, speaks_for
from voip_engine.sip.network.tls import WrongName

PING = b"\r\n\r\n"
PONG = b"\r\n"
_BUFFER_BYTES = 8192


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """What one peer may cost us. Times in seconds."""

    connections: int = 1000
    """Connections that others opened; more are refused."""
    connections_per_source: int = 200
    """Of these from one address, or one /64 of IPv6."""
    connections_per_stranger: int = 4
    """Of these from one source that may not call."""
    connections_of_strangers: int = 200
    """Of these from all sources that may not call; with one more the one that is here longest is cut off."""
    stranger_bytes: int = 64 * 1024
    """What a source that may not call may bring or promise until something of it is let in: as much as a datagram brings."""
    write_bytes: int = 2 * 1024 * 1024
    """What may wait for a slow peer before it is cut off: more than the longest message."""
    first_message_s: float = 30.0
    """Until a connection that others opened must have brought a message, and from a stranger one that was let in."""
    idle_s: float = 3600.0
    """Until a connection on which nothing goes is closed. Long, for a call may hang on it."""
    ping_s: float = 90.0
    """Between keep-alives on connections that we opened."""
    pong_s: float = 10.0
    """Until a peer that used to answer keep-alives counts as gone (RFC 5626 §4.4.1), and one asked something, if that was in
    vain."""
    probe_s: float = 4.0
    """Until a connection is not trusted any more on which nothing comes back after a change of network."""
    patience_s: float = 4.0
    """Until the next server is tried, where there is one, when a connection is not made."""
    connect_s: float = 10.0
    """Until an attempt of ours to connect is given up, over TLS with hands shaken, and one of others to shake hands."""
    linger_s: float = 2.0
    """What a closed connection gets to take our last words."""


@dataclass(frozen=True, slots=True)
class TcpEvents:
    """Whom a connection tells what happens to it."""

    made: Callable[[TcpConnection], bool]
    """Says whether the connection is wanted."""
    is_stranger: Callable[[TcpConnection], bool]
    """Says whether it comes from a source that may not call, and brought nothing yet that was let in."""
    message: Callable[[bytes, Flow], None]
    framing_failed: Callable[[FramingError, Flow], None]
    lost: Callable[[TcpConnection, BaseException | None], None]


class TcpConnection(asyncio.BufferedProtocol):
    """Frames what comes in, bounds what goes out, and closes itself when idle or when keep-alives find nobody.

    `domain` is what the certificate of a TLS server has to name. It has a buffer of its own for the reason that `UdpSocket` has
    one: asyncio allocates 256 KiB for each read of other protocols.
    """

    def __init__(
        self, number: int, transport: Transport, outbound: bool, domain: str, limits: TcpLimits, events: TcpEvents
    ) -> None:
        self.number = number
        self.outbound = outbound
        self.flow = Flow(transport, "", 0, "", 0, number)
        self.refusal: ConnectionError | None = None
        """Why a connection that was made is not used."""
        self._domain = domain
        self._certificate: Certificate = {}
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._limits = limits
        self._events = events
        self._framer = StreamFramer()
        self._buffer = self._filled = memoryview(bytearray(_BUFFER_BYTES))
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = False
        self._ending = False
        self._early = b""
        self._spoken = outbound
        self._brought_bytes = 0
        self._last_message_at = 0.0
        self._answers_pings = False
        self._doubtful = False
        self._asked_at: float | None = None
        self.heard = False
        """Whether the other side has ever said something in SIP."""
        self.silent = False
        """Whether it was given up because nobody answered any more."""
        self._pong_timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Say whether something can still be sent."""
        return self._wanted and not self._ending and self._transport is not None and not self._transport.is_closing()

    @property
    def trusted(self) -> bool:
        """Say whether something new may be sent here: nothing speaks for the other side being gone."""
        return self.usable and not self._doubtful

    @property
    def deaf(self) -> bool:
        """Say whether something was asked here long enough ago, and nothing whatever has come since."""
        return self._asked_at is not None and self._now() - self._asked_at >= self._limits.pong_s

    def send(self, data: bytes, *, asks: bool = False) -> None:
        """Queue bytes, which may ask for an answer; a peer that takes none for too long is cut off. Raises ConnectionError."""
        transport = self._transport
        if transport is None or not self.usable:
            raise ConnectionResetError("the connection is closed")
        transport.write(data)
        self._last_message_at = self._now()
        if asks and self._asked_at is None:
            self._asked_at = self._last_message_at
        if data == PING:
            self._expect_pong()
        if transport.get_write_buffer_size() > self._limits.write_bytes:
            transport.abort()
            raise ConnectionAbortedError("the peer takes nothing")

    def probe(self) -> None:
        """Ask whether the peer is still there. Where nothing comes back the connection is cut off, or, if the peer need not
        have answered anything, used for nothing new.
        """
        if self.usable:
            self.send(PING)
            self._stop_pong_timer()
            self._pong_timer = asyncio.get_running_loop().call_later(self._limits.probe_s, self._on_nothing_back)

    def serves(self, domain: str) -> bool:
        """Say whether requests for a domain may go here: over TLS the certificate has to name it."""
        return self.flow.transport != "TLS" or (self.outbound and speaks_for(self._certificate, domain))

    def close(self) -> None:
        """Send what is queued, then close; a peer that does not take it in time is cut off."""
        if self._transport is None or self._ending:
            return
        self._ending = True
        if not self._transport.can_write_eof():
            self._transport.close()  # TLS says goodbye by itself
        elif not self._transport.is_closing():
            # Reading goes on until the peer closes, for unread bytes would make the system withdraw our last ones.
            self._transport.write_eof()
        self._start_timer(self._limits.linger_s, self.abort)

    def forsake(self) -> None:
        """Close at once, for nobody answers any more."""
        self.silent = True
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        if self.closed.done():
            return  # it was lost while hands were shaken
        self._transport = cast(asyncio.Transport, transport)
        local = transport.get_extra_info("sockname")
        remote = transport.get_extra_info("peername")
        if not local or not remote:
            # The peer was gone before we looked.
            self._transport.abort()
            return
        self.flow = Flow(self.flow.transport, local[0], local[1], remote[0], remote[1], self.number)
        if self.outbound and self.flow.transport == "TLS":
            self._certificate = transport.get_extra_info("peercert") or {}
            if not speaks_for(self._certificate, self._domain):
                self.refusal = WrongName(names_in(self._certificate))
                self._transport.abort()
                return
        self._wanted = self._events.made(self)
        if not self._wanted:
            self._transport.abort()
            return
        self._last_message_at = self._now()
        self._start_timer(self._limits.ping_s if self.outbound else self._limits.first_message_s, self._check_idle)
        early, self._early = self._early, b""
        if early:
            self._received(early)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where to read to (asyncio)."""
        # Over TLS the hint is what has come. Of that, Python 3.11 loses what is not read at once when the peer closes.
        self._filled = self._buffer if sizehint <= _BUFFER_BYTES else memoryview(bytearray(sizehint))
        return self._filled

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read (asyncio)."""
        data = bytes(self._filled[:nbytes])
        self._filled = self._buffer
        self._received(data)

    def _received(self, data: bytes) -> None:
        """Frame what came and pass it on."""
        if self._transport is None:
            self._early += data  # what came with the last of the handshake
            return
        if not self.usable:
            return
        self._stop_pong_timer()
        self._brought_bytes += len(data)
        self._doubtful, self._asked_at = False, None
        stranger = self._events.is_stranger(self)  # asked once, for a piece may hold thousands of keep-alives
        try:
            for item in self._framer.receive(data):
                self.heard = True
                if isinstance(item, Ping):
                    if not stranger:
                        self._pong()
                    continue
                if isinstance(item, Pong):
                    self._answers_pings = True
                    continue
                self._spoken = True
                self._last_message_at = self._now()
                self._events.message(item, self.flow)
                if not self.usable:
                    return
                stranger = self._events.is_stranger(self)
            if stranger and max(self._brought_bytes, self._framer.wanted_bytes) > self._limits.stranger_bytes:
                self.abort()
        except FramingError as error:
            self._events.framing_failed(error, self.flow)
            self.close()

    def eof_received(self) -> bool:
        """Close when the peer has (asyncio)."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that it is over (asyncio)."""
        if self._timer is not None:
            self._timer.cancel()
        self._stop_pong_timer()
        if self._wanted:
            self._events.lost(self, exc)
        if not self.closed.done():
            self.closed.set_result(None)

    def _pong(self) -> None:
        if self._transport is not None and self.usable:
            self._last_message_at = self._now()
            self._transport.write(PONG)
            if self._transport.get_write_buffer_size() > self._limits.write_bytes:
                self._transport.abort()

    def _check_idle(self) -> None:
        idle_s = self._now() - self._last_message_at
        if idle_s >= self._limits.idle_s or not self._spoken or self._events.is_stranger(self):
            self.close()
            return
        if self.outbound and self._transport is not None:
            self._transport.write(PING)
            self._expect_pong()
        remaining_s = self._limits.idle_s - idle_s
        self._start_timer(min(self._limits.ping_s, remaining_s) if self.outbound else remaining_s, self._check_idle)

    def _expect_pong(self) -> None:
        """Wait for the answer to a ping. Many servers never answer: only who has done so before is held to it."""
        self._framer.expect_pong()
        if self._answers_pings and self._pong_timer is None:
            self._pong_timer = asyncio.get_running_loop().call_later(self._limits.pong_s, self.forsake)

    def _on_nothing_back(self) -> None:
        self._pong_timer = None
        if self._answers_pings or self._asked_at is not None:
            self.forsake()
        self._doubtful = True

    def _stop_pong_timer(self) -> None:
        if self._pong_timer is not None:
            self._pong_timer.cancel()
            self._pong_timer = None

    def _start_timer(self, delay_s: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, callback)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
