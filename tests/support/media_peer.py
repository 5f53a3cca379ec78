"""A media loop ticked by hand, and peers with sockets on loopback. No clock runs: a tick is 20 ms by definition."""

from __future__ import annotations

import random
import socket
from dataclasses import replace

import numpy as np

from voip_engine.codecs import g711
from voip_engine.media.commands import apply
from voip_engine.media.loop import MediaLoop
from voip_engine.media.protocol import (
    AnyCommand,
    AnyReport,
    ConfigureLeg,
    Figures,
    LegOpened,
    Listen,
    OpenLeg,
    RtpStart,
    UtteranceHeard,
    VoiceActivitySettings,
)
from voip_engine.rtp.packet import HeaderExtension, RtpPacket
from voip_engine.sdp.plan import HostPort, MediaPlan, PayloadType

PCMU = PayloadType(0, "PCMU", 8000)
PCMA = PayloadType(8, "PCMA", 8000)
G722 = PayloadType(9, "G722", 8000)
OPUS = PayloadType(111, "opus", 48000)


def tone(frames: int, frequency_hz: float = 440.0, level: float = 0.3) -> list[bytes]:
    """PCMU payloads of a steady tone."""
    samples = np.arange(frames * 160) / 8000
    audio = (level * np.sin(2 * np.pi * frequency_hz * samples)).astype(np.float32)
    return [row.tobytes() for row in g711.encode("PCMU", audio.reshape(frames, 160))]


SILENCE = b"\xff" * 160


class Loop:
    """The media process's inside."""

    def __init__(self) -> None:
        self.reports: list[AnyReport] = []
        self.media = MediaLoop(self.reports.append, randomness=random.Random(1))

    def do(self, command: AnyCommand) -> None:
        apply(self.media, command, self.reports.append)

    def tick(self, count: int = 1, *, skipped: int = 0) -> None:
        for _ in range(count):
            self.media.clock.ticks += 1
            self.media.tick(skipped, figures=True)

    def of(self, kind: type) -> list:
        return [report for report in self.reports if isinstance(report, kind)]

    def figures(self, leg_id: int):
        """A leg's figures, half a second from now."""
        self.tick(30)
        return next(leg for leg in self.of(Figures)[-1].legs if leg.leg_id == leg_id)


class Peer:
    """The other side of one leg."""

    def __init__(
        self, loop: Loop, leg_id: int, *, send: PayloadType = PCMU, extended: bool = False, **plan: object
    ) -> None:
        self.loop, self.leg_id, self.extended = loop, leg_id, extended
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtcp.bind(("127.0.0.1", 0))
        self.rtcp.setblocking(False)
        loop.do(OpenLeg(leg_id, HostPort("127.0.0.1", 0), RtpStart(99, 65530, 2**32 - 800)))
        opened = loop.reports[-1]
        assert isinstance(opened, LegOpened), opened
        self.local = (opened.local.host, opened.local.port)
        receive = plan.pop("receive", (send,))
        self.plan = MediaPlan(self.address, HostPort(*self.rtcp.getsockname()), send, receive, **plan)
        self.configure()
        self.packet = RtpPacket(send.number, 0, 0, 7, b"")
        self.step = send.clock_rate_hz // 50

    @property
    def address(self) -> HostPort:
        return HostPort(*self.socket.getsockname())

    def configure(self, **changes: object) -> None:
        self.loop.do(ConfigureLeg(self.leg_id, self.plan, **changes))

    def listen(self) -> None:
        self.loop.do(Listen(self.leg_id, VoiceActivitySettings(), utterances=True))

    def send(self, payload: bytes, number: int, *, through: socket.socket | None = None, **changes: object) -> None:
        """Send the packet of that number of an orderly stream, with changes."""
        extension = HeaderExtension(1, b"\0\0\0\0") if self.extended else None
        packet = replace(
            self.packet,
            sequence=number & 0xFFFF,
            timestamp=number * self.step & 0xFFFFFFFF,
            payload=payload,
            extension=extension,
        )
        (through or self.socket).sendto(replace(packet, **changes).serialize(), self.local)

    def received(self) -> list[RtpPacket]:
        """What has come since the last call."""
        packets = []
        while True:
            try:
                packets.append(RtpPacket.parse(self.socket.recv(2048)))
            except BlockingIOError:
                return packets

    def close(self) -> None:
        self.socket.close()
        self.rtcp.close()


def speak(loop: Loop, peer: Peer, payloads: list[bytes], first: int = 0) -> int:
    """Let a peer send payloads, one a tick; returns the number that comes next."""
    for number, payload in enumerate(payloads, first):
        peer.send(payload, number)
        loop.tick()
    return first + len(payloads)


def pcm_of(report: UtteranceHeard) -> np.ndarray:
    """The samples of an utterance, as if they were 16-bit integers."""
    return np.frombuffer(report.pcm, "<i2").astype(float)
