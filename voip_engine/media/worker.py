"""The media process: `python -m voip_engine.media.worker`, commands on standard input, reports on standard output."""

from __future__ import annotations

import os

# Before NumPy is imported: matrices of a few hundred rows gain nothing from threads, and the tick would wait for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import contextlib
import gc
import random
import sys
import time
from collections.abc import Callable

from voip_engine.codecs.base import create_decoder, create_encoder
from voip_engine.media.commands import apply
from voip_engine.media.loop import MediaLoop
from voip_engine.media.pipe import CommandInput, ReportOutput
from voip_engine.media.protocol import Ready
from voip_engine.media.silero import JudgeThread, Silero, SileroUnavailable
from voip_engine.processes.worker import leave_ending_to_the_engine
from voip_engine.rtp import srtp

_COMMANDS_S = 0.005
"""So much of a tick may go to commands; what is left over waits for the next one."""
_NICENESS = -10
_SWITCH_S = 0.0005
"""The tick waits no longer than this for the interpreter while the voice activity thread is at work in it."""


def main() -> int:
    """Run until the engine says Shutdown or goes away."""
    leave_ending_to_the_engine()
    commands, reports = CommandInput(sys.stdin.fileno()), ReportOutput(sys.stdout.fileno())
    judge = _start_judge()
    loop = MediaLoop(reports.put, randomness=random.SystemRandom(), judge=judge)
    _load_codecs()
    srtp.load()
    gc.collect()
    gc.freeze()
    gc.disable()
    _raise_priority()
    _allow_many_sockets()
    reports.put(Ready(os.getpid()))
    with contextlib.suppress(BrokenPipeError):
        _run(loop, commands, reports)
    loop.close_all()
    if judge is not None:
        judge.close()
    return 0


def _run(loop: MediaLoop, commands: CommandInput, reports: ReportOutput) -> None:
    going_on = True

    def take_commands() -> None:
        nonlocal going_on
        for command in commands.take(_time_limit(_COMMANDS_S)):
            going_on = apply(loop, command, reports.put) and going_on

    while going_on and not commands.ended:
        if loop.idle:
            reports.flush()
            gc.collect()
            commands.wait()
            loop.clock.restart()
            take_commands()
        else:
            loop.tick(loop.clock.wait(), figures=not reports.congested, take_commands=take_commands)
        if loop.idle:
            loop.report_figures()
        reports.flush()


def _time_limit(seconds: float) -> Callable[[], bool]:
    """Says True until the time is over."""
    until_s = time.monotonic() + seconds
    return lambda: time.monotonic() < until_s


def _start_judge() -> JudgeThread | None:
    """Load the voice activity model now, like the codecs; without it loudness decides, and one line says why."""
    try:
        model = Silero()
    except SileroUnavailable as error:
        print(error, file=sys.stderr, flush=True)
        return None
    sys.setswitchinterval(_SWITCH_S)
    return JudgeThread(model)


def _load_codecs() -> None:
    """Load every codec's library now: an import in a tick would be heard on all calls."""
    for codec in ("opus", "G722"):
        create_decoder(codec).close()
        create_encoder(codec).close()


def _allow_many_sockets() -> None:
    """A leg takes three descriptors; the usual limit of 1024 would end at 340 calls."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _raise_priority() -> None:
    """Ask for real-time scheduling, else for a better share; calls go on without either."""
    if sys.platform == "linux":
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return
    if hasattr(os, "nice"):
        with contextlib.suppress(PermissionError):
            os.nice(_NICENESS)


if __name__ == "__main__":
    raise SystemExit(main())
