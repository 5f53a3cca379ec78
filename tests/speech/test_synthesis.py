"""Synthesis with the real Pocket TTS in real processes, on a tiny model."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from support.tiny_pocket import BRISK_S, FRAME_S, TinyPocket

from voip_engine.installing import install_pocket_tts
from voip_engine.speech.base import AtCapacity, ModelMissing, SpeechError
from voip_engine.speech.synthesis import CallVoice, Synthesis
from voip_engine.speech_settings import SpeakingSettings

RATE_HZ = 16_000
SHORT = "Hello you."
SHORT_S = 38 * FRAME_S
"""A third of a second for each of three words and marks, and two on top, in whole frames."""
ENDLESS = "a " * 2_400
"""Over thirteen minutes of audio."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def synthesis(tiny_pocket: TinyPocket) -> AsyncIterator[Synthesis]:
    async with synthesis_of(SpeakingSettings(model=str(tiny_pocket.wordy))) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def voice(synthesis: Synthesis, tiny_pocket: TinyPocket) -> AsyncIterator[CallVoice]:
    opened = await synthesis.open_voice("call", str(tiny_pocket.voice))
    yield opened
    await opened.release()


@asynccontextmanager
async def synthesis_of(settings: SpeakingSettings) -> AsyncIterator[Synthesis]:
    made = Synthesis(settings)
    try:
        yield made
    finally:
        await made.close()


@contextmanager
def awaiting(caplog: pytest.LogCaptureFixture, words: str) -> Iterator[asyncio.Event]:
    """An event that is set when speech synthesis logs something with these words in it."""
    logged = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if words in record.getMessage():
                logged.set()

    handler = Listener()
    log = logging.getLogger("voip_engine.speech")
    with caplog.at_level(logging.INFO, "voip_engine.speech"):
        log.addHandler(handler)
        try:
            yield logged
        finally:
            log.removeHandler(handler)


async def all_of(voice: CallVoice, text: str, *, cached: bool = False) -> np.ndarray:
    return np.concatenate([chunk async for chunk in voice.say(text, cached=cached)])


async def test_streams_all_of_a_clause_while_it_is_made(voice: CallVoice) -> None:
    chunks = [chunk async for chunk in voice.say(SHORT)]
    audio = np.concatenate(chunks)
    assert len(chunks) > 1
    assert audio.dtype == np.float32
    assert audio.size == round(SHORT_S * RATE_HZ)
    assert 0.01 < np.sqrt(np.mean(audio**2)) < 0.3


async def test_says_nothing_for_an_empty_text(voice: CallVoice) -> None:
    assert [chunk async for chunk in voice.say(" \n")] == []


async def test_closing_the_stream_frees_the_worker(voice: CallVoice) -> None:
    async with aclosing(voice.say(ENDLESS)) as chunks:
        await anext(chunks)
    async with asyncio.timeout(10):  # the endless one would take longer than that
        assert (await all_of(voice, SHORT)).size == round(SHORT_S * RATE_HZ)


async def test_cancelling_who_waits_takes_the_clause_back(synthesis: Synthesis, voice: CallVoice) -> None:
    async with aclosing(voice.say(ENDLESS)) as chunks:
        await anext(chunks)
        waiting = asyncio.create_task(all_of(voice, SHORT))
        while not synthesis.figures().waiting:
            await anext(chunks)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert synthesis.figures().waiting == 0


async def test_makes_a_cached_sentence_once(voice: CallVoice) -> None:
    at_once = await asyncio.gather(all_of(voice, SHORT, cached=True), all_of(voice, SHORT, cached=True))
    later = await all_of(voice, SHORT, cached=True)
    anew = await all_of(voice, SHORT)
    np.testing.assert_array_equal(at_once[0], at_once[1])
    np.testing.assert_array_equal(at_once[0], later)
    assert not np.array_equal(at_once[0], anew)  # no two generations are alike


