"""Many simulated callers in one process of their own: sends RTP on time and notes when each packet came back.

Started by `benchmarks.media_load`. Speaks JSON lines: reads the load, writes its ports; reads the remote ports, runs, writes
what it measured. All callers send the same loop of packets, each from a place of its own in it.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.02
SLOTS = 10
"""The callers' packets are spread over the 20 ms in so many groups."""
RAMP_S = 2.0
"""The calls begin one after the other in this time; the next seconds are measured with all of them up."""
GRACE_S = 0.5
ON_TIME_S = 0.005
_SO_TIMESTAMPNS = 35
_HEADER = struct.Struct("!BBHII")
_TIMESPEC = struct.Struct("@ll")


@dataclass(frozen=True)
class Load:
    calls: int
    seconds: float
    payloads: list[str]
    """Base64; played round and round."""
    payload_type: int
    timestamp_step: int


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


class Caller:
    def __init__(self, load: Load, index: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.ssrc = 1000 + index
        self.position = index * 7
        self.first_frame = round(RAMP_S / FRAME_S) * index // load.calls
        self.arrivals: list[tuple[int, int, int]] = []


def run(load: Load, callers: list[Caller]) -> Measured:
    payloads = [base64.b64decode(payload) for payload in load.payloads]
    poll = select.epoll()
    by_descriptor = {}
    for caller in callers:
        poll.register(caller.socket.fileno(), select.EPOLLIN)
        by_descriptor[caller.socket.fileno()] = (caller.socket.recvmsg, caller.arrivals)
    groups = [[(caller, caller.socket.send) for caller in callers[slot::SLOTS]] for slot in range(SLOTS)]
    sent = 0
    late: list[float] = []
    frames = round((RAMP_S + load.seconds) / FRAME_S)
    deadline = time.monotonic() + 0.1
    unpack_header, unpack_time = _HEADER.unpack_from, _TIMESPEC.unpack_from

    def drain() -> None:
        for descriptor, _ in poll.poll(0, len(callers)):
            recvmsg, arrivals = by_descriptor[descriptor]
            try:
                data, ancillary, _, _ = recvmsg(2048, 64)
            except OSError:
                continue
            if data[1] & 0x7F != load.payload_type:
                continue  # RTCP meant for the port below
            arrivals.append((unpack_header(data)[2], *unpack_time(ancillary[0][2])))

    for frame in range(frames):
        for group in groups:
            deadline += FRAME_S / SLOTS
            now = time.monotonic()
            late.append(now - deadline)
            if now < deadline:
                time.sleep(deadline - now)
            for caller, send in group:
                if frame < caller.first_frame:
                    continue
                payload = payloads[(frame + caller.position) % len(payloads)]
                header = _HEADER.pack(
                    0x80, load.payload_type, frame & 0xFFFF, frame * load.timestamp_step & 0xFFFFFFFF, caller.ssrc
                )
                send(header + payload)
                sent += 1
            drain()
    end = time.monotonic() + GRACE_S
    while time.monotonic() < end:
        drain()
        time.sleep(FRAME_S / SLOTS)
    return _judge(sent, callers, late)


def _judge(sent: int, callers: list[Caller], late: list[float]) -> Measured:
    distances: list[NDArray[np.float64]] = []
    lost = received = 0
    for caller in callers:
        if not caller.arrivals:
            continue
        rows = np.array(caller.arrivals, np.int64)
        sequence = np.unwrap(rows[:, 0], period=1 << 16)
        at_s = (rows[:, 1] - rows[0, 1]) + rows[:, 2] * 1e-9
        offset = at_s - sequence * FRAME_S
        distances.append(np.abs(offset - np.median(offset)))
        received += len(rows)
        lost += int(sequence.max() - sequence.min() + 1) - len(set(sequence.tolist()))
    distance = np.concatenate(distances) if distances else np.array([np.inf])
    return Measured(
        sent=sent,
        received=received,
        lost=lost,
        on_time_percent=float(100 * np.mean(distance < ON_TIME_S)),
        p50_ms=float(np.percentile(distance, 50) * 1000),
        p99_ms=float(np.percentile(distance, 99) * 1000),
        worst_ms=float(distance.max() * 1000),
        generator_late_p99_ms=float(np.percentile(late, 99) * 1000),
    )


def main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    callers = [Caller(load, index) for index in range(load.calls)]
    print(json.dumps([caller.socket.getsockname()[1] for caller in callers]), flush=True)
    for caller, port in zip(callers, json.loads(sys.stdin.readline()), strict=True):
        caller.socket.connect(("127.0.0.1", port))
    print(json.dumps(asdict(run(load, callers))), flush=True)


if __name__ == "__main__":
    main()
