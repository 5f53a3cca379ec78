"""One UDP socket for SIP (RFC 3261 §18)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import cast

from voip_engine.sip.flow import LocalAddress
from voip_engine.sip.network.sockets import bound_address

DATAGRAM_LIMIT_BYTES = 65_507

_EXTENDED_ERROR = struct.Struct(
    "=IBBBB"
)  # the head of Linux's struct sock_extended_err: errno, origin, type, code, pad
_ERROR_SPACE_BYTES = 512
_BUFFER_BYTES = 65_535  # more than any datagram has
_UNREACHABLE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}


class UdpSocket(asyncio.DatagramProtocol):
    """Receives and sends datagrams, and reports addresses that ICMP calls unreachable where the system tells.

    `on_datagram` gets data, host and port of the sender; `on_unreachable` an error, host and port of what was sent.

    It reads into one buffer of its own. asyncio's endpoint allocates 256 KiB for each datagram, which glibc finds only at
    the end of its heap: what is kept of a call lands behind it, and the heap grows by half a megabyte in a thousand calls.
    """

    def __init__(
        self,
        opened: socket.socket,
        on_datagram: Callable[[UdpSocket, bytes, str, int], None],
        on_unreachable: Callable[[OSError, str, int], None],
    ) -> None:
        self.address: LocalAddress = bound_address("UDP", opened)
        self._socket = opened
        self._on_datagram = on_datagram
        self._on_unreachable = on_unreachable
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._endpoint: asyncio.DatagramTransport | None = None
        """Reads in our place where the event loop cannot watch a socket."""
        self._closed = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Begin to receive."""
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._socket, self._read)
        except NotImplementedError:  # Windows' event loop
            await loop.create_datagram_endpoint(lambda: self, sock=self._socket)

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send a datagram at once, or lose it when the system's queue is full. Raises OSError."""
        if self._socket.fileno() < 0:
            raise OSError(errno.EBADF, "the socket is closed")
        # An error that waits for another destination would be reported on this one.
        self._drain_errors()
        # A full queue of the system loses it, as the network might; SIP sends again.
        with contextlib.suppress(BlockingIOError):
            self._socket.sendto(data, (host, port))

    async def close(self) -> None:
        """Stop receiving and give the port back."""
        if self._endpoint is not None:
            self._endpoint.abort()
            await self._closed
        elif self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the endpoint (asyncio)."""
        self._endpoint = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Pass a datagram on (asyncio)."""
        self._on_datagram(self, data, addr[0], addr[1])

    def error_received(self, exc: Exception) -> None:
        """Find out what an error was about (asyncio)."""
        self._drain_errors()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let `close` go on (asyncio)."""
        if not self._closed.done():
            self._closed.set_result(None)

    def _read(self) -> None:
        """Take one datagram; the next is for the loop's next turn, so that a flood holds up nothing else for long."""
        try:
            size, address = self._socket.recvfrom_into(self._buffer)
        except OSError:
            # Also when there is nothing to read: an error that waits wakes us until it is fetched.
            self._drain_errors()
        else:
            self._on_datagram(self, bytes(self._buffer[:size]), address[0], address[1])

    def _drain_errors(self) -> None:
        """Report what ICMP said about earlier datagrams: Linux queues it with their destination (ip(7))."""
        if not hasattr(socket, "MSG_ERRQUEUE"):
            return
        while True:
            try:
                _, ancillary, _, destination = self._socket.recvmsg(0, _ERROR_SPACE_BYTES, socket.MSG_ERRQUEUE)
            except OSError:
                return
            for _, _, data in ancillary:
                if len(data) >= _EXTENDED_ERROR.size and destination:
                    number = _EXTENDED_ERROR.unpack_from(data)[0]
                    if number in _UNREACHABLE:
                        self._on_unreachable(OSError(number, "unreachable"), destination[0], destination[1])
