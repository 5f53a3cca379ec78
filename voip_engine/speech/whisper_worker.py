"""The process that runs Whisper: `python -m voip_engine.speech.whisper_worker`, commands in, reports out.

A thread of its own reads the commands, so that the process ends with its standard input even while the model computes.
"""

from __future__ import annotations

import os

# Before NumPy is imported: its part is small, and threads that spin while they wait take from the model and the media.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Models are fetched when somebody asks for it, never in passing.
os.environ["HF_HUB_OFFLINE"] = "1"
# faster-whisper imports onnxruntime, which would keep a device id in the home folder and look for its maker's server.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import contextlib
import queue
import sys
import threading

import numpy as np

from voip_engine.installing import pip_install
from voip_engine.processes.framing import READ_BYTES, MessageReader
from voip_engine.processes.worker import ReportOutput, leave_ending_to_the_engine, lower_priority
from voip_engine.speech.base import ModelMissing
from voip_engine.speech.whisper import UtteranceCancelled, Whisper
from voip_engine.speech.whisper_protocol import (
    Cancel,
    Cancelled,
    Failed,
    Load,
    Loaded,
    LoadFailed,
    Ready,
    Transcribe,
    Transcribed,
    WhisperReport,
    decode_command,
)


def main() -> int:
    """Run until standard input ends."""
    leave_ending_to_the_engine()
    worker = _Worker(ReportOutput())
    lower_priority()
    worker.report(Ready())
    worker.run()
    return 0


class _Worker:
    """The model, and what it is to do. The engine sends one utterance at a time, so the queue stays short."""

    def __init__(self, reports: ReportOutput) -> None:
        self._reports = reports
        self._commands: queue.SimpleQueue[Load | Transcribe] = queue.SimpleQueue()
        self._cancelled = 0
        self._whisper: Whisper | None = None

    def run(self) -> None:
        """Carry out commands; ends with the process."""
        threading.Thread(target=self._read, name="commands", daemon=True).start()
        while True:
            command = self._commands.get()
            self.report(self._load(command) if isinstance(command, Load) else self._transcribe(command))

    def report(self, report: WhisperReport) -> None:
        """Send a report."""
        # Nobody reads any more: the end of standard input is on its way.
        with contextlib.suppress(BrokenPipeError):
            self._reports.put(report)

    def _read(self) -> None:
        reader = MessageReader()
        while data := os.read(sys.stdin.fileno(), READ_BYTES):
            for command in map(decode_command, reader.feed(data)):
                if isinstance(command, Cancel):
                    self._cancelled = command.request_id
                else:
                    self._commands.put(command)
        # Not sys.exit: the model does not look up from its work.
        os._exit(0)

    def _load(self, command: Load) -> Loaded | LoadFailed:
        try:
            if self._whisper is None:
                self._whisper = Whisper(command.model, command.threads)
        except ModelMissing as error:
            return LoadFailed(error.what, str(error), error.mend, error.model)
        except ImportError as error:
            return LoadFailed(
                "faster-whisper", f"faster-whisper cannot be imported ({error}).", pip_install("faster-whisper")
            )
        return Loaded(self._whisper.languages)

    def _transcribe(self, command: Transcribe) -> Transcribed | Failed | Cancelled:
        request_id = command.request_id
        if self._whisper is None:
            return Failed(request_id, "No Whisper model is loaded.")
        audio = np.frombuffer(command.pcm, "<i2").astype(np.float32) / np.float32(32768)
        try:
            heard = self._whisper.transcribe(audio, command.language, lambda: request_id == self._cancelled)
        except UtteranceCancelled:
            return Cancelled(request_id)
        except Exception as error:
            # The model goes on with the next utterance; the error's text could hold what was said.
            return Failed(request_id, f"Whisper could not transcribe an utterance ({type(error).__name__}).")
        return Transcribed(
            request_id,
            heard.text,
            heard.language,
            heard.confidence,
            heard.no_speech,
            max(heard.logprob, -1e3),
            heard.busy_s,
        )


if __name__ == "__main__":
    raise SystemExit(main())
