"""The engine's end of the media plane: starts the media process, talks to it, and replaces it if it dies.

A second process waits in reserve, started and loaded: replacing the live one then takes as long as opening the legs, some
tens of milliseconds, where starting one would take several hundred. It is started a little later than the live one, when the
machine has less to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from voip_engine.media.ledger import Ledger
from voip_engine.media.pipe import decode_report
from voip_engine.media.protocol import (
    AnyCommand,
    AnyReport,
    CloseLeg,
    LegFailed,
    LegMapped,
    LegMoved,
    LegOpened,
    MapLeg,
    MoveLeg,
    OpenLeg,
    Ready,
    RtpStart,
    Shutdown,
)
from voip_engine.processes.child import ChildError, ChildProcess
from voip_engine.processes.framing import PipeError
from voip_engine.sdp.plan import HostPort

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer", LegMapped, LegMoved)

_START_TIMEOUT_S: Final = 20.0
_ANSWER_TIMEOUT_S: Final = 5.0
_STUN_TIMEOUT_S: Final = 1.0
"""The media process gives up after half of it."""
_WATCH_S: Final = 1.0
_SILENT_CHECKS: Final = 2
"""Figures come ten times a second while legs are open; a process from which nothing came at so many checks hangs."""
_SHORT_LIFE_S: Final = 2.0
_SPARE_AFTER_S: Final = 3.0
"""How long the live process runs before the one in reserve is started."""
_RETRY_S: Final = 1.0
"""Pause before replacing a process that lived for a short time only."""


class MediaError(Exception):
    """The media plane can't do what was asked; the message is a plain sentence."""


async def _start_worker() -> ChildProcess[AnyReport]:
    """Start a process and wait until it is ready. Raises MediaError."""
    try:
        worker, first = await ChildProcess.start(
            "media process", "voip_engine.media.worker", decode_report, timeout_s=_START_TIMEOUT_S
        )
    except ChildError as error:
        raise MediaError(str(error)) from error
    if not isinstance(first, Ready):
        await worker.end()
        raise MediaError("The media process said something unexpected.")
    return worker


