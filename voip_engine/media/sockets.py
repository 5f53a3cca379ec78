"""The UDP sockets of a leg: an even RTP port, the odd one above it for RTCP, and a connected twin for the peer.

Where the kernel lets two sockets share a port (Linux), the peer's packets come through a socket connected to it: looked up
faster, and what strangers send fills a buffer of its own. Elsewhere one socket takes everything.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from voip_engine.sdp.plan import HostPort

RECEIVE_BUFFER_BYTES: Final = 512 * 1024
LONGEST_DATAGRAM_BYTES: Final = 2048
ANCILLARY_BYTES: Final = 64
EXPRESS_BYTES: Final = 172
"""An RTP header and 20 ms of G.711."""

_SHARES_PORTS: Final = sys.platform == "linux"
_SO_TIMESTAMPNS: Final = 35
_ATTEMPTS: Final = 200
_TURNS: Final = 16
_TIMESPEC = struct.Struct("@ll")

Source = tuple[str, int]
Ancillary = list[tuple[int, int, bytes]]
Receive = Callable[[int, int], tuple[bytes, Ancillary, int, Source]]


class PortError(OSError):
    """No port could be bound; the message is a plain sentence."""


class ArrivalClock:
    """Turns the kernel's receive stamps, which count on the wall clock, into `time.monotonic`."""

    __slots__ = ("_offset_s", "due_s", "now_s")

    def __init__(self) -> None:
        self.due_s = 0.0
        """When the next audio is taken."""
        self.read()

    def read(self) -> None:
        """Compare both clocks; once a tick, so that a step of the wall clock touches no later tick."""
        self.now_s = time.monotonic()
        self._offset_s = self.now_s - time.time()

    def arrived_s(self, ancillary: Ancillary) -> float:
        """When a datagram arrived; now, where the system doesn't say or the wall clock has just been set."""
        if not ancillary:
            return self.now_s
        seconds, nanoseconds = _TIMESPEC.unpack_from(ancillary[0][2])
        arrived_s: float = seconds + nanoseconds * 1e-9 + self._offset_s
        return arrived_s if self.now_s - 1.0 < arrived_s <= self.now_s else self.now_s

    def all_arrived_s(self, stamps: NDArray[np.int_]) -> NDArray[np.float64]:
        """The same for many stamps at once: shape (n, 2), seconds and nanoseconds, becomes (n,)."""
        arrived_s = stamps[:, 0] + stamps[:, 1] * 1e-9 + self._offset_s
        return np.where((arrived_s <= self.now_s) & (arrived_s > self.now_s - 1.0), arrived_s, self.now_s)

    def epoch_s(self, steady_s: float | None = None) -> float:
        """A time of `time.monotonic`, or now, on the wall clock."""
        return (time.monotonic() if steady_s is None else steady_s) - self._offset_s


def bind_pair(local: HostPort, ports: tuple[int, int] | None, first: int) -> tuple[socket.socket, socket.socket]:
    """Bind an RTP and an RTCP socket. Raises PortError in plain words.

    With port 0 a free even port is looked for: in `ports`, from the `first`-th pair on and round, or where the system likes.
    """
    if local.port:
        return _bind_exactly(local.host, local.port)
    if ports is None:
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(PortError), _udp_socket(local.host) as probe:
                _bind(probe, local.host, 0)
                port = probe.getsockname()[1] & ~1
                probe.close()
                return _bind_exactly(local.host, port)
        raise PortError(f"No free pair of UDP ports was found on {local.host}.")
    lowest, highest = ports[0] + ports[0] % 2, ports[1]
    pairs = (highest - lowest + 1) // 2
    for index in range(pairs):
        with contextlib.suppress(PortError):
            return _bind_exactly(local.host, lowest + 2 * ((first + index) % pairs))
    raise PortError(f"All RTP ports from {ports[0]} to {ports[1]} on {local.host} are in use; widen the range.")


