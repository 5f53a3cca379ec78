"""Silero voice activity: a small recurrent model that says of 32 ms of audio how probably it is speech.

Model and licence: see docs/third-party.md. Its input is a window with the last samples before it, its state goes from a row's
window to its next; one call serves all rows of a bank.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.media.windows import Windows

_STATE: Final = 128
_MOST_WAITING: Final = 8


class SileroUnavailable(Exception):
    """The model can't be loaded; the message is a plain sentence."""


class Silero:
    """The model and its state for every row of every bank. Judges at once: in the tick's thread for simulated time alone."""

    def __init__(self, path: Path | None = None) -> None:
        """Load the model, the bundled one unless a path is given. Raises SileroUnavailable."""
        try:
            # It would keep a device id in the home folder and look for its maker's server; what runs here stays here.
            os.environ["ORT_DISABLE_TELEMETRY"] = "1"
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 4  # what goes wrong is raised, too
            with as_file(files("voip_engine.media") / "silero_vad.onnx") as bundled:
                self._session: Any = onnxruntime.InferenceSession(
                    str(path or bundled), options, providers=["CPUExecutionProvider"]
                )
            self._states: dict[int, NDArray[np.float32]] = {}
            self.warm_up()
        # onnxruntime raises errors of its own, which cannot be named before it is imported.
        except Exception as error:
            message = f"The voice activity model can't be loaded, so loudness decides who speaks: {error}"
            raise SileroUnavailable(" ".join(message.split())) from error

    def warm_up(self) -> None:
        """Judge silence at both rates: the first call takes longer than all others."""
        for rate_hz in (8000, 16000):
            audio = np.zeros((1, 288 * rate_hz // 8000), np.float32)
            self.submit(Windows(rate_hz, np.zeros(1, np.intp), audio, (0,), 0, 0))
        self._states.clear()

    def submit(self, windows: Windows) -> bool:
        """Judge windows now."""
        states = self._states_of(windows)
        states[:, list(windows.fresh)] = 0
        if windows.abandoned:
            return True
        probabilities, after = self._session.run(
            None,
            {
                "input": windows.audio,
                "state": states[:, windows.rows],
                "sr": np.array(windows.rate_hz, np.int64),
            },
        )
        states[:, windows.rows] = after
        windows.probabilities = probabilities[:, 0]
        return True

    def _states_of(self, windows: Windows) -> NDArray[np.float32]:
        rows = int(windows.rows.max()) + 1
        states = self._states.get(windows.rate_hz)
        if states is None or states.shape[1] < rows:
            grown = np.zeros((2, 2 * rows, _STATE), np.float32)
            if states is not None:
                grown[:, : states.shape[1]] = states
            states = self._states[windows.rate_hz] = grown
        return states


class JudgeThread:
    """Has windows judged beside the tick, in a thread of ordinary priority; while the model runs, the tick has the interpreter.

    At most eight windows wait; more are refused. If judging breaks down, standard error says so once, and all are refused.
    """

    def __init__(self, model: Silero) -> None:
        self._model = model
        # Its `put` waits for nobody, which a queue with a lock cannot promise to a thread of higher priority.
        self._waiting: queue.SimpleQueue[Windows | None] = queue.SimpleQueue()
        self._submitted = 0
        self._done = 0
        self._broken = False
        self.native_id: int | None = None
        """The thread, as the system names it."""
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name="voice activity", daemon=True)
        self._thread.start()
        started.wait()

    def submit(self, windows: Windows) -> bool:
        """Queue windows; False if too many wait, or the thread has ended."""
        if self._broken or self._submitted - self._done >= _MOST_WAITING:
            return False
        self._submitted += 1
        self._waiting.put(windows)
        return True

    def close(self) -> None:
        """End the thread."""
        self._broken = True
        self._waiting.put(None)
        self._thread.join()

    def _run(self, started: threading.Event) -> None:
        self.native_id = threading.get_native_id()
        _take_ordinary_priority()
        started.set()
        try:
            while (windows := self._waiting.get()) is not None:
                self._model.submit(windows)
                self._done += 1
        except Exception as error:  # whatever the model raises: calls go on, and loudness decides
            self._broken = True
            print(f"Voice activity by the model has ended, so loudness decides who speaks: {error}", file=sys.stderr)


def _take_ordinary_priority() -> None:
    """Let this thread never compete with the tick, whatever the process has been given."""
    if sys.platform == "linux":  # elsewhere a thread can't be told from its process
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), max(0, os.getpriority(os.PRIO_PROCESS, 0)))
