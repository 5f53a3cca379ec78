"""Worker processes: which signals they leave to the engine, and what is said of one that does not start."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys

import pytest

from voip_engine.processes.child import ChildError, ChildProcess

SENT = ["SIGINT", "SIGTERM", *(["SIGHUP"] if hasattr(signal, "SIGHUP") else [])]
WORKER = """
import signal, sys
from voip_engine.processes.worker import leave_ending_to_the_engine
leave_ending_to_the_engine()
signal.raise_signal(signal.{})
print("works on")
"""


@pytest.mark.parametrize("name", SENT)
def test_a_worker_leaves_its_end_to_the_engine(name: str) -> None:
    worker = subprocess.run(
        [sys.executable, "-c", WORKER.format(name)], capture_output=True, text=True, timeout=30, check=False
    )
    assert worker.stdout == "works on\n", worker


async def test_a_process_that_does_not_start_is_said_once_with_the_option_that_tells_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ChildError, match="does not start; `voip-engine --verbose`"):
        await ChildProcess.start("thing", "no.such.module", bytes, timeout_s=20)
    assert caplog.records == []


async def test_a_process_that_has_ended_already_may_be_killed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        child, _ = await ChildProcess.start("media process", "voip_engine.media.worker", bytes, timeout_s=20)
        child.kill()
        child.kill()
        await child.end()
    assert caplog.records == []
