"""One measurement of the media process under load: full legs, echo of utterances, callers in a process of their own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.load_generator import FRAME_S, RAMP_S, Load, Measured
from voip_engine.audio import Audio
from voip_engine.codecs import g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, create_encoder
from voip_engine.media.plane import MediaPlane
from voip_engine.media.protocol import (
    AnyReport,
    ConfigureLeg,
    Figures,
    Listen,
    Play,
    UtteranceHeard,
    VoiceActivitySettings,
)
from voip_engine.sdp.plan import CodecName, HostPort, MediaPlan, PayloadType, SrtpPlan

SPEECH_S = 2.0
PAUSE_S = 1.0
_KEYS = bytes(30), bytes(range(30))
_ENERGY = VoiceActivitySettings(detector="energy")
PAYLOAD_TYPES: dict[CodecName, PayloadType] = {
    "PCMU": PayloadType(0, "PCMU", 8000),
    "PCMA": PayloadType(8, "PCMA", 8000),
    "G722": PayloadType(9, "G722", 8000),
    "opus": PayloadType(111, "opus", 48000),
}


@dataclass(frozen=True)
class LoadResult:
    """`cpu_us` is the media process's own CPU time for a packet in and a packet out, everything that a call costs included."""

    codec: CodecName
    calls: int
    measured: Measured
    cpu_us: float
    busy_percent: float
    utterances: int
    overruns: int
    lost_inbound: int
    unjudged_windows: int

    @property
    def carried(self) -> bool:
        """Whether 99 % of packets were on time and none was lost in either direction."""
        return self.measured.on_time_percent >= 99 and self.measured.lost == 0 and self.lost_inbound == 0


