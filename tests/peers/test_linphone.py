"""linphone, a second phone with habits of its own: calls both ways, encryption and an attended transfer."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.certificates import Authority
from support.happenings import Happenings
from support.linphone import linphone
from support.speech import speak_and_listen
from support.uris import uri_of

from voip_engine.events import CallAnswered, CallEnded, PlayoutEnded
from voip_engine.snapshots import TransferState

pytestmark = [pytest.mark.peer("linphonec"), pytest.mark.timeout(20)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("audio", ["plain RTP", "SRTP"])
@pytest.mark.interop("linphone", "{transport}", "opus", "we call, it speaks and is heard, {audio}")
async def test_a_called_phone_is_heard(
    make_engine, tmp_path: Path, authority: Authority, transport: str, audio: str
) -> None:
    srtp = "required" if audio == "SRTP" else "offered"  # what is offered only, it answers in the clear
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), srtp=srtp)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    encryption = "srtp" if audio == "SRTP" else "none"
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, encryption=encryption) as phone:
        call = await engine.dial(f"{phone.uri};transport={transport}")
        await seen.wait_for(CallAnswered)
        await phone.connected()
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        snapshot = call.snapshot()
        assert (snapshot.transport, bool(snapshot.security.suite)) == (transport.upper(), audio == "SRTP")
        phone.do("terminate")
        assert (await seen.wait_for(CallEnded)).by == "remote"
        await phone.ended()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("audio", ["plain RTP", "SRTP"])
@pytest.mark.interop("linphone", "{transport}", "opus", "it calls, speaks and is heard, {audio}")
async def test_a_calling_phone_is_heard(
    make_engine, tmp_path: Path, authority: Authority, transport: str, audio: str
) -> None:
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), srtp="offered", auto_answer=True)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    encryption = "srtp" if audio == "SRTP" else "none"
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, encryption=encryption) as phone:
        phone.dial(uri_of(engine, transport))
        await phone.connected()
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        snapshot = call.snapshot()
        assert (snapshot.transport, bool(snapshot.security.suite)) == (transport.upper(), audio == "SRTP")
        await call.hang_up()
        await phone.ended()


@pytest.mark.interop("linphone", "UDP", "opus", "we transfer it to another one that we have asked (Replaces)")
async def test_two_phones_are_joined(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    async with (
        linphone(tmp_path / "first", ca_file=authority.ca_file) as first,
        linphone(tmp_path / "second", ca_file=authority.ca_file) as second,
    ):
        call, other = await engine.dial(first.uri), await engine.dial(second.uri)
        for _ in range(2):
            await seen.wait_for(CallAnswered)
        await first.connected()
        await second.connected()
        await call.transfer_to(other)
        await second.connected(2)
        assert call.snapshot().transfer.state is TransferState.DONE
        for _ in range(2):
            await seen.wait_for(CallEnded)
