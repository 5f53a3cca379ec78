"""What a mode hears of a call, over real SIP and RTP on loopback."""

from __future__ import annotations

import asyncio

from support.correlation import at_telephone_rate, find_speech
from support.happenings import Happenings
from support.talker import Talker
from support.uris import uri_of

from voip_engine import Utterance, VoiceLeg
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, CallCreated, DtmfReceived, ModeFailed, SpeechStarted

SPEECH = load_speech("ben_saturday")


class Ear:
    """Keeps the first utterance it hears."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: asyncio.Queue[Utterance] = asyncio.Queue()

    async def run(self, leg: VoiceLeg) -> None:
        async for utterance in leg.utterances(speech_only=True):
            self.heard.put_nowait(utterance)


def share_of(known, heard) -> float:
    """How much of the known words is in what was heard: 1 is the same wave."""
    return find_speech(at_telephone_rate(known, 16_000), at_telephone_rate(heard, 16_000)).coefficient


async def test_a_switch_in_mid_sentence_loses_no_word(make_engine):
    first, second = Ear("first"), Ear("second")
    desk = await make_engine(auto_answer=True)
    caller = await make_engine()
    happened = Happenings(desk)
    await caller.dial(uri_of(desk), mode=Talker(SPEECH), codecs=("PCMU",))
    call = desk.calls[(await happened.wait_for(CallCreated)).call_id]
    await call.set_mode(first)
    await happened.wait_for(SpeechStarted)
    await call.set_mode(second)
    utterance = await second.heard.get()
    assert first.heard.empty()
    assert share_of(SPEECH, utterance.audio) > 0.9


async def test_an_utterance_knows_when_it_was_said(make_engine):
    ear = Ear("ear")
    desk = await make_engine(auto_answer=True)
    caller = await make_engine()
    happened = Happenings(desk)
    await caller.dial(uri_of(desk), mode=Talker(SPEECH), codecs=("PCMU",))
    await desk.calls[(await happened.wait_for(CallCreated)).call_id].set_mode(ear)
    utterance = await ear.heard.get()
    spoken_s = utterance.ended_s - utterance.started_s
    assert 0.8 * len(SPEECH) / 16_000 < spoken_s <= utterance.duration_s
    assert utterance.speech_ended_at < utterance.endpoint_at <= asyncio.get_running_loop().time()


class Menu:
    """Presses every key that it hears, and says which it was."""

    name = "menu"

    async def run(self, leg: VoiceLeg) -> None:
        async for digit in leg.digits():
            await leg.send_dtmf(digit)


async def test_a_mode_hears_and_presses_keys(make_engine):
    desk = await make_engine(auto_answer=True, modes={"menu": Menu}, mode="menu")
    caller = await make_engine()
    happened = Happenings(caller)
    call = await caller.dial(uri_of(desk), mode="silence", codecs=("PCMU",))
    await happened.wait_for(CallAnswered)
    await call.send_dtmf("4#")
    pressed = [(await happened.wait_for(DtmfReceived)).digit for _ in range(2)]
    assert pressed == ["4", "#"]


class Broken:
    name = "broken"

    async def run(self, leg: VoiceLeg) -> None:
        raise ValueError("no such thing")


async def test_a_mode_that_failed_stays_on_the_page_until_another_handles_the_call(make_engine):
    desk = await make_engine(auto_answer=True, modes={"broken": Broken}, mode="broken")
    caller = await make_engine()
    happened = Happenings(desk)
    await caller.dial(uri_of(desk), mode="silence")
    call = desk.calls[(await happened.wait_for(ModeFailed)).call_id]
    trouble = call.snapshot().trouble
    assert trouble is not None
    assert "broken" in trouble.detail
    await call.set_mode("echo")
    assert call.snapshot().trouble is None