def loop_of_packets(codec: CodecName) -> list[bytes]:
    """Three seconds of a caller, two of speech-like sound and one of silence, as payloads of 20 ms."""
    rate_hz = AUDIO_RATE_HZ[codec]
    time_s = np.arange(round((SPEECH_S + PAUSE_S) * rate_hz)) / rate_hz
    voice = sum(np.sin(2 * np.pi * 120 * k * time_s + k) / k for k in range(1, 12))
    audio: Audio = (0.1 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time_s)) * (time_s < SPEECH_S)).astype(np.float32)
    frames = audio.reshape(-1, rate_hz // 50)
    if codec == "PCMU" or codec == "PCMA":
        return [frame.tobytes() for frame in g711.encode(codec, frames)]
    encoder = create_encoder(codec)
    return [encoder.encode(frame) for frame in frames]


def cpu_s(process_id: int) -> float:
    """CPU seconds that a process has used, in itself and in the kernel."""
    # Not /proc/…/stat: it samples at the timer's beat, which a process that wakes every 20 ms is in step with.
    return int(Path(f"/proc/{process_id}/schedstat").read_text().split()[0]) * 1e-9


async def measure(
    codec: CodecName,
    calls: int,
    seconds: float,
    *,
    media_core: int = 0,
    activity: VoiceActivitySettings = _ENERGY,
    payloads: list[bytes] | None = None,
    encrypted: bool = False,
) -> LoadResult:
    """Carry so many echo calls for a while, whose callers say `payloads` round and round, in SRTP if `encrypted`.

    The media process has one core to itself, everything else the others.
    """
    others = set(range(os.cpu_count() or 1)) - {media_core} or {media_core}
    os.sched_setaffinity(0, others)
    payload_type = PAYLOAD_TYPES[codec]
    utterances = overruns = playouts = unjudged = 0
    last: Figures | None = None

    def on_report(report: AnyReport) -> None:
        nonlocal utterances, overruns, last, playouts, unjudged
        if isinstance(report, UtteranceHeard):
            utterances += 1
            playouts += 1
            plane.send(Play(report.leg_id, playouts, report.pcm, rate_hz=report.rate_hz))
        elif isinstance(report, Figures) and report.legs:
            overruns += report.overruns
            unjudged += report.unjudged_windows
            last = report

    plane = MediaPlane(on_report, lambda outage_s, legs: None)
    await plane.start()
    assert plane.process_id is not None
    os.sched_setaffinity(plane.process_id, {media_core})
    generator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.load_generator", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert generator.stdin is not None and generator.stdout is not None
    load = Load(
        calls=calls,
        seconds=seconds,
        payloads=[base64.b64encode(payload).decode() for payload in payloads or loop_of_packets(codec)],
        payload_type=payload_type.number,
        timestamp_step=payload_type.clock_rate_hz // 50,
        key=base64.b64encode(_KEYS[1]).decode() if encrypted else "",
    )
    srtp = SrtpPlan("AES_CM_128_HMAC_SHA1_80", *_KEYS) if encrypted else None
    generator.stdin.write(json.dumps(asdict(load)).encode() + b"\n")
    rtcp_sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    rtcp_sink.bind(("127.0.0.1", 0))
    remote_ports = json.loads(await generator.stdout.readline())
    opening = [plane.open_leg(leg_id, HostPort("127.0.0.1", 0)) for leg_id in range(calls)]
    local_ports = [local.port for local in await asyncio.gather(*opening)]
    for leg_id, port in enumerate(remote_ports):
        plan = MediaPlan(
            HostPort("127.0.0.1", port),
            HostPort(*rtcp_sink.getsockname()),
            payload_type,
            (payload_type,),
            srtp=srtp,
        )
        plane.send(ConfigureLeg(leg_id, plan, media_timeout_s=30))
        plane.send(Listen(leg_id, activity, utterances=True))
    await asyncio.sleep(0.5)
    overruns = unjudged = 0
    generator.stdin.write(json.dumps(local_ports).encode() + b"\n")
    await asyncio.sleep(RAMP_S)
    before_s, began_s = cpu_s(plane.process_id), time.monotonic()
    await asyncio.sleep(seconds - 0.5)
    used_s, took_s = cpu_s(plane.process_id) - before_s, time.monotonic() - began_s
    measured = Measured(**json.loads(await generator.stdout.readline()))
    generator.stdin.close()
    await generator.wait()
    lost_inbound = measured.sent - sum(leg.received_packets for leg in last.legs) if last is not None else measured.sent
    await plane.close()
    rtcp_sink.close()
    return LoadResult(
        codec=codec,
        calls=calls,
        measured=measured,
        cpu_us=used_s / (calls * took_s / FRAME_S) * 1e6,
        busy_percent=100 * used_s / took_s,
        utterances=utterances,
        overruns=overruns,
        lost_inbound=lost_inbound,
        unjudged_windows=unjudged,
    )


async def find_most(carry: Callable[[int], Awaitable[LoadResult]], *, first: int, step: int) -> LoadResult | None:
    """Look for the greatest number of calls carried: up by halves from `first` until it fails, then by bisection."""
    best: LoadResult | None = None
    low, high, calls = 0, 0, first
    while not high or high - low > step:
        result = await carry(calls)
        print(report(result), "" if result.carried else " not carried", flush=True)
        if result.carried:
            best, low = result, calls
        else:
            high = calls
        calls = (low + high) // 2 // step * step if high else calls * 3 // 2 // step * step
        if calls <= low:
            break
    return best


def report(result: LoadResult) -> str:
    """One line of the table."""
    measured = result.measured
    return (
        f"{result.codec:5} {result.calls:5} calls  {measured.on_time_percent:6.2f} % within 5 ms  "
        f"p50 {measured.p50_ms:5.2f}  p99 {measured.p99_ms:6.2f}  worst {measured.worst_ms:6.1f} ms  "
        f"lost {measured.lost} out, {result.lost_inbound} in  {result.cpu_us:5.1f} µs a packet in + out  "
        f"core {result.busy_percent:3.0f} %  {result.utterances} echoes  {result.overruns} overruns  "
        f"(generator {measured.generator_late_p99_ms:.1f} ms late)"
    )
