"""The process that plays a monitored call on a sound card: `python -m voip_engine.media.speaker [--list]`.

PortAudio lives here and nowhere else: it prints to file descriptor 2, it may hang, and a sound server that dies may
take its client along. None of that may touch a call or the screen: all that is lost with this process is the sound.

```
 stdin ──► commands ─┐                      ┌─► Mixer.read ──► sound card
                     ├─► main thread ──► Mixer.feed
 UDP ────► packets ──┘        └──► watches whether the card still asks for audio; reports on stdout
```
"""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading
import time
from typing import Any, BinaryIO, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from voip_engine.installing import pip_install
from voip_engine.media import monitor_packet
from voip_engine.media.speaker_mixer import Mixer
from voip_engine.media.speaker_protocol import (
    Adjust,
    Devices,
    Failed,
    Open,
    OutputDevice,
    Playing,
    SpeakerCommand,
    parse_command,
    serialize,
)
from voip_engine.processes.worker import leave_ending_to_the_engine

_POLL_S: Final = 0.05
_STALLED_S: Final = 2.0
"""A card that has asked for nothing for so long is gone: a sound server's end raises nothing in PortAudio."""
_LAST_GASP_S: Final = 1.0
_LIST_DEVICES: Final = "`python -m sounddevice` lists the devices"
_INSTALL_PORTAUDIO: Final = {
    "darwin": "run `brew install portaudio`",
    "win32": f"run `{pip_install('--force-reinstall', 'sounddevice')}`",
}


class SpeakerError(Exception):
    """Nothing can be played; the message is a plain sentence that says what to do."""


def _import_sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise SpeakerError(f"The package sounddevice is not installed: run `{pip_install('sounddevice')}`.") from error
    except OSError as error:
        mending = _INSTALL_PORTAUDIO.get(sys.platform, "run `sudo apt-get install libportaudio2`")
        raise SpeakerError(f"PortAudio is not installed: {mending}.") from error
    return sounddevice


def find_output_devices() -> list[tuple[int, OutputDevice]]:
    """Give PortAudio's number and description of every device with an output. Raises SpeakerError."""
    sounddevice = _import_sounddevice()
    default = sounddevice.default.device[1]
    return [
        (
            number,
            OutputDevice(
                name=device["name"],
                system=sounddevice.query_hostapis(device["hostapi"])["name"],
                channels=device["max_output_channels"],
                rate_hz=round(device["default_samplerate"]),
                default=number == default,
            ),
        )
        for number, device in enumerate(sounddevice.query_devices())
        if device["max_output_channels"] > 0
    ]


def _choose_device(wanted: str | None) -> tuple[int, OutputDevice]:
    found = find_output_devices()
    if not found:
        raise SpeakerError(
            "There is no sound output device: plug one in or start a sound server "
            f"(`systemctl --user start pipewire-pulse` or `pulseaudio --start`); {_LIST_DEVICES}."
        )
    if wanted is None:
        return next((each for each in found if each[1].default), found[0])
    for same in (str.__eq__, str.__contains__):
        for number, device in found:
            if same(device.name.lower(), wanted.lower()):
                return number, device
    names = ", ".join(device.name for _, device in found)
    raise SpeakerError(f"No sound output device is called {wanted!r}. There are: {names}; {_LIST_DEVICES}.")


class _Card:
    """An open output stream that says whether it still plays."""

    def __init__(self, wanted: Open) -> None:
        sounddevice = _import_sounddevice()
        number, self._device = _choose_device(wanted.device)
        self.name = self._device.name
        self._channels = min(2, self._device.channels)
        # One channel can only carry the mix.
        self._layout = wanted.layout if self._channels == 2 else "mixed"
        self.mixer = Mixer(self._device.rate_hz, wanted.volume, self._layout)
        self._asked_at_s = time.monotonic()
        try:
            self._stream = sounddevice.OutputStream(
                device=number,
                samplerate=self._device.rate_hz,
                channels=self._channels,
                dtype="float32",
                callback=self._fill,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise SpeakerError(
                f"The sound device {self.name} could not be opened ({error}): another program may hold it, or the "
                f"sound server is not running (`pulseaudio --start`); {_LIST_DEVICES}."
            ) from error

    def adjust(self, wanted: Adjust) -> None:
        self.mixer.volume = wanted.volume
        if self._channels == 2:
            self.mixer.layout = wanted.layout

    def check(self) -> None:
        """Raise SpeakerError when the device has stopped playing."""
        if not self._stream.active or time.monotonic() - self._asked_at_s > _STALLED_S:
            raise SpeakerError(
                f"The sound device {self.name} has stopped: it was unplugged, or the sound server ended "
                f"(`pulseaudio --start` starts one); {_LIST_DEVICES}. Then turn the monitor on again."
            )

    def _fill(self, output: NDArray[np.float32], samples: int, _times: object, _status: object) -> None:
        self._asked_at_s = time.monotonic()
        output[:] = self.mixer.read(samples)[:, : self._channels]


def _read_commands(source: BinaryIO, commands: queue.SimpleQueue[SpeakerCommand | None]) -> None:
    for line in source:
        commands.put(parse_command(line))
    commands.put(None)
    # The main thread leaves now, unless PortAudio holds it; nobody is left to miss this process.
    time.sleep(_LAST_GASP_S)
    os._exit(1)


def _play(commands: queue.SimpleQueue[SpeakerCommand | None], reports: BinaryIO) -> None:
    first = commands.get()
    if not isinstance(first, Open):
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
        packets.bind(("127.0.0.1", 0))
        packets.settimeout(_POLL_S)
        card = _Card(first)
        reports.write(serialize(Playing(port=packets.getsockname()[1], device=card.name)))
        while True:
            card.check()
            while not commands.empty():
                command = commands.get()
                if command is None:
                    return
                if isinstance(command, Adjust):
                    card.adjust(command)
            try:
                data, source = packets.recvfrom(65536)
                card.mixer.feed(monitor_packet.unpack(data), source, time.monotonic())
            except (TimeoutError, ValueError):
                continue  # nothing came, or what came is not ours: another program may send to any local port


def main(arguments: list[str]) -> NoReturn:
    """Run the process; never returns."""
    leave_ending_to_the_engine()
    # Reports keep the pipe for themselves: whatever a C library prints goes to standard error, which the engine logs.
    reports = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    try:
        if arguments == ["--list"]:
            found = tuple(device for _, device in find_output_devices())
            reports.write(serialize(Devices(devices=found)))
        else:
            commands: queue.SimpleQueue[SpeakerCommand | None] = queue.SimpleQueue()
            threading.Thread(target=_read_commands, args=(sys.stdin.buffer, commands), daemon=True).start()
            _play(commands, reports)
    except SpeakerError as error:
        reports.write(serialize(Failed(reason=str(error))))
    # Not sys.exit: PortAudio's own clean-up waits for a sound server that may be gone.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
