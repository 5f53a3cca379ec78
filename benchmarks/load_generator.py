"""Many simulated callers in one process of their own: sends RTP on time and notes when each packet came back.

Started by `benchmarks.media_load`. Speaks JSON lines: reads the load, writes its ports; reads the remote ports, runs, writes
what it measured. It must cost far less than what it measures, so the callers share ten sockets, and packets go and come by
`sendmmsg` and `recvmmsg`, a hundred a system call, with the kernel's receive stamps. Linux on 64 bits only.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voip_engine.rtp.srtp import SrtpSender

FRAME_S = 0.02
SLOTS = 10
"""The callers' packets are spread over the 20 ms in so many groups, one a socket."""
RAMP_S = 2.0
"""The calls begin one after the other in this time; the next seconds are measured with all of them up."""
GRACE_S = 1.5
ON_TIME_S = 0.005
DATAGRAM_BYTES = 1500
RECEIVE_AT_ONCE = 256
CONTROL_BYTES = 64
STAMP_OFFSET = 16
"""Where the time stands in the ancillary data: behind the header of its only message."""
_SO_TIMESTAMPNS = 35
_RECEIVE_BUFFER_BYTES = 4 << 20

_MESSAGE = np.dtype(  # struct mmsghdr
    [
        ("name", "u8"),
        ("name_length", "u4"),
        ("_1", "u4"),
        ("iov", "u8"),
        ("iov_count", "u8"),
        ("control", "u8"),
        ("control_length", "u8"),
        ("flags", "i4"),
        ("_2", "u4"),
        ("length", "u4"),
        ("_3", "u4"),
    ]
)
_IOV = np.dtype([("base", "u8"), ("length", "u8")])
_ADDRESS = np.dtype([("family", "=u2"), ("port", ">u2"), ("host", "u1", (4,)), ("zero", "u1", (8,))])
_HEADER = np.dtype([("first", "u1"), ("second", "u1"), ("sequence", ">u2"), ("timestamp", ">u4"), ("ssrc", ">u4")])
_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


@dataclass(frozen=True)
class Load:
    calls: int
    seconds: float
    payloads: list[str]
    """Base64; played round and round, by each caller from a place of its own."""
    payload_type: int
    timestamp_step: int
    key: str = ""
    """Base64 of the SRTP key that all callers send under (AES_CM_128_HMAC_SHA1_80); plain RTP without."""


@dataclass(frozen=True)
class Measured:
    """What came back. Distances are from each call's own 20 ms grid."""

    sent: int
    received: int
    lost: int
    on_time_percent: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    generator_late_p99_ms: float


def _messages(count: int, size: int) -> tuple[NDArray[Any], NDArray[np.uint8], NDArray[Any], NDArray[Any]]:
    """Message headers with a buffer and an address each, as the two system calls want them."""
    messages = np.zeros(count, _MESSAGE)
    buffers = np.zeros((count, size), np.uint8)
    vectors = np.zeros(count, _IOV)
    addresses = np.zeros(count, _ADDRESS)
    index = np.arange(count, dtype=np.uint64)
    vectors["base"] = buffers.ctypes.data + index * np.uint64(size)
    vectors["length"] = size
    messages["name"] = addresses.ctypes.data + index * np.uint64(_ADDRESS.itemsize)
    messages["name_length"] = _ADDRESS.itemsize
    messages["iov"] = vectors.ctypes.data + index * np.uint64(_IOV.itemsize)
    messages["iov_count"] = 1
    return messages, buffers, vectors, addresses


class Group:
    """The callers of one slot, behind one socket."""

    def __init__(self, load: Load, slot: int) -> None:
        self.callers = np.arange(slot, load.calls, SLOTS)
        self.first_frame = (RAMP_S / FRAME_S * self.callers / load.calls).astype(int)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        for option in (33, socket.SO_RCVBUF):  # SO_RCVBUFFORCE goes beyond the system's limit, for who may
            try:
                self.socket.setsockopt(socket.SOL_SOCKET, option, _RECEIVE_BUFFER_BYTES)
                break
            except PermissionError:
                continue
        self._messages, self._buffers, self._vectors, self._addresses = _messages(len(self.callers), DATAGRAM_BYTES)
        self._headers = np.ndarray(len(self.callers), _HEADER, self._buffers, strides=(DATAGRAM_BYTES,))
        self._headers["first"] = 0x80
        self._headers["second"] = load.payload_type
        self._headers["ssrc"] = 1000 + self.callers
        self._step = load.timestamp_step
        self._encrypt = None
        if load.key:
            sender = SrtpSender("AES_CM_128_HMAC_SHA1_80", base64.b64decode(load.key), ssrc=0, next_index=0)
            self._encrypt = sender.protect

    def connect(self, ports: list[int]) -> None:
        self._addresses["family"] = socket.AF_INET
        self._addresses["port"] = [ports[caller] for caller in self.callers]
        self._addresses["host"] = (127, 0, 0, 1)

    def send(self, frame: int, payloads: NDArray[np.uint8], lengths: NDArray[np.int_]) -> int:
        """Send one packet for every caller that has begun; gives how many."""
        begun = int(np.searchsorted(self.first_frame, frame, "right"))
        if not begun:
            return 0
        at = (frame + 7 * self.callers[:begun]) % len(lengths)
        self._headers["sequence"][:begun] = frame & 0xFFFF
        self._headers["timestamp"][:begun] = frame * self._step & 0xFFFFFFFF
        self._buffers[:begun, _HEADER.itemsize : _HEADER.itemsize + payloads.shape[1]] = payloads[at]
        self._vectors["length"][:begun] = _HEADER.itemsize + lengths[at]
        if self._encrypt is not None:
            for row, length in enumerate(self._vectors["length"][:begun].tolist()):
                packet = np.frombuffer(self._encrypt(self._buffers[row, :length].tobytes()), np.uint8)
                self._buffers[row, : len(packet)] = packet
                self._vectors["length"][row] = len(packet)
        sent = 0
        while sent < begun:
            address = self._messages.ctypes.data + sent * _MESSAGE.itemsize
            done = _libc.sendmmsg(self.socket.fileno(), ctypes.c_void_p(address), begun - sent, 0)
            if done < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            sent += done
        return sent


