"""The monitor on a real sound server: what is sent as monitor packets is what a recorder on its null sink hears."""

import asyncio
import os
import signal
import socket
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine import SAMPLE_RATE_HZ, Engine, EngineSettings, VoiceLeg
from voip_engine.events import CallAnswered, MonitorChanged
from voip_engine.media.monitor import Monitor, MonitorError, list_devices
from voip_engine.media.monitor_packet import pack
from voip_engine.sdp.plan import HostPort
from voip_engine.snapshots import MonitorState

pytestmark = pytest.mark.peer("pulseaudio", "parec")

SERVER = ("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-target=stderr")
RECORD = ("parec", "-d", "ci.monitor", "--format=s16le", "--rate=48000", "--channels=2", "--latency-msec=20")
CALLER_HZ, OURS_HZ, FOREIGN_HZ = 440, 1000, 2500
AMPLITUDE = 0.4


@pytest.fixture
def sound_server(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[subprocess.Popen]:
    """A PulseAudio of our own, reached by everything that this test starts."""
    home: Path = tmp_path_factory.mktemp("pulse")
    home.chmod(0o700)
    for name in ("PULSE_RUNTIME_PATH", "PULSE_STATE_PATH", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{home}/native")
    socket_module = f"module-native-protocol-unix auth-anonymous=1 socket={home}/native"
    server = subprocess.Popen(
        (*SERVER, "-L", socket_module, "-L", "module-null-sink sink_name=ci rate=48000 channels=2 norewinds=1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        ready = ("pactl", "info")
        for _ in range(100):
            if subprocess.run(ready, capture_output=True, timeout=5).returncode == 0:
                break
            assert server.poll() is None, server.stderr.read().decode()
        yield server
    finally:
        server.kill()
        server.communicate()


class Recorder:
    """Collects what the sink plays, stereo at 48 kHz."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream
        self._data = b""

    async def sound(self, seconds: float) -> np.ndarray:
        """The next `seconds` of audio in which neither channel is silent, shape (samples, 2)."""
        wanted = int(seconds * 48_000)
        async with asyncio.timeout(15):
            while True:
                self._data += await self._stream.readexactly(960 * 4)
                audio = np.frombuffer(self._data, "<i2").reshape(-1, 2) / 32768
                if not audio[-960:].any(axis=0).all():
                    self._data = b""
                elif len(audio) >= wanted:
                    self._data = b""
                    return audio


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    process = await asyncio.create_subprocess_exec(*RECORD, stdout=PIPE, stderr=DEVNULL)
    try:
        yield Recorder(process.stdout)
    finally:
        process.terminate()
        await process.communicate()


def tone(frequency_hz: int, index: int, rate_hz: int) -> np.ndarray:
    at = np.arange(index * rate_hz // 50, (index + 1) * rate_hz // 50) / rate_hz
    return (AMPLITUDE * 32767 * np.sin(2 * np.pi * frequency_hz * at)).astype(np.int16)


async def keep_sending(speaker: HostPort, rate_hz: int, frequencies_hz: tuple[int, int], begun: asyncio.Event) -> None:
    """A packet each 20 ms, as the media process sends them."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for index in range(10_000):
            caller, ours = (tone(frequency_hz, index, rate_hz) for frequency_hz in frequencies_hz)
            sender.sendto(pack(index, rate_hz, caller, ours), (speaker.host, speaker.port))
            begun.set()
            await asyncio.sleep(start + (index + 1) * 0.02 - loop.time())


@asynccontextmanager
async def sending(
    speaker: HostPort, rate_hz: int, frequencies_hz: tuple[int, int] = (CALLER_HZ, OURS_HZ)
) -> AsyncIterator[None]:
    begun = asyncio.Event()
    task = asyncio.create_task(keep_sending(speaker, rate_hz, frequencies_hz, begun))
    try:
        await begun.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def amplitude(channel: np.ndarray, frequency_hz: int) -> float:
    """How much of a tone is in half a second from the middle of a recording."""
    middle = channel[len(channel) // 2 - 12_000 : len(channel) // 2 + 12_000]
    at = np.arange(len(middle)) / 48_000
    window = np.hanning(len(middle))
    return float(abs(np.sum(middle * window * np.exp(-2j * np.pi * frequency_hz * at))) / np.sum(window) * 2)


def unheard(reason: str) -> None:
    raise AssertionError(reason)


@asynccontextmanager
async def listening(**settings: object) -> AsyncIterator[tuple[Monitor, HostPort]]:
    monitor = Monitor(unheard)
    try:
        yield monitor, await monitor.start(**settings)
    finally:
        await monitor.stop()


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
async def test_the_caller_is_heard_left_and_our_side_right_and_nobody_else(sound_server, rate_hz) -> None:
    async with (
        recording() as recorder,
        listening(layout="split") as (_, speaker),
        sending(speaker, rate_hz),
        sending(speaker, rate_hz, (FOREIGN_HZ, FOREIGN_HZ)),
    ):
        left, right = (await recorder.sound(0.8)).T
    assert amplitude(left, CALLER_HZ) == pytest.approx(AMPLITUDE, rel=0.05)
    assert amplitude(right, OURS_HZ) == pytest.approx(AMPLITUDE, rel=0.05)
    assert amplitude(left, OURS_HZ) < 0.004
    assert amplitude(right, CALLER_HZ) < 0.004
    assert amplitude(left, FOREIGN_HZ) < 0.004


async def test_mixed_has_both_on_both_sides(sound_server) -> None:
    async with recording() as recorder, listening(layout="mixed") as (_, speaker), sending(speaker, 16_000):
        audio = await recorder.sound(0.8)
    for channel in audio.T:
        assert amplitude(channel, CALLER_HZ) == pytest.approx(AMPLITUDE, rel=0.05)
        assert amplitude(channel, OURS_HZ) == pytest.approx(AMPLITUDE, rel=0.05)


async def test_volume_and_layout_change_while_playing(sound_server) -> None:
    async with recording() as recorder, listening(volume=0.5) as (monitor, speaker), sending(speaker, 8_000):
        half = (await recorder.sound(0.8))[:, 0]
        monitor.set_volume(0.1)
        monitor.set_layout("mixed")
        await recorder.sound(0.8)
        tenth = (await recorder.sound(0.8))[:, 0]
    assert amplitude(half, CALLER_HZ) == pytest.approx(AMPLITUDE / 2, rel=0.05)
    assert amplitude(tenth, CALLER_HZ) == pytest.approx(AMPLITUDE / 10, rel=0.1)
    assert amplitude(tenth, OURS_HZ) == pytest.approx(AMPLITUDE / 10, rel=0.1)


async def test_the_device_can_be_chosen_by_its_name(sound_server) -> None:
    names = [device.name for device in await list_devices()]
    assert "pulse" in names
    async with listening(device="pulse") as (monitor, _):
        assert monitor.device == "pulse"
        assert monitor.running


async def test_an_unknown_device_is_answered_with_those_there_are(sound_server) -> None:
    with pytest.raises(MonitorError, match=r"No sound output device is called 'kazoo'. There are: .*pulse"):
        await Monitor(unheard).start(device="kazoo")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_sound_server_that_dies_or_hangs_is_reported_in_a_plain_sentence(sound_server, end) -> None:
    reasons: asyncio.Queue[str] = asyncio.Queue()
    monitor = Monitor(reasons.put_nowait)
    speaker = await monitor.start()
    async with sending(speaker, 8_000):
        os.kill(sound_server.pid, end)
        reason = await asyncio.wait_for(reasons.get(), 15)
    assert "has stopped" in reason
    assert "python -m sounddevice" in reason
    await monitor.stop()
    assert not monitor.running


class Whistle:
    """A mode that plays one tone for as long as it may."""

    name = "whistle"

    def __init__(self, frequency_hz: int) -> None:
        at = np.arange(20 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
        self._tone = (AMPLITUDE * np.sin(2 * np.pi * frequency_hz * at)).astype(np.float32)

    async def run(self, leg: VoiceLeg) -> None:
        await leg.play(self._tone)


async def test_an_operator_listens_in_on_a_call_in_any_mode(sound_server) -> None:
    listen = ("udp:127.0.0.1:0",)
    desk_settings = EngineSettings(listen=listen, auto_answer=True, mode="ours", monitor_volume=1.0)
    async with (
        recording() as recorder,
        Engine(desk_settings, modes={"ours": lambda: Whistle(OURS_HZ)}) as desk,
        Engine(EngineSettings(listen=listen), modes={"caller": lambda: Whistle(CALLER_HZ)}) as phone,
    ):
        happened = Happenings(desk)
        await phone.dial(uri_of(desk), mode="caller", codecs=("PCMU",))
        answered = await happened.wait_for(CallAnswered)
        call = desk.calls[answered.call_id]
        await call.monitor(True)
        left, right = (await recorder.sound(0.8)).T
        assert amplitude(left, CALLER_HZ) == pytest.approx(AMPLITUDE, rel=0.1)
        assert amplitude(right, OURS_HZ) == pytest.approx(AMPLITUDE, rel=0.1)
        assert amplitude(left, OURS_HZ) < 0.01
        await call.monitor(False)
        states = [(await happened.wait_for(MonitorChanged)).state for _ in range(3)]
        assert states == [MonitorState.STARTING, MonitorState.ON, MonitorState.OFF]
