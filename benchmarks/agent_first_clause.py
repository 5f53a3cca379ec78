"""How much longer a caller waits for a long reply than for a short one to begin, over real calls.

    python -m benchmarks.agent_first_clause [--rounds N]

Replies of one sentence and of five, with the same first sentence, from an Ollama server that writes 20 tokens a second, spoken
by a Pocket TTS of tiny random weights. `as a whole` is what the same wait would be if nothing were said before all of it is
written and synthesised: the model's text to its end and then the voice to its end, measured with the same processes.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import aclosing

from benchmarks.agent_desk import AgentDesk, Pace, WatchedAgent, load_average, open_desk, p
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.demo.speech import load_speech
from voip_engine.events import PlayoutEnded, PlayoutStarted, ReplyEnded
from voip_engine.modes.spoken import speakable
from voip_engine.speech.base import Message, SpeechServices
from voip_engine.speech_settings import VoiceSettings

FIRST_TOKEN_S = 0.15
TOKEN_S = 1 / 20
SHORT = "We are open on Saturday from nine to five."
LONG = (
    f"{SHORT} There is a car park behind the house. The bus stops at the corner every ten minutes. "
    "Please bring the letter that we have sent you. My colleague will wait for you at the door."
)
QUESTION = load_speech("ben_saturday")[-round(1.6 * SAMPLE_RATE_HZ) :]


async def as_a_whole_ms(services: SpeechServices, desk: AgentDesk) -> float:
    """What the present reply takes until all of its text and then all of its audio is there."""
    agent = desk.settings.agent
    voice = await services.synthesizer.open_voice("whole", agent.voice)
    began_s = time.monotonic()
    pieces = [piece async for piece in services.model.reply((Message("user", "Hello?"),), model=agent.model)]
    async with aclosing(voice.say(speakable("".join(pieces)))) as chunks:
        async for _ in chunks:
            pass
    took_s = time.monotonic() - began_s
    await voice.release()
    return 1000 * took_s


async def main(rounds: int) -> None:
    waits: dict[str, list[float]] = {SHORT: [], LONG: []}
    texts_ms: list[float] = []
    whole_ms: dict[str, float] = {}
    async with open_desk() as desk:
        caller, call, happened = await desk.call(WatchedAgent())
        for number in range(2 * rounds):
            reply = (SHORT, LONG)[number % 2]
            desk.ollama.reply = lambda messages, reply=reply: Pace(FIRST_TOKEN_S, TOKEN_S).of(reply)
            await caller.say(QUESTION)
            await happened.wait_for(PlayoutStarted)
            ended = await happened.wait_for(ReplyEnded)
            await happened.wait_for(PlayoutEnded)
            assert ended.line.text == reply and ended.turn is not None
            assert ended.turn.first_packet_ms and ended.turn.text_ms
            waits[reply].append(ended.turn.first_packet_ms)
            texts_ms.append(ended.turn.text_ms)
        services = call.speech_services
        await caller.hang_up()
        await call.wait_ended()
        for reply in (SHORT, LONG):
            desk.ollama.reply = lambda messages, reply=reply: Pace(FIRST_TOKEN_S, TOKEN_S).of(reply)
            whole_ms[reply] = p(texts_ms, 50) + await as_a_whole_ms(services, desk)
    silence_ms = 1000 * VoiceSettings().silence_s
    print(f"end of speech to first packet, ms; {rounds} replies each")
    print("                        one sentence   five sentences   ratio   ratio without the silence of 0.5 s")
    rows = [(f"p{percent}", *(p(waits[reply], percent) for reply in (SHORT, LONG))) for percent in (50, 95)]
    for title, short, long in (*rows, ("as a whole", whole_ms[SHORT], whole_ms[LONG])):
        ratio, beyond = long / short, (long - silence_ms) / (short - silence_ms)
        print(f"  {title:20} {short:12.0f} {long:16.0f} {ratio:9.2f} {beyond:9.2f}")
    print(f"asked: a ratio of 1.3 at most; {load_average()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    asyncio.run(main(parser.parse_args().rounds))
