"""What else a phone does besides talking: give up, meet a busy line, hold, call over IPv6."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.baresip import baresip
from support.correlation import find_speech
from support.headless import headless
from support.speech import speak_and_listen

pytestmark = pytest.mark.peer("baresip")

CALLER = "sip:caller@127.0.0.1:{port}"
LISTEN = ("--listen", "udp:127.0.0.1:0")


async def test_a_caller_who_gives_up_while_it_rings_is_let_go(tmp_path: Path) -> None:
    async with headless(*LISTEN) as engine, baresip(tmp_path, CALLER) as phone:
        await phone.dial(engine.uri("echo", "udp"))
        await phone.event("CALL_RINGING")
        await phone.hang_up()
        ended = await engine.event("CallEnded")
        assert (ended["by"], ended["duration_s"]) == ("remote", 0)
        assert not [event for event in engine.events if event["event"] == "CallAnswered"]


async def test_the_call_too_many_hears_busy(tmp_path: Path) -> None:
    async with (
        headless(*LISTEN, "--auto-answer", "--max-calls", "1") as engine,
        baresip(tmp_path / "first", CALLER) as first,
        baresip(tmp_path / "second", CALLER) as second,
    ):
        await first.dial(engine.uri("echo", "udp"))
        await first.event("CALL_ESTABLISHED")
        await second.dial(engine.uri("echo", "udp"))
        assert "486" in (await second.event("CALL_CLOSED"))["param"]
        await first.hang_up()
        assert (await engine.event("CallEnded"))["by"] == "remote"


async def test_a_phone_holds_and_resumes(tmp_path: Path) -> None:
    async with headless(*LISTEN, "--auto-answer") as engine, baresip(tmp_path, CALLER) as phone:
        await phone.dial(engine.uri("echo", "udp"))
        await phone.event("CALL_ESTABLISHED")
        await phone.command("hold")
        await engine.event("MediaChanged", on_hold=True)
        await phone.command("resume")
        await engine.event("MediaChanged", on_hold=False)


async def test_a_caller_over_ipv6_hears_itself(tmp_path: Path) -> None:
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    async with headless("--listen", "udp:[::1]:0", "--auto-answer") as engine:
        account = "sip:caller@[::1]:{port}"
        async with baresip(tmp_path / "phone", account, host="::1", speech=speech.path) as phone:
            await phone.dial(engine.uri("echo", "udp"))
            await phone.event("CALL_ESTABLISHED")
            assert (await engine.event("PlayoutEnded", within_s=20))["complete"]
            await phone.event("CALL_CLOSED")
            await phone.child.stop()
            assert find_speech(speech.known, phone.heard()).coefficient > 0.8
