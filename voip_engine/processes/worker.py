"""What every worker process does first: leave signals to the engine, keep its standard output for reports, give way."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

import msgspec

from voip_engine.processes.framing import encode, widen

_NICENESS: Final = 5
_BELOW_NORMAL_PRIORITY_CLASS: Final = 0x4000


def leave_ending_to_the_engine() -> None:
    """Ignore the signals that end a program: the engine ends this one by closing its standard input.

    Ctrl-C and the terminal's end go to every process of its group, a service manager's SIGTERM to every process of the service.
    """
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):  # Windows knows no SIGHUP
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


def lower_priority() -> None:
    """Let media and the screen go first: a sentence that comes a little later is heard as such, a late packet as a crackle."""
    if sys.platform == "win32":
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICENESS)


class ReportOutput:
    """Standard output as it was; whatever else prints there from now on goes to standard error."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)
        widen(self._descriptor)

    def put(self, report: msgspec.Struct) -> None:
        """Write a report; waits while the engine is behind. Raises BrokenPipeError when it is gone."""
        data = memoryview(encode(report))
        while data:
            data = data[os.write(self._descriptor, data) :]
