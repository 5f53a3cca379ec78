"""A caller in a process of its own whose every packet is known: sends G.711 every 20 ms, notes what comes back and when.

Started by `WireCaller`. Speaks JSON lines: `{"say": payloads}` is answered, when all of it is sent, by the time of its first
packet; `{"hang_up": true}` by all that was received, with the kernel's time stamps. All times are on `time.monotonic`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import select
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from voip_engine import Audio
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.codecs import g711
from voip_engine.resample import resample
from voip_engine.rtp.packet import RtpPacket

RATE_HZ = 8_000
FRAME_S = 0.02
FRAME_SAMPLES = 160
SILENCE = b"\xff" * FRAME_SAMPLES
_SO_TIMESTAMPNS = 35
_LONGEST_LINE_BYTES = 1 << 26


@dataclass(frozen=True)
class Heard:
    """What a caller received, a row a packet: when it came, its RTP timestamp, its audio (rows, 160) at 8 kHz."""

    arrived_s: NDArray[np.float64]
    timestamps: NDArray[np.int64]
    audio: Audio

    @property
    def loud(self) -> NDArray[np.bool_]:
        """Which packets hold more than silence."""
        return np.abs(self.audio).max(axis=1) > 0.001


def on_the_wire(audio: Audio) -> bytes:
    """Audio at 16 kHz as G.711 µ-law, whole frames of 20 ms."""
    narrow = resample(audio, SAMPLE_RATE_HZ, RATE_HZ)
    return g711.encode("PCMU", np.pad(narrow, (0, -len(narrow) % FRAME_SAMPLES))).tobytes()


class WireCaller:
    """The process as a benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.sip_call_id = ""

    @classmethod
    async def call(cls, host: str, port: int) -> Self:
        """Call a desk that answers."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.wire_caller", host, str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE_BYTES,
        )
        caller = cls(process)
        caller.sip_call_id = await caller._answer()
        return caller

    async def say(self, audio: Audio) -> float:
        """Send audio at 16 kHz; when all of it is out, gives when its first packet was sent."""
        self._ask({"say": base64.b64encode(on_the_wire(audio)).decode()})
        return float(await self._answer())

    async def hang_up(self) -> Heard:
        """End the call; gives all that was heard on it."""
        self._ask({"hang_up": True})
        rows = await self._answer()
        await self._process.wait()
        codes = np.frombuffer(b"".join(base64.b64decode(row[2]) for row in rows), np.uint8)
        return Heard(
            np.array([row[0] for row in rows]),
            np.array([row[1] for row in rows], np.int64),
            g711.decode("PCMU", codes).reshape(-1, FRAME_SAMPLES),
        )

    def _ask(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())


class _Line:
    """The call in the caller's process: one loop that sends a packet every 20 ms and looks around in between."""

    def __init__(self, desk: tuple[str, int]) -> None:
        self._desk = desk
        self._sip = _socket()
        self._rtp = _socket()
        self._rtp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._epoch_s = time.time() - time.monotonic()
        self._frames: deque[bytes] = deque()
        self._heard: list[tuple[float, int, str]] = []
        self._commands = b""
        self._over = False
        self._tag = ""
        self._call_id = f"wire{self._rtp.getsockname()[1]}@{os.getpid()}"

    def run(self) -> None:
        self._invite()
        print(json.dumps(self._call_id), flush=True)
        sequence, deadline = 0, time.monotonic()
        began_s: float | None = None
        while not self._over:
            payload = self._frames.popleft() if self._frames else SILENCE
            self._rtp.send(RtpPacket(0, sequence & 0xFFFF, sequence * FRAME_SAMPLES, 77, payload).serialize())
            if payload is not SILENCE and began_s is None:
                began_s = time.monotonic()
            sequence += 1
            if began_s is not None and not self._frames:
                print(json.dumps(began_s), flush=True)
                began_s = None
            deadline += FRAME_S
            while (left_s := deadline - time.monotonic()) > 0:
                ready, _, _ = select.select((self._rtp, self._sip, sys.stdin), (), (), left_s)
                if self._rtp in ready:
                    self._receive()
                if self._sip in ready:
                    self._answer_request(self._sip.recv(4096).decode())
                if sys.stdin in ready:
                    self._read_commands()
        self._send("BYE", 2)
        print(json.dumps(self._heard), flush=True)

    def _receive(self) -> None:
        data, ancillary, _, _ = self._rtp.recvmsg(2048, 64)
        seconds, nanoseconds = np.frombuffer(ancillary[0][2], np.int64)[:2]
        packet = RtpPacket.parse(data)
        if packet.payload_type == 0:
            at_s = int(seconds) + int(nanoseconds) * 1e-9 - self._epoch_s
            self._heard.append((at_s, packet.timestamp, base64.b64encode(packet.payload).decode()))

    def _read_commands(self) -> None:
        data = os.read(sys.stdin.fileno(), 1 << 20)
        *lines, self._commands = (self._commands + data).split(b"\n")
        self._over = self._over or not data
        for command in map(json.loads, lines):
            self._over = self._over or "hang_up" in command
            codes = base64.b64decode(command.get("say", ""))
            self._frames += [codes[at : at + FRAME_SAMPLES] for at in range(0, len(codes), FRAME_SAMPLES)]

    # ---- SIP ----------------------------------------------------------------------------------------------------------

    def _invite(self) -> None:
        host, port = self._rtp.getsockname()
        lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP 0", "")
        self._sip.connect(self._desk)
        self._send("INVITE", 1, "\r\n".join(lines))
        while not (answer := self._sip.recv(4096).decode()).startswith("SIP/2.0 200"):
            assert answer.startswith("SIP/2.0 1"), answer
        tagged = re.search(r"(?im)^(?:To|t):.*;tag=([^\s;]+)", answer)
        audio = re.search(r"(?m)^m=audio (\d+)", answer)
        assert tagged is not None and audio is not None, answer
        self._tag = f";tag={tagged[1]}"
        self._send("ACK", 1)
        self._rtp.connect((self._desk[0], int(audio[1])))

    def _send(self, method: str, number: int, body: str = "") -> None:
        host, port = self._sip.getsockname()
        desk = f"{self._desk[0]}:{self._desk[1]}"
        lines = [
            f"{method} sip:desk@{desk} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{port};rport",
            "Max-Forwards: 70",
            f"From: <sip:wire@{host}>;tag=wire{port}",
            f"To: <sip:desk@{desk}>{self._tag}",
            f"Call-ID: {self._call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:wire@{host}:{port}>",
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self._sip.send("\r\n".join(lines).encode())

    def _answer_request(self, text: str) -> None:
        """Say 200 to whatever the desk asks for."""
        if text.startswith("SIP/2.0"):
            return
        kept = [line for line in text.split("\r\n") if re.match(r"(?i)(Via|From|To|Call-ID|CSeq):", line)]
        self._sip.send("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode())


def _socket() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    return opened


if __name__ == "__main__":
    _Line((sys.argv[1], int(sys.argv[2]))).run()
