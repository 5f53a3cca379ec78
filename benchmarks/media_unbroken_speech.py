"""What a packet costs after a second of unbroken speech, and after a minute of it: it must be the same.

    python -m benchmarks.media_unbroken_speech

Runs the inside of the media process in simulated time: 50 legs, each hearing one long utterance.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import time

from benchmarks.media_load import PAYLOAD_TYPES, loop_of_packets
from voip_engine.media.commands import apply
from voip_engine.media.loop import MediaLoop
from voip_engine.media.protocol import (
    AnyReport,
    ConfigureLeg,
    LegOpened,
    Listen,
    OpenLeg,
    RtpStart,
    VoiceActivitySettings,
)
from voip_engine.sdp.plan import HostPort, MediaPlan

TICKS_A_SECOND = 50
_HEADER = struct.Struct("!BBHII")


def measure(calls: int, seconds: int) -> list[float]:
    """CPU microseconds a packet, for each second of speech."""
    reports: list[AnyReport] = []
    loop = MediaLoop(reports.append, randomness=random.Random(1))
    payload_type = PAYLOAD_TYPES["PCMU"]
    speech = loop_of_packets("PCMU")[:100]
    callers = []
    for leg_id in range(calls):
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        caller.bind(("127.0.0.1", 0))
        apply(loop, OpenLeg(leg_id, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1)), reports.append)
        opened = reports[-1]
        assert isinstance(opened, LegOpened)
        caller.connect((opened.local.host, opened.local.port))
        remote = HostPort(*caller.getsockname())
        apply(loop, ConfigureLeg(leg_id, MediaPlan(remote, remote, payload_type, (payload_type,))), reports.append)
        apply(loop, Listen(leg_id, VoiceActivitySettings(longest_utterance_s=600), utterances=True), reports.append)
        callers.append(caller)
    costs = []
    for second in range(seconds):
        used_s = 0.0
        for tick in range(second * TICKS_A_SECOND, (second + 1) * TICKS_A_SECOND):
            for caller in callers:
                caller.send(_HEADER.pack(0x80, 0, tick, tick * 160, 7) + speech[tick % len(speech)])
            loop.clock.ticks += 1
            before_s = time.process_time()
            loop.tick(0, figures=True)
            used_s += time.process_time() - before_s
        costs.append(used_s * 1e6 / (TICKS_A_SECOND * calls))
        reports.clear()
    loop.close_all()
    for caller in callers:
        caller.close()
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=65)
    arguments = parser.parse_args()
    costs = measure(arguments.calls, arguments.seconds)
    early, late = min(costs[1:9]), min(costs[-8:])  # the least is what is least disturbed by others
    print(f"a packet in + out after a second of unbroken speech  {early:.1f} µs")
    print(f"a packet in + out after {len(costs)} s of it             {late:.1f} µs, {late / early:.2f} times as much")


if __name__ == "__main__":
    main()
