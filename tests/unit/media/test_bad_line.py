"""Minutes on a line that loses, delays, reorders and doubles packets, in simulated time, through the whole media loop."""

from __future__ import annotations

import random
import socket
from itertools import islice

import numpy as np
import pytest
from support.line_shaper import FRAME_S, Line, Shaper, SimulatedClock

from voip_engine.codecs import g711
from voip_engine.codecs.base import create_encoder
from voip_engine.demo.speech import load_speech
from voip_engine.media.commands import apply
from voip_engine.media.loop import MediaLoop
from voip_engine.media.protocol import AnyReport, ConfigureLeg, Figures, LegOpened, OpenLeg, RtpStart
from voip_engine.rtp.packet import RtpPacket
from voip_engine.sdp.plan import CodecName, HostPort, MediaPlan, PayloadType

SECONDS = 100
JITTER_S = 0.06
TYPES: dict[CodecName, PayloadType] = {
    "PCMU": PayloadType(0, "PCMU", 8_000),
    "opus": PayloadType(96, "opus", 48_000),
}


def packets(codec: CodecName) -> list[bytes]:
    speech = load_speech("mia_later")
    if codec == "PCMU":
        return [
            codes.tobytes() for codes in g711.encode("PCMU", speech[::2][: speech.size // 320 * 160].reshape(-1, 160))
        ]
    encoder = create_encoder(codec)
    return [encoder.encode(frame) for frame in speech[: speech.size // 320 * 320].reshape(-1, 320)]


@pytest.mark.parametrize(("codec", "drift"), [("PCMU", 200e-6), ("opus", -200e-6)])
def test_delay_stays_bounded_and_speech_goes_on(codec: CodecName, drift: float) -> None:
    reports: list[AnyReport] = []
    clock = SimulatedClock()
    loop = MediaLoop(reports.append, randomness=random.Random(1), arrivals=clock)
    kind = TYPES[codec]
    payloads = packets(codec)

    def packet(number: int) -> bytes:
        timestamp = number * kind.clock_rate_hz // 50 & 0xFFFFFFFF
        return RtpPacket(kind.number, number & 0xFFFF, timestamp, 7, payloads[number % len(payloads)]).serialize()

    line = Shaper(Line(0.05, JITTER_S, 0.02, drift), packet, random.Random(5))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.bind(("127.0.0.1", 0))
        apply(loop, OpenLeg(1, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1)), reports.append)
        opened = reports.pop()
        assert isinstance(opened, LegOpened)
        caller.connect((opened.local.host, opened.local.port))
        remote = HostPort(*caller.getsockname())
        apply(loop, ConfigureLeg(1, MediaPlan(remote, remote, kind, (kind,))), reports.append)
        heard = 0.0
        for tick in range(round(SECONDS / FRAME_S)):
            clock.now_s = tick * FRAME_S
            for arrived_s, datagram in line.arriving(clock.now_s):
                clock.hand_over(caller.send, datagram, arrived_s)
            loop.clock.ticks += 1
            loop.tick(0, figures=True)
            leg = loop.legs[1]
            assert leg.bank is not None
            heard += float(np.mean(np.square(leg.bank.heard[leg.seat.row])))
        loop.close_all()
    legs = [leg for report in reports if isinstance(report, Figures) for leg in report.legs]
    # A jitter of 60 ms asks for as much delay, and the frames on either side of it.
    assert max(leg.buffer_ms for leg in islice(legs, 50, None)) <= JITTER_S * 1000 + 80
    last = legs[-1]
    assert 0.03 < last.lost_packets / line.sent < 0.07
    assert last.duplicate_packets > 0
    assert last.late_packets < line.sent * 0.02
    # What is made up for a lost packet is nearly as loud as what was lost.
    assert heard / (SECONDS / FRAME_S) > 0.8 * 10 ** (-20 / 10)
    assert last.concealed_ms > line.lost * 10
