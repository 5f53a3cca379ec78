"""What takes addresses, routes and name servers that this machine does not have: done in a network of its own."""

from __future__ import annotations

import os
import sys

import pytest
from support.processes import REPOSITORY, running
from support.programs import program


@pytest.mark.peer("ip", "mount", "unshare")
@pytest.mark.parametrize(
    "what",
    [
        "call_moves udp off",
        "call_moves tcp required",
        "account_moves",
        "audio_moves",
        "redirected_call_moves",
        "called_far_away",
        "second_server_called",
    ],
)
async def test_in_a_network_of_its_own(what: str) -> None:
    own_network = (
        program("unshare"),
        "--net",
        "--mount",
        *(() if os.geteuid() == 0 else ("--map-root-user",)),
    )
    host = (sys.executable, "-m", "support.lone_host", *what.split())
    environ = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests")))}
    async with running(what, *own_network, *host, environ=environ) as child:
        assert await child.wait_ended(within_s=40) == 0, child.transcript()
