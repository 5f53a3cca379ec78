"""Calls go on when this machine's address changes: a laptop leaves the cable, a modem is given another one."""

from __future__ import annotations

import os
import sys

import pytest
from support.processes import REPOSITORY, running
from support.programs import program


@pytest.mark.peer("ip", "unshare")
@pytest.mark.parametrize(("transport", "srtp"), [("udp", "off"), ("tcp", "required")])
async def test_a_call_goes_on_from_another_address(transport: str, srtp: str) -> None:
    own_network = (program("unshare"), "--net", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    host = (sys.executable, "-m", "support.moving_host", transport, srtp)
    environ = {"PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "tests")))}
    async with running("moving host", *own_network, *host, environ=environ) as child:
        assert await child.wait_ended(within_s=40) == 0, child.transcript()
