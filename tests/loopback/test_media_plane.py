"""A real media process: calls over real sockets, killed and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.listening import not_speech, sentence

from voip_engine.codecs import g711
from voip_engine.media.plane import MediaError, MediaPlane
from voip_engine.media.protocol import (
    CloseLeg,
    ConfigureLeg,
    Figures,
    Listen,
    PacketRejected,
    Play,
    PlayoutEnded,
    PlayoutProgress,
    SpeechStarted,
    StartMonitor,
    UtteranceHeard,
    VoiceActivitySettings,
)
from voip_engine.rtp.packet import MalformedRtp, RtpPacket
from voip_engine.sdp.plan import HostPort, MediaPlan, PayloadType

PCMU = PayloadType(0, "PCMU", 8000)
GENEROUS_S = 40
"""How long anything may take on a machine that does other things as well."""


@dataclass
class Ears:
    """What a plane reports; waits for things to be reported."""

    reports: list = field(default_factory=list)
    restarts: list[tuple[float, int]] = field(default_factory=list)
    figures: Figures | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def report(self, report) -> None:
        if isinstance(report, Figures):
            self.figures = report
        else:
            self.reports.append(report)
        self.changed.set()

    def restarted(self, outage_s: float, legs: int) -> None:
        self.restarts.append((outage_s, legs))
        self.changed.set()

    async def until(self, condition) -> None:
        async with asyncio.timeout(GENEROUS_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def wait_for(self, kind):
        await self.until(lambda: any(isinstance(report, kind) for report in self.reports))
        return next(report for report in self.reports if isinstance(report, kind))

    def leg(self, leg_id: int):
        legs = self.figures.legs if self.figures is not None else ()
        return next((leg for leg in legs if leg.leg_id == leg_id), None)


class Caller:
    """The other side of a leg: sends its payloads every 20 ms, then silence; keeps what comes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.saying: list[bytes] = []
        self.heard: list[RtpPacket] = []
        self.number = 0
        self.remote: tuple[str, int] | None = None
        self.arrived = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket, self._read)
        self._task = asyncio.create_task(self._talk())

    @property
    def plan(self) -> MediaPlan:
        port = self.socket.getsockname()[1]
        return MediaPlan(HostPort("127.0.0.1", port), HostPort("127.0.0.1", port), PCMU, (PCMU,))

    async def _talk(self) -> None:
        due = self._loop.time()
        while True:
            due += 0.02
            await asyncio.sleep(due - self._loop.time())
            if self.remote is not None:
                payload = self.saying.pop(0) if self.saying else b"\xff" * 160
                packet = RtpPacket(0, self.number & 0xFFFF, self.number * 160 & 0xFFFFFFFF, 7, payload)
                self.socket.sendto(packet.serialize(), self.remote)
                self.number += 1

    def _read(self) -> None:
        try:
            packet = RtpPacket.parse(self.socket.recv(2048))
        except (OSError, MalformedRtp):
            return
        if packet.payload_type == 0:  # RTCP comes to the same port here
            self.heard.append(packet)
            self.arrived.set()

    async def hears_more(self, packets: int) -> None:
        wanted = len(self.heard) + packets
        async with asyncio.timeout(GENEROUS_S):
            while len(self.heard) < wanted:
                self.arrived.clear()
                await self.arrived.wait()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._loop.remove_reader(self.socket)
        self.socket.close()


def words(seconds: float) -> list[bytes]:
    chance = np.random.default_rng(3)
    samples = int(seconds * 50) * 160
    audio = (0.2 * np.convolve(chance.standard_normal(samples), np.ones(8) / 8, "same")).astype(np.float32)
    return [row.tobytes() for row in g711.encode("PCMU", audio.reshape(-1, 160))]


@pytest.fixture
async def ears():
    return Ears()


@pytest.fixture
async def plane(ears):
    plane = MediaPlane(ears.report, ears.restarted)
    await plane.start()
    yield plane
    await plane.close()


@pytest.fixture
async def caller():
    caller = Caller()
    yield caller
    await caller.close()


async def connect(plane, caller, leg_id=1):
    local = await plane.open_leg(leg_id, HostPort("127.0.0.1", 0))
    plane.send(ConfigureLeg(leg_id, caller.plan))
    plane.send(Listen(leg_id, VoiceActivitySettings(), utterances=True))
    caller.remote = (local.host, local.port)
    return local


