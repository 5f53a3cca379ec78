"""A machine that gets another address during a call: two engines in a network of their own.

Started in a network namespace, with the transport of the call and its SRTP policy; fails if the call does not go on.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

from support.happenings import Happenings
from support.programs import program
from support.talker import Talker

from voip_engine import Engine, EngineSettings
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, CallEnded, MediaChanged
from voip_engine.network_settings import AdmissionSettings

DESK, BEFORE, AFTER = "10.7.0.1", "10.7.1.1", "10.7.1.2"


def ip(*arguments: str) -> None:
    subprocess.run((program("ip"), *arguments), check=True)


def be_at(address: str) -> None:
    """Take an address, and reach the desk from it."""
    ip("address", "add", f"{address}/32", "dev", "lo")
    ip("route", "replace", "local", DESK, "dev", "lo", "table", "local", "src", address)


async def call_and_move(transport: str, srtp: str) -> None:
    settings = EngineSettings(
        listen=(f"{transport}:{DESK}:5060",),
        srtp=srtp,
        auto_answer=True,
        admission=AdmissionSettings(networks=("10.7.0.0/16",)),  # a call's other end may speak from there all the while
    )
    async with (
        Engine(settings) as desk,
        Engine(EngineSettings(listen=("udp:0.0.0.0:0", "tcp:0.0.0.0:0"), srtp=srtp, mode="echo")) as laptop,
    ):
        at_desk, at_laptop = Happenings(desk), Happenings(laptop)
        call = await laptop.dial(f"sip:desk@{DESK};transport={transport}")
        answered = await at_desk.wait_for(CallAnswered)
        await at_laptop.wait_for(CallAnswered)
        ip("address", "delete", f"{BEFORE}/32", "dev", "lo")
        be_at(AFTER)
        await at_desk.wait_for(MediaChanged)
        theirs = desk.calls[answered.call_id]
        assert call.snapshot().local_rtp.startswith(f"{AFTER}:"), call.snapshot().local_rtp
        assert call.snapshot().security == theirs.snapshot().security
        talker = Talker(load_speech("ben_saturday"))
        await call.set_mode(talker)
        assert await talker.own_words() > 0.8
        assert theirs.snapshot().remote_rtp.startswith(f"{AFTER}:"), theirs.snapshot().remote_rtp
        await theirs.hang_up()
        assert (await at_laptop.wait_for(CallEnded)).by == "remote"


if __name__ == "__main__":
    ip("link", "set", "lo", "up")
    ip("address", "add", f"{DESK}/32", "dev", "lo")
    be_at(BEFORE)
    asyncio.run(call_and_move(*sys.argv[1:]))
