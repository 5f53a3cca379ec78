"""The engine calls baresip, which answers by itself and speaks; the engine hears it and gives it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.baresip import baresip
from support.correlation import find_speech
from support.headless import headless
from support.speech import speak_and_listen


@pytest.mark.peer("baresip")
@pytest.mark.parametrize(("transport", "codec"), [("udp", "opus"), ("tcp", "PCMA")])
async def test_a_called_phone_hears_itself(tmp_path: Path, transport: str, codec: str) -> None:
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    account = f"sip:called@127.0.0.1:{{port}};transport={transport}"
    parameters = ("regint=0", "answermode=auto")
    async with baresip(tmp_path / "phone", account, parameters=parameters, speech=speech.path) as phone:
        uri = f"sip:called@127.0.0.1:{phone.sip_port};transport={transport}"
        async with headless("--dial", uri, "--codecs", codec, "--mode", "echo") as engine:
            assert (await engine.event("CallAnswered"))["codec"]["name"] == codec
            assert (await engine.event("PlayoutEnded", within_s=20))["complete"]
            await phone.event("CALL_CLOSED")
            assert (await engine.event("CallEnded"))["by"] == "remote"
            assert await engine.child.wait_ended() == 0
        await phone.child.stop()
        match = find_speech(speech.known, phone.heard())
    assert match.coefficient > 0.8, match
    assert match.delay_s > speech.length_s, match


@pytest.mark.peer("baresip")
async def test_sigterm_hangs_up_and_ends_cleanly(tmp_path: Path) -> None:
    account = "sip:called@127.0.0.1:{port}"
    async with baresip(tmp_path / "phone", account, parameters=("regint=0", "answermode=auto")) as phone:
        async with headless("--dial", f"sip:called@127.0.0.1:{phone.sip_port}") as engine:
            await engine.event("CallAnswered")
            await phone.event("CALL_ESTABLISHED")
            await engine.child.stop()
            assert engine.child.returncode == 0, engine.child.transcript()
            assert (await engine.event("CallEnded"))["by"] == "local"
            await engine.event("EngineStopped")
        closed = next(event for event in phone.events if event["type"] == "CALL_CLOSED")
        assert closed["direction"] == "incoming"
