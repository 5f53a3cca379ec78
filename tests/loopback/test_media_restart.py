"""The media process dies in the middle of calls."""

from __future__ import annotations

import os
import signal

from support.happenings import Happenings
from support.talker import Talker
from support.uris import uri_of

from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, MediaRestarted

SPEECH = load_speech("victor_rain")


async def test_a_process_that_hangs_is_replaced_too(make_engine, echo):
    caller = await make_engine()
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    await caller.dial(uri_of(echo), codecs=("PCMU",))
    await at_caller.wait_for(CallAnswered)
    hanging = echo.media_process_id
    os.kill(hanging, signal.SIGSTOP)
    assert (await at_echo.wait_for(MediaRestarted)).calls == 1
    assert echo.media_process_id != hanging


async def test_calls_have_audio_again_on_the_same_ports(make_engine, echo):
    talkers = [Talker(SPEECH), Talker(SPEECH)]
    spare = iter(talkers)
    caller = await make_engine(modes={"talker": lambda: next(spare)})
    at_caller, at_echo = Happenings(caller), Happenings(echo)
    calls = [await caller.dial(uri_of(echo), codecs=(codec,)) for codec in ("PCMU", "opus")]
    for call in calls:
        await at_caller.wait_for(CallAnswered, call_id=call.call_id)
    before = [(call.snapshot().local_rtp, call.snapshot().remote_rtp) for call in calls]

    os.kill(echo.media_process_id, signal.SIGKILL)
    restarted = await at_echo.wait_for(MediaRestarted)
    assert restarted.calls == 2

    for call in calls:
        await call.set_mode("talker")
    for talker in talkers:
        assert await talker.own_words() > 0.8  # Opus keeps the sound, not the wave
    assert [(call.snapshot().local_rtp, call.snapshot().remote_rtp) for call in calls] == before
    assert echo.snapshot().media_restarts == 1