async def test_a_cached_sentence_that_was_cut_short_is_made_again(voice: CallVoice) -> None:
    async with aclosing(voice.say("Yes, hello.", cached=True)) as chunks:
        await anext(chunks)
    assert (await all_of(voice, "Yes, hello.", cached=True)).size == round(42 * FRAME_S * RATE_HZ)


async def test_admits_as_many_calls_as_it_carries(
    synthesis: Synthesis, voice: CallVoice, tiny_pocket: TinyPocket
) -> None:
    capacity = synthesis.figures().capacity
    assert capacity is not None
    others = [await synthesis.open_voice(f"call {n}", str(tiny_pocket.voice)) for n in range(1, capacity)]
    with pytest.raises(AtCapacity, match=r"speaks on \d+ calls? at a time \(real-time factor 0"):
        await synthesis.open_voice("one more", str(tiny_pocket.voice))
    again = await synthesis.open_voice("call", str(tiny_pocket.voice))  # a call that has a voice needs no more room
    await again.release()
    for other in (*others, *others):  # giving it back twice counts once
        await other.release()
    assert synthesis.figures().calls == 1
    await synthesis.prepare(str(tiny_pocket.voice), ["Hello."])
    assert synthesis.figures().calls == 1  # to make something beforehand takes nobody's place
    await (await synthesis.open_voice("one more", str(tiny_pocket.voice))).release()


async def test_tells_how_fast_it_is(synthesis: Synthesis, voice: CallVoice) -> None:
    await all_of(voice, SHORT)
    figures = synthesis.figures()
    assert figures.first_audio_ms is not None
    assert figures.real_time_factor is not None
    assert figures.first_audio_ms > 0
    assert figures.real_time_factor > 0


async def test_ignores_the_signals_of_its_terminal(synthesis: Synthesis, voice: CallVoice) -> None:
    await all_of(voice, SHORT)
    (process_id,) = synthesis.figures().process_ids
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process_id, number)
    assert (await all_of(voice, SHORT)).size
    assert synthesis.figures().process_ids == (process_id,)


@pytest.mark.parametrize("voice_setting", ["nowhere.wav", "nowhere.safetensors", "alba", "hm"])
async def test_names_the_setting_of_a_voice_that_is_not_there(synthesis: Synthesis, voice_setting: str) -> None:
    with pytest.raises(SpeechError, match=rf"agent\.voice .*{voice_setting}") as caught:
        await synthesis.open_voice("call", voice_setting)
    assert not isinstance(caught.value, ModelMissing)


@pytest.mark.parametrize(("name", "content"), [("text.wav", b"not a wave file"), ("text.safetensors", b"neither")])
async def test_refuses_a_file_that_is_no_voice(synthesis: Synthesis, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpeechError, match=r"agent\.voice"):
        await synthesis.open_voice("call", str(tmp_path / name))


async def test_a_process_killed_while_idle_is_replaced_before_anybody_asks(
    synthesis: Synthesis, voice: CallVoice, caplog: pytest.LogCaptureFixture
) -> None:
    await all_of(voice, SHORT)
    (killed,) = synthesis.figures().process_ids
    with awaiting(caplog, "speaking process 1 loaded") as loaded:
        os.kill(killed, signal.SIGKILL)
        await loaded.wait()
    (successor,) = synthesis.figures().process_ids
    assert successor != killed
    assert (await all_of(voice, SHORT)).size == round(SHORT_S * RATE_HZ)
    assert synthesis.figures().process_ids == (successor,)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["the speaking process 1 ended unexpectedly while it was idle and is replaced"]