async def test_what_was_said_comes_back(plane, caller, ears):
    local = await connect(plane, caller)
    assert local.port % 2 == 0
    await caller.hears_more(5)
    said = words(1.0)
    caller.saying = list(said)
    heard = await ears.wait_for(UtteranceHeard)
    before = len(caller.heard)
    plane.send(Play(1, 7, heard.pcm, rate_hz=heard.rate_hz))
    ended = await ears.wait_for(PlayoutEnded)
    assert ended == PlayoutEnded(1, 7, len(heard.pcm) // 2, True, 8000)
    await caller.hears_more(3)
    back = b"".join(packet.payload for packet in caller.heard[before:])
    original = g711.decode("PCMU", np.frombuffer(b"".join(said), np.uint8))
    echo = g711.decode("PCMU", np.frombuffer(back, np.uint8))
    match = np.correlate(echo, original, "valid").max() / (original @ original)
    assert match > 0.98
    await ears.until(lambda: ears.leg(1).received_packets >= caller.number - 60)
    leg = ears.leg(1)
    assert (leg.lost_packets, leg.rejected_packets) == (0, 0)
    assert leg.remote_rtp == caller.plan.remote_rtp
    assert leg.sent_packets > 0
    sequences = [packet.sequence for packet in caller.heard]
    assert all((later - earlier) % 2**16 == 1 for earlier, later in pairwise(sequences))


async def test_a_killed_process_is_replaced_and_calls_go_on(plane, caller, ears):
    local = await connect(plane, caller)
    await caller.hears_more(20)
    await ears.until(lambda: ears.leg(1) is not None and ears.leg(1).remote_rtp is not None)
    plane.send(Play(1, 3, bytes(16000 * 60), rate_hz=8000))
    await caller.hears_more(5)
    killed = plane.process_id
    os.kill(killed, signal.SIGKILL)
    await ears.until(lambda: ears.restarts)
    _, legs = ears.restarts[0]  # how long it takes, `benchmarks.media_restart` measures
    assert legs == 1
    assert plane.process_id != killed
    assert plane.restarts == 1
    lost = await ears.wait_for(PlayoutEnded)
    assert (lost.playout_id, lost.complete) == (3, False)
    before = caller.heard[-1]
    await caller.hears_more(10)
    after = caller.heard[-1]
    assert after.ssrc == before.ssrc
    assert 0 < (after.sequence - before.sequence) % 2**16 < 50 * GENEROUS_S
    assert 0 < (after.timestamp - before.timestamp) % 2**32 < 8000 * GENEROUS_S
    caller.saying = words(0.5)
    await ears.wait_for(SpeechStarted)
    assert caller.remote == (local.host, local.port)


async def test_strangers_are_counted_and_not_heard(plane, caller, ears):
    local = await connect(plane, caller)
    await caller.hears_more(5)
    await ears.until(lambda: ears.leg(1) is not None and ears.leg(1).remote_rtp is not None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number, payload in enumerate(words(1.0)):
            packet = RtpPacket(0, caller.number + number & 0xFFFF, (caller.number + number) * 160, 7, payload)
            stranger.sendto(packet.serialize(), (local.host, local.port))
        stranger.sendto(b"?", (local.host, local.port))
        rejected = await ears.wait_for(PacketRejected)
        assert rejected.source.port == stranger.getsockname()[1]
    await ears.until(lambda: ears.leg(1).rejected_packets == 51)
    assert sum(isinstance(report, PacketRejected) for report in ears.reports) == 1
    assert not any(isinstance(report, SpeechStarted) for report in ears.reports)


async def test_a_monitored_leg_sends_both_directions(plane, caller, ears):
    await connect(plane, caller)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
        speaker.bind(("127.0.0.1", 0))
        speaker.setblocking(False)
        plane.send(StartMonitor(1, HostPort(*speaker.getsockname())))
        plane.send(Play(1, 1, (np.ones(8000) * 5000).astype("<i2").tobytes(), rate_hz=8000))
        caller.saying = words(1.0)
        both = False
        async with asyncio.timeout(10):
            while not both:
                datagram = await loop.sock_recv(speaker, 4096)
                samples = np.frombuffer(datagram[8:], "<i2")
                assert len(samples) == 320
                both = bool(np.abs(samples[:160]).max() > 500) and bool((np.abs(samples[160:] - 5000) <= 1).all())


async def test_ports_are_free_after_close(plane, caller):
    local = await connect(plane, caller)
    plane.send(CloseLeg(1))
    assert await plane.open_leg(2, local) == local
    with pytest.raises(MediaError, match="cannot be bound"):
        await plane.open_leg(3, local)


async def test_an_opening_that_is_given_up_leaves_no_leg_and_no_answer(plane, caller):
    local = await connect(plane, caller)
    plane.send(CloseLeg(1))
    for leg_id, wanted in ((2, local), (3, HostPort("127.0.0.1", 0))):
        opening = asyncio.create_task(plane.open_leg(leg_id, wanted))
        await asyncio.sleep(0)  # it is on its way to the media process
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert await plane.open_leg(3, local) == local


async def test_whoever_opens_a_leg_is_told_that_the_plane_closes(ears):
    plane = MediaPlane(ears.report, ears.restarted)
    await plane.start()
    opening = asyncio.create_task(plane.open_leg(1, HostPort("127.0.0.1", 0)))
    await asyncio.sleep(0)
    await plane.close()
    with pytest.raises(MediaError, match="closing"):
        await opening


async def test_a_closed_plane_leaves_no_process(ears):
    plane = MediaPlane(ears.report, ears.restarted)
    await plane.start()
    process_id = plane.process_id
    await plane.open_leg(1, HostPort("127.0.0.1", 0))
    await plane.close()
    assert plane.process_id is None
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def payloads(audio) -> list[bytes]:
    whole = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    return [row.tobytes() for row in g711.encode("PCMU", whole)]


async def test_the_model_hears_speech_and_not_the_hum_before_it(plane, caller, ears):
    await connect(plane, caller)
    plane.send(Listen(1, VoiceActivitySettings(detector="silero", minimum_utterance_s=1.0), utterances=True))
    await caller.hears_more(5)
    caller.saying = payloads(not_speech(1.0, 8000)["hum"]) + payloads(sentence("ben_saturday", 8000))
    heard = await ears.wait_for(UtteranceHeard)
    # A hum that sets in at once may pass for a tenth of a second of speech, which is a fragment.
    started = [report for report in ears.reports if isinstance(report, SpeechStarted)][-1]
    assert heard.started_s == pytest.approx(started.at_s - 0.3, abs=0.001)
    assert len(heard.pcm) / 16_000 < len(sentence("ben_saturday", 8000)) / 8000 + 0.9, (
        "with the hum it is a second more"
    )
    # What is known at a moment of the machine's clock happened before it: the silence that was waited for, at least.
    assert heard.decided_s - started.decided_s > heard.ended_s - started.at_s


def threads_of(process_id) -> set[int]:
    return {int(task.name) for task in Path(f"/proc/{process_id}/task").iterdir()}


async def test_no_thread_of_the_media_process_but_the_tick_has_real_time_scheduling(plane):
    beside = threads_of(plane.process_id) - {plane.process_id}
    assert beside
    assert all(os.sched_getscheduler(thread) == os.SCHED_OTHER for thread in beside)
    assert all(os.getpriority(os.PRIO_PROCESS, thread) >= 0 for thread in beside)


async def test_a_lost_process_ends_playouts_where_they_were(plane, caller, ears):
    await connect(plane, caller)
    await caller.hears_more(5)
    plane.send(Play(1, 3, bytes(16000 * 60), rate_hz=8000, progress=True))
    await ears.until(lambda: sum(isinstance(report, PlayoutProgress) for report in ears.reports) >= 3)
    os.kill(plane.process_id, signal.SIGKILL)
    lost = await ears.wait_for(PlayoutEnded)
    last = [report for report in ears.reports if isinstance(report, PlayoutProgress)][-1]
    assert (lost.heard_samples, lost.complete) == (last.heard_samples, False)
    assert last.heard_samples >= 160 * 11


async def test_without_the_library_of_the_model_loudness_decides(caller, ears, tmp_path, monkeypatch, caplog):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('built for another machine')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=None)
    caplog.set_level("DEBUG")
    plane = MediaPlane(ears.report, ears.restarted)
    await plane.start()
    try:
        await connect(plane, caller)
        plane.send(Listen(1, VoiceActivitySettings(detector="silero"), utterances=True))
        await caller.hears_more(5)
        caller.saying = words(0.5)
        await ears.wait_for(UtteranceHeard)
    finally:
        await plane.close()
    said = [record.getMessage() for record in caplog.records if "built for another machine" in record.getMessage()]
    assert said
    assert "loudness decides" in said[0]
