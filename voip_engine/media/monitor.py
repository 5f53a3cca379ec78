"""Listening to a call on the local speakers: the engine's side of the speaker process (media/speaker.py)."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Final

import msgspec

from voip_engine.media.speaker_protocol import (
    Adjust,
    Devices,
    Failed,
    Layout,
    Open,
    OutputDevice,
    Playing,
    SpeakerReport,
    parse_report,
    serialize,
)
from voip_engine.sdp.plan import HostPort

__all__ = ["Monitor", "MonitorError", "OutputDevice", "list_devices"]

_log = logging.getLogger(__name__)
_COMMAND: Final = (sys.executable, "-m", "voip_engine.media.speaker")
START_DEADLINE_S: Final = 8.0
"""How long the sound system may take. Loading everything takes under a second, a cold sound server some more."""
_STOP_DEADLINE_S: Final = 1.0


class MonitorError(Exception):
    """Nothing can be heard; the message is a plain sentence that says what to do."""


class Monitor:
    """At most one open sound device. `on_failure` is called with a plain sentence when a device that played stops."""

    def __init__(self, on_failure: Callable[[str], None], *, deadline_s: float = START_DEADLINE_S) -> None:
        self._on_failure = on_failure
        self._deadline_s = deadline_s
        self._process: Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._log_task: asyncio.Task[None] | None = None
        self._adjustment = Adjust(volume=1.0, layout="split")
        self._device = ""

    @property
    def running(self) -> bool:
        """Whether a device is open and plays."""
        return self._watch is not None and not self._watch.done()

    @property
    def device(self) -> str:
        """The name of the device that was opened last."""
        return self._device

    async def start(self, *, device: str | None = None, volume: float = 1.0, layout: Layout = "split") -> HostPort:
        """Open a device (None: the default one), and give the address that monitor packets go to.

        A device that is open already is closed first. Raises MonitorError when no sound can be made, and when the sound
        system does not answer in time.
        """
        await self.stop()
        process = self._process = await _spawn()
        self._log_task = asyncio.create_task(_log_errors(process))
        try:
            self._adjustment = Adjust(volume=_within(volume), layout=layout)
            self._write(Open(device=device, volume=_within(volume), layout=layout))
            report = await _first_report(process, self._deadline_s)
            if not isinstance(report, Playing):
                raise MonitorError("The speaker process said something unexpected.")
        except BaseException:
            await self.stop()
            raise
        self._device = report.device
        self._watch = asyncio.create_task(self._watch_process(process))
        return HostPort(host="127.0.0.1", port=report.port)

    def set_volume(self, volume: float) -> None:
        """Scale what is heard, from 0 (silent) to 1 (as it is)."""
        self._adjust(msgspec.structs.replace(self._adjustment, volume=_within(volume)))

    def set_layout(self, layout: Layout) -> None:
        """Hear both sides apart or mixed."""
        self._adjust(msgspec.structs.replace(self._adjustment, layout=layout))

    async def stop(self) -> None:
        """Close the device. Does nothing when none is open."""
        process, self._process = self._process, None
        watch, self._watch = self._watch, None
        log_task, self._log_task = self._log_task, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        if process is not None:
            await _end(process)
        if log_task is not None:
            await log_task

    def _adjust(self, adjustment: Adjust) -> None:
        self._adjustment = adjustment
        self._write(adjustment)

    def _write(self, message: Open | Adjust) -> None:
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(serialize(message))

    async def _watch_process(self, process: Process) -> None:
        """Wait for the report that ends it all, or for the end without one."""
        assert process.stdout is not None
        reason = "The speaker process ended unexpectedly; turn the monitor on again."
        while line := await process.stdout.readline():
            report = parse_report(line)
            if isinstance(report, Failed):
                reason = report.reason
        await _end(process)
        self._on_failure(reason)


async def list_devices() -> list[OutputDevice]:
    """Give every output device of this machine. Raises MonitorError as `Monitor.start` does."""
    process = await _spawn("--list")
    log_task = asyncio.create_task(_log_errors(process))
    try:
        report = await _first_report(process, START_DEADLINE_S)
    finally:
        await _end(process)
        await log_task
    return list(report.devices) if isinstance(report, Devices) else []


def _within(volume: float) -> float:
    return min(max(volume, 0.0), 1.0)


async def _spawn(*arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(*_COMMAND, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE)


async def _first_report(process: Process, deadline_s: float) -> SpeakerReport:
    """Raise MonitorError when it is a failure, or is none within the deadline."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(deadline_s):
            line = await process.stdout.readline()
    except TimeoutError as error:
        raise MonitorError(
            f"The sound system has not answered for {deadline_s:.0f} s: restart it "
            "(`systemctl --user restart pipewire-pulse` or `pulseaudio --kill; pulseaudio --start`)."
        ) from error
    if not line:
        raise MonitorError("The speaker process ended before it could play; the log at level debug has its last words.")
    report = parse_report(line)
    if isinstance(report, Failed):
        raise MonitorError(report.reason)
    return report


async def _log_errors(process: Process) -> None:
    """Keep what C libraries print off the screen."""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        _log.debug("speaker: %s", line.decode(errors="replace").rstrip())


async def _end(process: Process) -> None:
    """Close its stdin, which it takes as the end; kill it when it hangs."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_DEADLINE_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