async def test_a_killed_process_costs_one_sentence_and_a_crash_loop_backs_off(
    synthesis: Synthesis, voice: CallVoice, caplog: pytest.LogCaptureFixture
) -> None:
    await all_of(voice, SHORT)
    crashes = synthesis.figures().crashes

    async def kill_in_mid_sentence() -> int:
        async with aclosing(voice.say(ENDLESS)) as chunks:
            await anext(chunks)
            (process_id,) = synthesis.figures().process_ids
            os.kill(process_id, signal.SIGKILL)
            with pytest.raises(SpeechError, match="crashed"):
                async for _ in chunks:
                    pass
        return process_id

    killed = await kill_in_mid_sentence()
    successor = await kill_in_mid_sentence()
    assert successor != killed
    with awaiting(caplog, "speaking process 1 loaded") as loaded:
        with pytest.raises(SpeechError, match=r"crashed 2 times in a row; the next attempt is in \d+ s"):
            await all_of(voice, SHORT)
        await loaded.wait()  # nobody has to ask for it
    assert synthesis.figures().crashes == crashes + 2


async def test_a_voice_is_given_back_when_its_block_is_left(synthesis: Synthesis, tiny_pocket: TinyPocket) -> None:
    before = synthesis.figures().calls
    with pytest.raises(ZeroDivisionError):
        async with await synthesis.open_voice("block", str(tiny_pocket.voice)) as voice:
            assert synthesis.figures().calls == before + 1
            raise ZeroDivisionError
    assert synthesis.figures().calls == before
    await voice.release()
    assert synthesis.figures().calls == before


async def test_closing_breaks_off_without_a_warning(tiny_pocket: TinyPocket, caplog: pytest.LogCaptureFixture) -> None:
    synthesis = Synthesis(SpeakingSettings(model=str(tiny_pocket.wordy)))
    voice = await synthesis.open_voice("call", str(tiny_pocket.voice))
    async with aclosing(voice.say(ENDLESS)) as speaking:
        await anext(speaking)
        waiting = asyncio.create_task(all_of(voice, SHORT))
        opening = asyncio.create_task(synthesis.open_voice("other", str(tiny_pocket.state)))
        while synthesis.figures().waiting < 2:
            await anext(speaking)
        await synthesis.close()
        broken_off = await asyncio.gather(waiting, opening, all_of(voice, SHORT), return_exceptions=True)
    assert [str(error) for error in broken_off] == ["Speech synthesis was closed."] * 3
    gc.collect()  # an error that nobody fetched would be logged now
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_speaks_with_a_pulled_model_by_name_and_ends_in_mid_sentence(
    tiny_pocket: TinyPocket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    pulled = tmp_path / "voip-tui" / "models" / "pocket" / "english"
    (pulled / "voices").mkdir(parents=True)
    shutil.copy(tiny_pocket.brisk, pulled / "config.yaml")
    shutil.copy(tiny_pocket.state, pulled / "voices" / "alba.safetensors")
    synthesis = Synthesis(SpeakingSettings(model="english", workers=2))
    first = await synthesis.open_voice("first", "alba")
    second = await synthesis.open_voice("second", "alba")
    with pytest.raises(ModelMissing, match="voice 'jean'") as caught:
        await synthesis.open_voice("third", "jean")
    assert caught.value.model == "pocket:english"
    assert (await all_of(second, SHORT)).size == round(BRISK_S * RATE_HZ)
    async with aclosing(first.say(ENDLESS)) as chunks:
        await anext(chunks)
        await synthesis.close()
        with pytest.raises(SpeechError, match="closed"):
            async for _ in chunks:
                pass
    assert synthesis.figures().process_ids == ()
    with pytest.raises(SpeechError, match="closed"):
        await synthesis.open_voice("third", "alba")


async def test_says_how_to_install_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pocket_tts.py").write_text("raise ImportError('No module named torch')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with synthesis_of(SpeakingSettings()) as synthesis:
        with pytest.raises(ModelMissing, match="cannot be imported") as caught:
            await synthesis.open_voice("call", "alba")
    assert caught.value.mend == install_pocket_tts()
    assert caught.value.what == "Pocket TTS"


async def test_says_how_to_pull_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with synthesis_of(SpeakingSettings(model="english")) as synthesis:
        with pytest.raises(ModelMissing, match="not on this machine") as caught:
            await synthesis.open_voice("call", "alba")
    assert caught.value.model == "pocket:english"
    assert caught.value.mend == "voip-tui models pull pocket:english"
