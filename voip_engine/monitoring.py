"""Which call the operator hears, and the speakers it is heard on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from voip_engine.errors import EngineError
from voip_engine.media.monitor import Monitor, MonitorError
from voip_engine.media.protocol import AnyCommand, StartMonitor, StopMonitor
from voip_engine.snapshots import MonitorState


class Audible(Protocol):
    """A call, as far as monitoring is concerned."""

    @property
    def call_id(self) -> str:
        """The engine's name for the call."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        ...

    def monitor_changed(self, state: MonitorState, detail: str = "") -> None:
        """Note whether the operator hears the call."""
        ...


class Monitoring:
    """One call at a time on the local speakers: a tap, which no mode and no caller notices."""

    def __init__(
        self,
        send: Callable[[AnyCommand], None],
        *,
        device: str | None,
        volume: float,
        layout: Literal["split", "mixed"],
    ) -> None:
        self._send = send
        self._device = device
        self._volume = volume
        self._layout = layout
        self._monitor: Monitor | None = None
        self._call: Audible | None = None
        self._changing = asyncio.Lock()

    @property
    def volume(self) -> float:
        """How loud, from 0 to 1."""
        return self._volume

    async def switch(self, call: Audible, on: bool) -> None:
        """Hear a call instead of the one heard so far, or stop hearing it. Raises EngineError with the mending command."""
        async with self._changing:
            if on and self._call is not call:
                await self._stop()
                await self._start(call)
            elif not on and self._call is call:
                await self._stop()

    async def set_device(self, device: str | None) -> None:
        """Play on another output device from now on; None is the system's default."""
        async with self._changing:
            self._device = device
            call = self._call
            if call is not None:
                await self._stop()
                await self._start(call)

    def set_volume(self, volume: float) -> None:
        """Set how loud, from 0 to 1."""
        self._volume = min(1.0, max(0.0, volume))
        if self._monitor is not None:
            self._monitor.set_volume(self._volume)

    async def close(self) -> None:
        """Give the speakers back."""
        async with self._changing:
            await self._stop()

    async def _start(self, call: Audible) -> None:
        call.monitor_changed(MonitorState.STARTING)
        monitor = Monitor(self._failed)
        try:
            speaker = await monitor.start(device=self._device, volume=self._volume, layout=self._layout)
        except MonitorError as error:
            call.monitor_changed(MonitorState.FAILED, str(error))
            raise EngineError(str(error)) from error
        if call.ended:
            await monitor.stop()
            return
        self._monitor, self._call = monitor, call
        self._send(StartMonitor(int(call.call_id), speaker))
        call.monitor_changed(MonitorState.ON)

    async def _stop(self) -> None:
        monitor, call = self._monitor, self._call
        self._monitor = self._call = None
        if call is not None:
            self._send(StopMonitor())
            call.monitor_changed(MonitorState.OFF)
        if monitor is not None:
            await monitor.stop()

    def _failed(self, reason: str) -> None:
        call = self._call
        self._monitor = self._call = None
        self._send(StopMonitor())
        if call is not None:
            call.monitor_changed(MonitorState.FAILED, reason)
