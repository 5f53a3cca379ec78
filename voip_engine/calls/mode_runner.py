"""Runs one mode at a time over a call's voice, and switches between modes while the call is up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from traceback import extract_tb

from voip_engine.calls.mode_leg import ModeLeg
from voip_engine.calls.voice import CallVoice
from voip_engine.errors import EngineError
from voip_engine.modes.base import Mode

STOP_S = 2.0
"""How long a mode may take to end after it was cancelled."""

logger = logging.getLogger(__name__)


class ModeRunner:
    """Owns the mode's task. Before `start` a switch only changes what will run."""

    def __init__(
        self,
        voice: CallVoice,
        modes: Mapping[str, Callable[[], Mode]],
        mode: str | Mode,
        on_failure: Callable[[str, str], None],
    ) -> None:
        """Choose the first mode, by its name among `modes` or itself. Raises EngineError for an unknown name."""
        self._voice = voice
        self._modes = modes
        self.name, self._factory = self.find(mode)
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self._started = False
        self._switching = asyncio.Lock()

    @property
    def mode(self) -> str | Mode:
        """What is chosen, to be chosen elsewhere: a name, or a mode that has none the engine knows."""
        return self.name if self.name in self._modes else self._factory()

    def find(self, mode: str | Mode) -> tuple[str, Callable[[], Mode]]:
        """Return a mode's name and how to make it. Raises EngineError for an unknown name."""
        if not isinstance(mode, str):
            return mode.name, lambda: mode
        if mode not in self._modes:
            raise EngineError(f"There is no mode {mode!r}; there are {', '.join(self._modes)}.")
        return mode, self._modes[mode]

    def start(self) -> None:
        """Let the chosen mode handle the call from now on."""
        self._started = True
        if self._task is None:
            self._task = asyncio.create_task(self._run(self.name, self._factory), name=f"mode {self.name}")

    async def switch(self, name: str, factory: Callable[[], Mode]) -> None:
        """End the running mode, then start another. Two switches at once happen one after the other."""
        async with self._switching:
            self.name = name
            self._factory = factory
            await self._end_task()
            if self._started and not self._voice.hung_up.is_set():
                self.start()

    async def restart(self) -> None:
        """Let the same mode begin anew."""
        await self.switch(self.name, self._factory)

    async def stop(self) -> None:
        """End the running mode for good."""
        async with self._switching:
            self._started = False
            await self._end_task()

    async def _end_task(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        _, pending = await asyncio.wait({task}, timeout=STOP_S)
        if pending:
            logger.warning("A mode of call %s did not end when it was cancelled.", self._voice.call_id)

    async def _run(self, name: str, factory: Callable[[], Mode]) -> None:
        leg = ModeLeg(self._voice)
        try:
            await factory().run(leg)
        except Exception as error:  # a mode may fail in any way; the call goes on
            # Where it happened, not what the error says: that may hold what the caller said.
            places = " < ".join(
                f"{frame.filename}:{frame.lineno}" for frame in reversed(extract_tb(error.__traceback__))
            )
            logger.warning(
                "Mode %s of call %s failed: %s at %s", name, self._voice.call_id, type(error).__name__, places
            )
            self._on_failure(name, f"{type(error).__name__}: {error}")
        finally:
            leg.release()
