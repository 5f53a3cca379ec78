"""baresip calls the engine and gets its own speech back: four codecs, two transports, directly and through kamailio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.baresip import Baresip, baresip
from support.correlation import Match, Samples, find_speech
from support.headless import HeadlessEngine, headless
from support.kamailio import kamailio
from support.speech import SpokenFile, speak_and_listen

PASSWORD = "geheim"
CODECS = {"opus": "opus/48000/2", "G722": "g722/16000/1", "PCMA": "PCMA/8000/1", "PCMU": "PCMU/8000/1"}
"""Our name of a codec → baresip's."""

ENOUGH = {"opus": 0.8, "G722": 0.9, "PCMA": 0.9, "PCMU": 0.9}
"""The least correlation of an echo with what was said: 0.90 to 0.99 is usual, other speech reaches 0.13."""

TRANSPORTS = ("udp", "tcp")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> SpokenFile:
    return speak_and_listen(tmp_path_factory.mktemp("speech") / "sentence.wav")


async def hear_echo(engine: HeadlessEngine, phone: Baresip, uri: str, codec: str) -> Samples:
    """Call the engine, speak, listen until the file ends and the phone hangs up; returns what the phone heard."""
    await phone.dial(uri)
    await phone.event("CALL_ESTABLISHED")
    name = await call_of(engine, codec)
    assert (await engine.event("PlayoutEnded", call_id=name, within_s=20))["complete"]
    await phone.event("CALL_CLOSED")
    assert (await engine.event("CallEnded", call_id=name))["by"] == "remote"
    await phone.child.stop()
    return phone.heard()


async def call_of(engine: HeadlessEngine, codec: str) -> str:
    """The engine's name for the one call that speaks a codec."""

    def find() -> str | None:
        answered = (event for event in engine.events if event["event"] == "CallAnswered")
        return next((event["call_id"] for event in answered if event["codec"]["name"] == codec), None)

    return await engine.child.wait_until(find, f"a call in {codec}", 10)


def check_echo(match: Match, codec: str, speech: SpokenFile) -> None:
    assert match.coefficient > ENOUGH[codec], (codec, match)
    assert match.delay_s > speech.length_s, (codec, match)


@pytest.mark.peer("baresip")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_callers_hear_themselves_directly(tmp_path: Path, speech: SpokenFile, transport: str) -> None:
    async with headless("--listen", f"{transport}:127.0.0.1:0", "--mode", "echo", "--auto-answer") as engine:

        async def call(codec: str) -> Samples:
            account = f"sip:caller@127.0.0.1:{{port}};transport={transport}"
            parameters = ("regint=0", f"audio_codecs={CODECS[codec]}")
            async with baresip(tmp_path / codec, account, parameters=parameters, speech=speech.path) as phone:
                return await hear_echo(engine, phone, engine.uri("echo", transport), codec)

        heard = await asyncio.gather(*map(call, CODECS))
    for codec, recording in zip(CODECS, heard, strict=True):
        check_echo(find_speech(speech.known, recording), codec, speech)


@pytest.mark.peer("baresip", "kamailio")
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_callers_hear_themselves_through_a_pbx(tmp_path: Path, speech: SpokenFile, transport: str) -> None:
    async with kamailio(tmp_path / "kamailio", PASSWORD) as pbx:
        at = f"127.0.0.1:{pbx.port};transport={transport}"
        arguments = ("--account", f"sip:echo@{at}", "--mode", "echo", "--auto-answer")
        async with headless(*arguments, environ={"VOIP_PASSWORD": PASSWORD}) as engine:
            await registered(engine, "registered")

            async def call(codec: str) -> Samples:
                parameters = ("regint=60", f"auth_pass={PASSWORD}", f"audio_codecs={CODECS[codec]}")
                account = f"sip:caller-{codec.lower()}@{at}"
                async with baresip(tmp_path / codec, account, parameters=parameters, speech=speech.path) as phone:
                    await phone.registered()
                    return await hear_echo(engine, phone, f"sip:echo@127.0.0.1:{pbx.port}", codec)

            heard = await asyncio.gather(*map(call, CODECS))
            await engine.child.stop()
            assert engine.child.returncode == 0, engine.child.transcript()
            states = [event["account"]["state"] for event in engine.events if event["event"] == "AccountChanged"]
            assert states[-1] == "unregistered"
        assert not [line for line in engine.child.lines if PASSWORD in line]
    for codec, recording in zip(CODECS, heard, strict=True):
        check_echo(find_speech(speech.known, recording), codec, speech)


async def registered(engine: HeadlessEngine, state: str) -> None:
    def find() -> bool | None:
        changes = (event["account"]["state"] for event in engine.events if event["event"] == "AccountChanged")
        return state in changes or None

    await engine.child.wait_until(find, f"an account that is {state}", 10)


@pytest.mark.peer("baresip", "kamailio")
async def test_a_wrong_password_is_refused_in_plain_words(tmp_path: Path) -> None:
    async with kamailio(tmp_path / "kamailio", PASSWORD) as pbx:
        account = f"sip:echo@127.0.0.1:{pbx.port}"
        async with headless("--account", account, environ={"VOIP_PASSWORD": "falsch"}) as engine:
            await registered(engine, "failed")
            changes = [event["account"] for event in engine.events if event["event"] == "AccountChanged"]
            assert "password" in changes[-1]["detail"].lower()
