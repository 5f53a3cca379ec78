"""A process that speaks: `python -m voip_engine.speech.pocket_worker MODEL`, jobs on standard input, audio on standard output.

```
 stdin ──► reading thread ──► job ──► main thread: Pocket TTS ──► audio, chunk by chunk ──► stdout
                   └─ Cancel sets the job's stop event; the end of stdin ends the process, whatever it is doing
```
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.processes.framing import READ_BYTES, MessageReader
from voip_engine.processes.worker import ReportOutput, leave_ending_to_the_engine, lower_priority
from voip_engine.speech.pocket import Pocket, PocketError
from voip_engine.speech.pocket_protocol import (
    Cancel,
    Ended,
    Failed,
    Loaded,
    NotLoaded,
    OpenVoice,
    Speak,
    Spoken,
    VoiceOpened,
    decode_command,
)

_FULL_SCALE: Final = 32_767

Job = OpenVoice | Speak


class JobInput:
    """Jobs from standard input, read by a thread of its own, so that a Cancel comes through while one is being done."""

    def __init__(self) -> None:
        self._stops: dict[int, threading.Event] = {}
        # The engine sends a job only when the last has ended, so this never holds more than one.
        self._jobs: queue.SimpleQueue[tuple[Job, threading.Event]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="jobs", daemon=True).start()

    def __iter__(self) -> Iterator[tuple[Job, threading.Event]]:
        """Jobs, each with the event that is set when it is cancelled. There is no end: the process ends instead."""
        while True:
            job, stop = self._jobs.get()
            yield job, stop
            del self._stops[job.job]

    def _read(self) -> None:
        try:
            reader = MessageReader()
            while data := os.read(0, READ_BYTES):
                for command in map(decode_command, reader.feed(data)):
                    if isinstance(command, Cancel):
                        if stop := self._stops.get(command.job):
                            stop.set()
                    else:
                        stop = self._stops[command.job] = threading.Event()
                        self._jobs.put((command, stop))
        finally:
            # The engine is gone or wants no more of this process. There is nothing to save, and the library's threads and
            # imports can't be interrupted.
            os._exit(0)


def main() -> int:
    """Run until standard input ends."""
    leave_ending_to_the_engine()
    reports = ReportOutput()
    jobs = JobInput()
    lower_priority()
    began_s = time.perf_counter()
    try:
        pocket = Pocket.load(sys.argv[1])
    except PocketError as error:
        _print_cause(error)
        reports.put(NotLoaded(error.problem, str(error)))
        return 0
    gc.collect()
    gc.freeze()
    reports.put(Loaded(time.perf_counter() - began_s))
    for job, stop in jobs:
        try:
            if isinstance(job, OpenVoice):
                reports.put(VoiceOpened(job.job, pocket.open_voice(job.voice)))
            else:
                _speak(pocket, job, stop, reports)
        except PocketError as error:
            _print_cause(error)
            reports.put(Failed(job.job, error.problem, str(error)))
    return 0


def _speak(pocket: Pocket, job: Speak, stop: threading.Event, reports: ReportOutput) -> None:
    samples = 0
    blocked_s = 0.0
    began_s = time.perf_counter()
    with closing(pocket.speak(job.voice, job.text, stop)) as chunks:
        for audio in chunks:
            if audio.size:
                samples += audio.size
                writing_s = time.perf_counter()
                reports.put(Spoken(job.job, _pcm(audio)))
                blocked_s += time.perf_counter() - writing_s
    busy_s = time.perf_counter() - began_s - blocked_s
    reports.put(Ended(job.job, samples / SAMPLE_RATE_HZ, busy_s))


def _pcm(audio: Audio) -> bytes:
    return np.rint(np.clip(audio, -1, 1) * _FULL_SCALE).astype("<i2").tobytes()


def _print_cause(error: PocketError) -> None:
    """Where it went wrong goes to standard error, and so into the debug log; without messages, which may quote the text."""
    cause = error.__cause__
    if cause is not None:
        print(
            f"{type(cause).__name__}\n{''.join(traceback.format_tb(cause.__traceback__))}", file=sys.stderr, flush=True
        )


if __name__ == "__main__":
    raise SystemExit(main())
