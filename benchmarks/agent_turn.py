"""What a turn costs beside its models: from the end of the caller's speech to the reply's first packet, over real calls.

    python -m benchmarks.agent_turn [--turns N]

A caller in a process of its own says ends of the bundled sentences in G.711 to a desk with Whisper tiny.en, an Ollama server
of known pace and a Pocket TTS of tiny random weights. After each call its utterances go through the same model processes again,
one by one and without a call. `own` is what remains of a turn without the silence that is set (`voice.silence_s`) and without
what the models took so. It has three parts: `endpoint`, what it takes to notice that the silence is long enough; `first
packet`, from the first audio to its packet; and by what models are slower beside a call.

The engine's end of speech is where it was last loud. `hearing` is from when that sound's packet left the caller (by the same
rules on the same audio without a line) to where the engine reckons it: the jitter buffer and the tick. It is in `wire`, which
is `own` from the caller's last packet of speech to the agent's first of the reply.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from benchmarks.agent_desk import AgentDesk, Pace, WatchedAgent, load_average, open_desk, p
from benchmarks.wire_caller import FRAME_S, RATE_HZ, Heard, on_the_wire
from tests.support.listening import SILERO, Listener, silence
from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.events import PlayoutEnded, ReplyEnded
from voip_engine.media.silero import Silero
from voip_engine.modes.base import Utterance
from voip_engine.modes.clauses import ClauseCutter
from voip_engine.modes.spoken import speakable
from voip_engine.snapshots import TurnSnapshot
from voip_engine.speech.base import Message, SpeechServices
from voip_engine.speech_settings import VoiceSettings

FIRST_TOKEN_S = 0.15
TOKEN_S = 0.025
REPLY = "Yes, of course we are open on Saturday."
TURNS_A_CALL = 10
QUESTION_S = 1.6


@dataclass(frozen=True)
class Alone:
    """What the models took for a turn without a call, in milliseconds, one after the other."""

    text: float
    first_token: float
    first_clause: float
    first_audio: float


@dataclass(frozen=True)
class Turn:
    """One turn on a call. Times on `time.monotonic`."""

    snapshot: TurnSnapshot
    utterance: Utterance
    said_until_s: float
    """When the packet with the end of speech was sent."""


async def alone(services: SpeechServices, desk: AgentDesk, utterance: Utterance) -> Alone:
    """The same input once more, one model after the other."""
    agent = desk.settings.agent
    voice = await services.synthesizer.open_voice("alone", agent.voice)
    marks = [time.monotonic()]
    heard = await services.recognizer.transcribe("alone", utterance.audio)
    marks.append(time.monotonic())
    cutter = ClauseCutter()
    messages = (Message("system", agent.prompt), Message("user", heard.text))
    clauses = []
    async with aclosing(services.model.reply(messages, model=agent.model)) as pieces:
        async for piece in pieces:
            if len(marks) == 2:
                marks.append(time.monotonic())
            clauses = cutter.feed(piece)
            if clauses:
                marks.append(time.monotonic())
                break
    async with aclosing(voice.say(speakable(clauses[0].text))) as chunks:
        await anext(chunks)
        marks.append(time.monotonic())
    await voice.release()
    return Alone(*(1000 * np.diff(marks)).tolist())


def question(name: str) -> Audio:
    """The end of a sentence, 16 kHz: long enough for an utterance, and without a pause."""
    return load_speech(name)[-round(QUESTION_S * SAMPLE_RATE_HZ) :]


def speech_end_s(name: str) -> float:
    """Where speech ends in a sentence, as voice activity finds it in its G.711 audio without a line, in seconds."""
    listener = Listener(RATE_HZ, Silero())
    listener.listen(SILERO)
    audio = g711.decode("PCMU", np.frombuffer(on_the_wire(question(name)), np.uint8))
    listener.hear(np.concatenate([audio, silence(1.0, RATE_HZ)]))
    return listener.stopped()[-1].at_s


async def talk(desk: AgentDesk, names: list[str], ends_s: dict[str, float]) -> tuple[list[Turn], SpeechServices, Heard]:
    """One call: the caller says a sentence, hears the reply, says the next one."""
    agent = WatchedAgent()
    caller, call, happened = await desk.call(agent)
    turns = []
    for name in names:
        said_at_s = await caller.say(question(name))
        snapshot = (await happened.wait_for(ReplyEnded)).turn
        await happened.wait_for(PlayoutEnded)
        assert snapshot is not None
        until_s = said_at_s + ends_s[name] // FRAME_S * FRAME_S
        turns.append(Turn(snapshot, agent.utterances[-1], until_s))
    services = call.speech_services
    heard = await caller.hang_up()
    await call.wait_ended()
    return turns, services, heard


def judged(turn: Turn, models: Alone, heard: Heard) -> dict[str, float]:
    """A turn's figures, in milliseconds, as they stand in the table."""
    stages = turn.snapshot
    text, token, audio, packet = stages.text_ms, stages.first_token_ms, stages.first_audio_ms, stages.first_packet_ms
    assert text and token and audio and packet and stages.endpoint_ms
    spoken = models.first_clause + models.first_audio
    silence = 1000 * VoiceSettings().silence_s
    taken = silence + models.text + models.first_token + spoken
    loud_s = heard.arrived_s[heard.loud]
    first_s = loud_s[loud_s > turn.utterance.endpoint_at][0]
    return {
        "endpoint, beyond the silence": stages.endpoint_ms - silence,
        "text": text - stages.endpoint_ms,
        "  alone": models.text,
        "first token": token - text,
        "  alone ": models.first_token,
        "first audio": audio - token,
        "  alone  ": spoken,
        "first packet": packet - audio,
        "own": packet - taken,
        "hearing": 1000 * (turn.utterance.speech_ended_at - turn.said_until_s),
        "wire": 1000 * (first_s - turn.said_until_s) - taken,
        "first packet on the wire, other than told": abs(1000 * (first_s - turn.utterance.speech_ended_at) - packet),
    }


async def main(turns: int) -> None:
    ends_s = {sentence.name: speech_end_s(sentence.name) for sentence in SENTENCES}
    names = [SENTENCES[number % len(SENTENCES)].name for number in range(turns)]
    rows: list[dict[str, float]] = []
    async with open_desk() as desk:
        desk.ollama.reply = lambda messages: Pace(FIRST_TOKEN_S, TOKEN_S).of(REPLY)
        for start in range(0, turns, TURNS_A_CALL):
            made, services, heard = await talk(desk, names[start : start + TURNS_A_CALL], ends_s)
            for turn in made:
                rows.append(judged(turn, await alone(services, desk, turn.utterance), heard))
    print(f"{len(rows)} turns; milliseconds                        p50      p95      worst")
    for title in rows[0]:
        values = [row[title] for row in rows]
        print(f"  {title:42} {p(values, 50):6.1f}   {p(values, 95):6.1f}   {max(values):8.1f}")
    print(f"asked of own: at most 60 at p50, 120 at p95; {load_average()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=20)
    asyncio.run(main(parser.parse_args().turns))