class Receiver:
    """Reads what has come to any group, and when."""

    def __init__(self, payload_type: int) -> None:
        self._payload_type = payload_type
        self._messages, self._buffers, self._vectors, self._addresses = _messages(RECEIVE_AT_ONCE, DATAGRAM_BYTES)
        self._headers = np.ndarray(RECEIVE_AT_ONCE, _HEADER, self._buffers, strides=(DATAGRAM_BYTES,))
        self._control = np.zeros((RECEIVE_AT_ONCE, CONTROL_BYTES), np.uint8)
        index = np.arange(RECEIVE_AT_ONCE, dtype=np.uint64)
        self._messages["control"] = self._control.ctypes.data + index * np.uint64(CONTROL_BYTES)
        self._stamps = np.ndarray(
            (RECEIVE_AT_ONCE, 2), np.int64, self._control, offset=STAMP_OFFSET, strides=(CONTROL_BYTES, 8)
        )
        self.arrivals: list[NDArray[np.int64]] = []
        """Source port, sequence number, timestamp, seconds, nanoseconds."""

    def drain(self, descriptor: int) -> None:
        while True:
            self._messages["name_length"] = _ADDRESS.itemsize
            self._messages["control_length"] = CONTROL_BYTES
            address = ctypes.c_void_p(self._messages.ctypes.data)
            count = _libc.recvmmsg(descriptor, address, RECEIVE_AT_ONCE, socket.MSG_DONTWAIT, None)
            if count <= 0:
                return
            rows = np.empty((count, 5), np.int64)
            rows[:, 0] = self._addresses["port"][:count]
            rows[:, 1] = self._headers["sequence"][:count]
            rows[:, 2] = self._headers["timestamp"][:count]
            rows[:, 3:] = self._stamps[:count]
            self.arrivals.append(rows[self._headers["second"][:count] & 0x7F == self._payload_type])
            if count < RECEIVE_AT_ONCE:
                return


def run(load: Load, groups: list[Group]) -> Measured:
    coded = [base64.b64decode(payload) for payload in load.payloads]
    lengths = np.array([len(payload) for payload in coded])
    payloads = np.zeros((len(coded), lengths.max()), np.uint8)
    for row, payload in zip(payloads, coded, strict=True):
        row[: len(payload)] = np.frombuffer(payload, np.uint8)
    receiver = Receiver(load.payload_type)
    for group in groups:
        receiver.drain(group.socket.fileno())
    receiver.arrivals.clear()  # legs send from the moment they are open; some of that has overflowed by now
    sent = 0
    late_s: list[float] = []
    deadline = time.monotonic() + 0.1
    for frame in range(round((RAMP_S + load.seconds) / FRAME_S)):
        for group in groups:
            deadline += FRAME_S / SLOTS
            now = time.monotonic()
            late_s.append(now - deadline)
            if now < deadline:
                time.sleep(deadline - now)
            sent += group.send(frame, payloads, lengths)
            receiver.drain(groups[len(late_s) % SLOTS].socket.fileno())
    measured = len(receiver.arrivals)  # that all callers fall silent at the same instant is no part of the measurement
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end:
        for group in groups:
            receiver.drain(group.socket.fileno())
        time.sleep(FRAME_S / SLOTS)
    return _judge(sent, np.concatenate(receiver.arrivals[:measured]), load.timestamp_step, late_s)


def _judge(sent: int, arrivals: NDArray[np.int64], step: int, late_s: list[float]) -> Measured:
    distances = []
    lost = frames = 0
    for port in np.unique(arrivals[:, 0]):
        rows = arrivals[arrivals[:, 0] == port]
        sequence = np.unwrap(rows[:, 1], period=1 << 16)
        frame = np.unwrap(rows[:, 2], period=1 << 32) // step
        offset_s = (rows[:, 3] - rows[0, 3]) + rows[:, 4] * 1e-9 - (frame - frame[0]) * FRAME_S
        distances.append(np.abs(offset_s - np.median(offset_s)))
        lost += int(sequence.max() - sequence.min() + 1) - len(np.unique(sequence))
        frames += int(
            frame.max() - frame.min() + 1
        )  # a frame that was skipped is no lost packet, but it was not on time
    distance = np.concatenate(distances)
    return Measured(
        sent=sent,
        received=len(arrivals),
        lost=lost,
        on_time_percent=float(100 * np.count_nonzero(distance < ON_TIME_S) / frames),
        p50_ms=float(np.percentile(distance, 50) * 1000),
        p99_ms=float(np.percentile(distance, 99) * 1000),
        worst_ms=float(distance.max() * 1000),
        generator_late_p99_ms=float(np.percentile(late_s, 99) * 1000),
    )


def main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    groups = [Group(load, slot) for slot in range(SLOTS)]
    port_of = [groups[caller % SLOTS].socket.getsockname()[1] for caller in range(load.calls)]
    print(json.dumps(port_of), flush=True)
    ports = json.loads(sys.stdin.readline())
    for group in groups:
        group.connect(ports)
    print(json.dumps(asdict(run(load, groups))), flush=True)


if __name__ == "__main__":
    main()