class MediaPlane:
    """The media of all calls. `on_report` gets every report, `on_restart` the outage in seconds and the legs opened again."""

    def __init__(self, on_report: Callable[[AnyReport], None], on_restart: Callable[[float, int], None]) -> None:
        self._on_report = on_report
        self._on_restart = on_restart
        self._random = random.SystemRandom()
        self._ledger = Ledger()
        self._live: ChildProcess[AnyReport] | None = None
        self._spare: asyncio.Task[ChildProcess[AnyReport] | None] | None = None
        self._wanted = asyncio.Event()
        """No time is to be lost with the process in reserve: the live one is gone, or the plane closes."""
        self._closing = False
        self._server: asyncio.Task[None] | None = None
        self._opening: dict[int, asyncio.Future[HostPort]] = {}
        self._abandoned: list[int] = []
        """Legs whose answer is no longer waited for, once for each time."""
        self._asking: dict[tuple[type, int], asyncio.Future[Any]] = {}
        """What is asked of legs: whoever waits for that kind of report."""
        self._reopening: set[int] = set()
        self._reopened = 0
        self._died_s = 0.0
        self._reports_seen = 0
        self.running = False
        self.restarts = 0

    @property
    def process_id(self) -> int | None:
        """The live media process."""
        return self._live.process.pid if self._live is not None else None

    async def start(self) -> None:
        """Start the media process. Raises MediaError."""
        self._live = await _start_worker()
        self.running = True
        self._reserve()
        self._server = asyncio.create_task(self._serve(), name="media plane")

    async def close(self) -> None:
        """Close every leg with RTCP BYE and end the processes."""
        self.running = False
        self._closing = True
        self._wanted.set()
        if self._server is not None:
            self._server.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._server
        # Whoever waits is told so: to be cancelled without anybody's wish is no answer.
        for waiting in (*self._opening.values(), *self._asking.values()):
            if not waiting.done():
                waiting.set_exception(MediaError("The media plane is closing."))
        live, self._live = self._live, None
        if live is not None:
            live.send(Shutdown())
            await live.end()
        if self._spare is not None:
            with contextlib.suppress(MediaError):
                if (spare := await self._spare) is not None:
                    await spare.end()

    async def open_leg(self, leg_id: int, local: HostPort, ports: tuple[int, int] | None = None) -> HostPort:
        """Open a leg and give the address it is bound to. Raises MediaError in plain words.

        Port 0 takes a free even port, from `ports` (lowest and highest) if given. SSRC, sequence and timestamp start at random
        (RFC 3550 §5.1, §8.1).
        """
        bits = self._random.getrandbits
        # Sequence numbers start in the lower half, as RFC 3711 §3.3.1 advises, so that an early loss cannot hide a wrap.
        start = RtpStart(ssrc=bits(32), sequence=bits(15), timestamp=bits(32))
        future: asyncio.Future[HostPort] = asyncio.get_running_loop().create_future()
        self._opening[leg_id] = future
        try:
            self.send(OpenLeg(leg_id, local, start, ports))
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return await future
        except TimeoutError:
            self._abandon(leg_id, answered=not future.cancelled())
            raise MediaError("The media process does not answer.") from None
        except asyncio.CancelledError:
            self._abandon(leg_id, answered=not future.cancelled())
            raise
        finally:
            self._opening.pop(leg_id, None)

    def _abandon(self, leg_id: int, *, answered: bool) -> None:
        """Close a leg that nobody waits for any more; an answer that is still to come is not one to a later opening."""
        self.send(CloseLeg(leg_id))
        if not answered:
            self._abandoned.append(leg_id)

    async def ask_stun(self, leg_id: int, server: HostPort, requests: tuple[bytes, bytes]) -> LegMapped:
        """Send STUN requests through an open leg's RTP and RTCP ports and give the answers of half a second."""
        try:
            return await self._ask(MapLeg(leg_id, server, requests), LegMapped, _STUN_TIMEOUT_S)
        except MediaError:
            return LegMapped(leg_id, None, None)

    async def move_leg(self, leg_id: int, local: HostPort, ports: tuple[int, int] | None = None) -> HostPort:
        """Bind an open leg to another address, as `open_leg` would, and give it; RTP goes on without a break.

        Raises MediaError in plain words, and then the leg is where it was.
        """
        moved = await self._ask(MoveLeg(leg_id, local, ports), LegMoved, _ANSWER_TIMEOUT_S)
        if moved.local is None:
            raise MediaError(moved.reason)
        return moved.local

    async def _ask(self, command: MapLeg | MoveLeg, kind: type[Answer], within_s: float) -> Answer:
        """Send a command and wait for its leg's next report of that kind. Raises MediaError when none comes."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking[kind, command.leg_id] = future
        try:
            self.send(command)
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            raise MediaError("The media process does not answer.") from None
        finally:
            self._asking.pop((kind, command.leg_id), None)

    def send(self, command: AnyCommand) -> None:
        """Send a command. While the process is being replaced it is remembered as far as the new one needs it."""
        command = self._ledger.command(command, time.monotonic())
        if self._live is not None and self.running:
            self._live.send(command)

    # ---- the process -------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while self._live is not None:
            worker = self._live
            watching = asyncio.create_task(self._watch(worker), name="media process watch")
            try:
                await self._pump(worker)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            self.running = False
            self._died_s = time.monotonic()
            _log.warning("the media process ended unexpectedly and is replaced")
            worker.kill()
            await worker.end()  # its ports are free only now
            for lost in self._ledger.lost_playouts():
                self._on_report(lost)
            if self._died_s - worker.started_s < _SHORT_LIFE_S and self.restarts:
                await asyncio.sleep(_RETRY_S)
            self._live = await self._replacement()
            self._reopen()

    async def _watch(self, worker: ChildProcess[AnyReport]) -> None:
        """Kill a process that hangs, so that it is replaced. An engine that was held up itself takes that for no hang."""
        silent, seen = 0, self._reports_seen
        while silent < _SILENT_CHECKS:
            await asyncio.sleep(_WATCH_S)
            silent = silent + 1 if len(self._ledger) and seen == self._reports_seen else 0
            seen = self._reports_seen
        _log.error("the media process does not answer any more and is killed")
        worker.kill()

    async def _pump(self, worker: ChildProcess[AnyReport]) -> None:
        """Pass on reports until the process is gone, or talks nonsense."""
        try:
            while reports := await worker.reports():
                now = time.monotonic()
                self._reports_seen += 1
                for report in reports:
                    self._ledger.report(report, now)
                    self._handle(report)
        except (PipeError, msgspec.MsgspecError) as error:
            _log.error("the media process sent what is no report: %s", error)

    def _reserve(self) -> None:
        """Have a process started that waits for the live one's end."""
        self._wanted.clear()
        self._spare = asyncio.create_task(self._start_spare(), name="spare media process")

    async def _start_spare(self) -> ChildProcess[AnyReport] | None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SPARE_AFTER_S):
                await self._wanted.wait()
        return None if self._closing else await _start_worker()

    async def _replacement(self) -> ChildProcess[AnyReport]:
        while True:
            self._wanted.set()
            spare, self._spare = self._spare, None
            try:
                return (await spare if spare is not None else None) or await _start_worker()
            except MediaError as error:
                _log.error("%s Another attempt follows.", error)
                await asyncio.sleep(_RETRY_S)

    def _reopen(self) -> None:
        assert self._live is not None
        self.restarts += 1
        commands = self._ledger.reopening(time.monotonic())
        self._abandoned.clear()  # the process that owed these answers is gone
        self._reopening = {command.leg_id for command in commands if isinstance(command, OpenLeg)}
        self._reopened = len(self._reopening)
        for command in commands:
            self._live.send(command)
        self.running = True
        if not self._reopening:
            self._on_restart(time.monotonic() - self._died_s, 0)
        self._reserve()

    def _handle(self, report: AnyReport) -> None:
        if isinstance(report, LegOpened | LegFailed):
            self._answer(report)
            if report.leg_id in self._reopening:
                self._reopening.remove(report.leg_id)
                if not self._reopening:
                    self._on_restart(time.monotonic() - self._died_s, self._reopened)
        if isinstance(report, LegMapped | LegMoved):
            future = self._asking.get((type(report), report.leg_id))
            if future is not None and not future.done():
                future.set_result(report)
        elif not isinstance(report, Ready):
            self._on_report(report)

    def _answer(self, report: LegOpened | LegFailed) -> None:
        if report.leg_id in self._abandoned:
            self._abandoned.remove(report.leg_id)
            return
        future = self._opening.get(report.leg_id)
        if future is None or future.done():
            return
        if isinstance(report, LegOpened):
            future.set_result(report.local)
        else:
            future.set_exception(MediaError(report.reason))