def _bind_exactly(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    rtp = _udp_socket(host)
    try:
        _bind(rtp, host, port)
        rtcp = _udp_socket(host)
        try:
            _bind(rtcp, host, port + 1)
        except PortError:
            rtcp.close()
            raise
    except PortError:
        rtp.close()
        raise
    return rtp, rtcp


def _udp_socket(host: str) -> socket.socket:
    try:
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    except OSError as error:
        raise PortError(f"No UDP socket could be opened: {error.strerror}.") from error
    made.setblocking(False)
    with contextlib.suppress(OSError):  # a smaller buffer serves too
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    if _SHARES_PORTS:
        made.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return made


def _bind(made: socket.socket, host: str, port: int) -> None:
    try:
        made.bind((host, port))
    except OSError as error:
        where = f"{host} port {port}" if port else host
        raise PortError(f"The UDP address {where} cannot be bound: {error.strerror}.") from error
    if _SHARES_PORTS:
        # Set after binding: the port was free of everyone, and from now on a twin of ours may share it.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def connect_twin(rtp: socket.socket, remote: HostPort) -> socket.socket | None:
    """Open a socket on the same port, connected to the peer; None where that is impossible, or nothing leads to the peer."""
    if not _SHARES_PORTS:
        return None
    twin = _udp_socket(rtp.getsockname()[0])
    try:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        twin.bind(rtp.getsockname())
        twin.connect((remote.host, remote.port))
    except OSError:
        twin.close()
        return None
    return twin


Sink = Callable[[bytes, float, Source], None]
"""Takes a datagram, when it arrived (`time.monotonic`), and its source address as the socket module gives it."""

Decrypted = tuple[Callable[[bytes], bytes | None], Sink]
"""Decrypts a datagram, None for one that is not taken, and where decrypted ones go that are not for the lane."""

_Express = tuple[Receive, Sink, int, Decrypted | None]


class ExpressLane(Protocol):
    """Who takes the datagrams of many sockets in one call."""

    def file(self, rows: list[int], datagrams: list[bytes], stamps: list[bytes]) -> None:
        """Take one datagram a row, with the kernel's receive stamps."""
        ...

    def dry(self) -> set[int]:
        """The rows that have nothing to play in this tick."""
        ...


class Readiness:
    """Reads the sockets that have something: one datagram a socket and round, so that none starves the others.

    Sockets of the express lane have exactly one datagram a tick, nearly always. They are read without asking whether they do,
    which costs less than the question.
    """

    def __init__(self) -> None:
        self._watched: dict[int, tuple[Receive, Sink]] = {}
        self._express: dict[int, _Express] = {}
        self._hastened: list[_Express] | None = None
        self._turn = 0
        self.lane: ExpressLane | None = None
        """Takes, all at once, the express sockets' datagrams."""
        self._epoll = select.epoll() if _SHARES_PORTS else None
        self._selector = None if _SHARES_PORTS else selectors.DefaultSelector()

    def watch(self, watched: socket.socket, sink: Sink) -> None:
        """Give what comes through a socket to `sink`."""
        self._watched[watched.fileno()] = (watched.recvmsg, sink)
        if self._epoll is not None:
            self._epoll.register(watched, select.EPOLLIN)
        elif self._selector is not None:
            self._selector.register(watched, selectors.EVENT_READ)

    def forget(self, watched: socket.socket) -> None:
        """Stop watching a socket that is about to be closed."""
        self.slow(watched)
        del self._watched[watched.fileno()]
        if self._epoll is not None:
            self._epoll.unregister(watched)
        elif self._selector is not None:
            self._selector.unregister(watched)

    def hasten(self, watched: socket.socket, row: int, decrypted: Decrypted | None = None) -> None:
        """Let a watched socket's datagrams of the express length go to the lane, with this row.

        With `decrypted` they are decrypted first; those that can be and have another length go to its sink.
        """
        if self._epoll is None:
            return
        receive, sink = self._watched[watched.fileno()]
        self._epoll.unregister(watched)
        self._express[watched.fileno()] = (receive, sink, row, decrypted)
        self._hastened = None

    def slow(self, watched: socket.socket) -> None:
        """End what `hasten` began."""
        if self._express.pop(watched.fileno(), None) is not None and self._epoll is not None:
            self._epoll.register(watched, select.EPOLLIN)
            self._hastened = None

    def drain(self, clock: ArrivalClock, rounds: int) -> None:
        """Read until nothing is left, at most `rounds` datagrams from each socket."""
        if self._express:
            self._drain_express(clock, rounds)
        watched, arrived_s = self._watched, clock.arrived_s
        for _ in range(rounds):
            ready = self._ready()
            if not ready:
                return
            for descriptor in ready:
                entry = watched.get(descriptor)  # gone, if a sink before it forgot it
                if entry is None:
                    continue
                receive, sink = entry
                try:
                    data, ancillary, _, source = receive(LONGEST_DATAGRAM_BYTES, ANCILLARY_BYTES)
                except OSError:
                    continue  # nothing there after all, or the peer's port was closed (ICMP): it may open again
                sink(data, arrived_s(ancillary), source)

    def _drain_express(self, clock: ArrivalClock, rounds: int) -> None:
        if self._hastened is None:
            self._hastened = list(self._express.values())
        entries = self._hastened
        self._read_express(clock, entries)
        if self._hastened is not entries:
            return  # some have left the lane; the rest is as well off in the next tick
        # More than one waits only after a burst. Who is about to run dry is asked again at once, the others by turns.
        self._turn = (self._turn + 1) % _TURNS
        again = entries[self._turn :: _TURNS]
        if self.lane is not None:
            dry = self.lane.dry()
            if dry:
                again += [entry for entry in entries if entry[2] in dry]
        for _ in range(rounds):
            again = self._read_express(clock, again)
            if not again or self._hastened is not entries:
                return

    def _read_express(self, clock: ArrivalClock, entries: list[_Express]) -> list[_Express]:
        """Read one datagram from each; gives those that had one."""
        rows: list[int] = []
        datagrams: list[bytes] = []
        stamps: list[bytes] = []
        others: list[tuple[Sink, bytes, float, Source]] = []
        had_some: list[_Express] = []
        for entry in entries:
            receive, sink, row, decrypted = entry
            try:
                data, ancillary, _, source = receive(LONGEST_DATAGRAM_BYTES, ANCILLARY_BYTES)
            except OSError:
                continue
            had_some.append(entry)
            if decrypted is not None:
                decrypt, decrypted_sink = decrypted
                plain = decrypt(data)
                if plain is None:  # nothing that was not decrypted may look like what was
                    others.append((sink, data, clock.arrived_s(ancillary), source))
                    continue
                data, sink = plain, decrypted_sink
            if len(data) == EXPRESS_BYTES and ancillary:
                rows.append(row)
                datagrams.append(data)
                stamps.append(ancillary[0][2])
            else:
                others.append((sink, data, clock.arrived_s(ancillary), source))
        if rows and self.lane is not None:
            self.lane.file(rows, datagrams, stamps)
        for sink, data, arrived_s, source in others:
            sink(data, arrived_s, source)
        return had_some

    def _ready(self) -> list[int]:
        if self._epoll is not None:
            return [descriptor for descriptor, _ in self._epoll.poll(0, max(1, len(self._watched)))]
        assert self._selector is not None
        return [key.fd for key, _ in self._selector.select(0)] if self._watched else []
