"""The monitor against sound systems that fail in every way a real one does.

PortAudio itself is the peer tests' business; here the `sounddevice` that the speaker process finds is a failing one.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from voip_engine.media.monitor import Monitor, MonitorError, list_devices

NO_DEVICES = """
class PortAudioError(Exception): ...
class default: device = (-1, -1)
def query_devices(): return []
"""
NOISY_AND_DEAD = """
import os
os.write(1, b"ALSA lib confused\\n")
os.write(2, b"ALSA lib more confused\\n")
os._exit(3)
"""
ONE_DEVICE = """
class PortAudioError(Exception): ...
class default: device = (-1, 0)
def query_devices():
    return [{"name": "Speakers", "hostapi": 0, "max_output_channels": 2, "default_samplerate": 48000.0}]
def query_hostapis(number): return {"name": "Fake"}
"""
REFUSES = (
    ONE_DEVICE
    + """
class OutputStream:
    def __init__(self, **settings): raise PortAudioError("Device unavailable")
"""
)
STOPS = (
    ONE_DEVICE
    + """
class OutputStream:
    active = False
    def __init__(self, **settings): ...
    def start(self): ...
"""
)


@pytest.fixture
def sound_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give the speaker process a `sounddevice` of this source."""

    def provide(source: str) -> None:
        (tmp_path / "sounddevice.py").write_text(source)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))

    return provide


def unheard(reason: str) -> None:
    raise AssertionError(f"reported, not raised: {reason}")


async def failure_to_start(**settings: float) -> str:
    monitor = Monitor(unheard, **settings)
    with pytest.raises(MonitorError) as failure:
        await monitor.start(device="Speakers")
    assert not monitor.running
    return str(failure.value)


async def test_a_missing_portaudio_names_the_command_that_installs_it(sound_system) -> None:
    sound_system("import sys; sys.platform = 'linux'; raise OSError('PortAudio library not found')")
    assert await failure_to_start() == "PortAudio is not installed: run `sudo apt-get install libportaudio2`."


async def test_a_missing_portaudio_on_macos(sound_system) -> None:
    sound_system("import sys; sys.platform = 'darwin'; raise OSError('PortAudio library not found')")
    assert await failure_to_start() == "PortAudio is not installed: run `brew install portaudio`."


async def test_no_device_at_all_says_how_to_list_them(sound_system) -> None:
    sound_system(NO_DEVICES)
    reason = await failure_to_start()
    assert reason.startswith("There is no sound output device")
    assert "`python -m sounddevice`" in reason


async def test_a_device_that_refuses_is_named(sound_system) -> None:
    sound_system(REFUSES)
    reason = await failure_to_start()
    assert reason.startswith("The sound device Speakers could not be opened (Device unavailable)")


async def test_a_sound_system_that_hangs_is_given_up_and_killed(sound_system) -> None:
    sound_system("import threading; threading.Event().wait()")
    assert (await failure_to_start(deadline_s=1.0)).startswith("The sound system has not answered for 1 s")


async def test_a_crash_and_what_c_libraries_print_stay_in_the_process(sound_system, capfd) -> None:
    sound_system(NOISY_AND_DEAD)
    assert "ended before it could play" in await failure_to_start()
    assert capfd.readouterr() == ("", "")


async def test_a_device_that_stops_is_reported_once(sound_system) -> None:
    sound_system(STOPS)
    reasons: asyncio.Queue[str] = asyncio.Queue()
    monitor = Monitor(reasons.put_nowait)
    await monitor.start()
    assert monitor.device == "Speakers"
    reason = await asyncio.wait_for(reasons.get(), 10)
    assert reason.startswith("The sound device Speakers has stopped")
    await monitor.stop()
    assert reasons.empty()


async def test_stopping_twice_is_harmless() -> None:
    monitor = Monitor(unheard)
    await monitor.stop()
    monitor.set_volume(0.3)
    await monitor.stop()


async def test_devices_are_listed(sound_system) -> None:
    sound_system(ONE_DEVICE)
    (device,) = await list_devices()
    assert (device.name, device.system, device.channels, device.rate_hz, device.default) == (
        ("Speakers", "Fake", 2, 48_000, True)
    )


async def test_listing_without_portaudio_is_refused_in_the_same_words(sound_system) -> None:
    sound_system("raise OSError('PortAudio library not found')")
    with pytest.raises(MonitorError, match="PortAudio is not installed"):
        await list_devices()
