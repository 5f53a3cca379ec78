"""Other codecs in mid-call, with a real phone: under each, both sides still understand what the other says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.certificates import Authority
from support.correlation import at_telephone_rate, find_speech
from support.echoes import ENOUGH
from support.happenings import Happenings
from support.linphone import linphone
from support.speech import speak_and_listen
from support.talker import Talker

from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, MediaChanged

SAYS = {"PCMA": "mia_echo", "G722": "ben_coffee", "PCMU": "victor_rain", "opus": "olga_piano"}
"""The codecs, in the order in which we change to them, and what we say under each."""
RATE_HZ = {"PCMA": 8_000, "G722": 16_000, "PCMU": 8_000, "opus": 48_000}
"""At which rate the phone writes down what it hears."""
WORDS_S = 1.0
ITS_WORDS_S = 1.4


@pytest.mark.peer("linphonec")
@pytest.mark.timeout(60)
@pytest.mark.interop(
    "linphone", "UDP", "", "we change to PCMA, G722, PCMU and opus again in mid-call, and hear and are heard"
)
async def test_a_phone_follows_each_change(make_engine, tmp_path: Path, authority: Authority) -> None:
    words = {codec: load_speech(name)[: round(WORDS_S * SAMPLE_RATE_HZ)] for codec, name in SAYS.items()}
    talkers = {codec: Talker(said) for codec, said in words.items()}
    turns = iter(talkers.values())
    engine = await make_engine(modes={"talker": lambda: next(turns)}, mode="silence")
    theirs = speak_and_listen(tmp_path / "sentence.wav", at_most_s=ITS_WORDS_S)
    we_heard = {}
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file) as phone:
        phone.do("codec enable all")  # G.722 is not, to begin with
        seen = Happenings(engine)
        call = await engine.dial(phone.uri)
        assert (await seen.wait_for(CallAnswered)).codec.name == "opus"
        await phone.connected()
        phone.speak(theirs.path)  # from its beginning, again with each change
        for codec, talker in talkers.items():
            await call.set_codecs((codec,))
            assert (await seen.wait_for(MediaChanged)).codec.name == codec
            await phone.connected()
            await call.set_mode("talker")
            async with asyncio.timeout(30):
                heard = at_telephone_rate(await talker.hear(ITS_WORDS_S), SAMPLE_RATE_HZ)
            we_heard[codec] = find_speech(theirs.known, heard).coefficient
            await call.set_mode("silence")
        await call.hang_up()
        await phone.ended()
    it_heard = {
        codec: find_speech(at_telephone_rate(said, SAMPLE_RATE_HZ), phone.heard(RATE_HZ[codec])).coefficient
        for codec, said in words.items()
    }
    for codec, enough in ENOUGH.items():
        assert min(we_heard[codec], it_heard[codec]) > enough, (we_heard, it_heard)
