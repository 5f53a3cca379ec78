"""How soon an agent falls silent when the caller speaks, and whether a cough costs a sample of what it says, over real calls.

    python -m benchmarks.agent_interruption [--interruptions N] [--coughs N]

Both are read from the packets that the caller received. Interruptions: two callers talk over replies of a Pocket TTS of tiny
random weights; from when speech was confirmed to the last packet that is not silence. Coughs: the agent says known speech;
every packet is compared with the frame of it that is due. The frame that fades out is sent a second time, fading in.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterable

import numpy as np

from benchmarks.agent_desk import AgentDesk, WatchedAgent, load_average, open_desk, p
from benchmarks.wire_caller import FRAME_SAMPLES, RATE_HZ, Heard
from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.events import PlayoutEnded, PlayoutStarted, ReplyEnded, SpeechStarted, SpeechStopped
from voip_engine.resample import StreamResampler

QUESTION = load_speech("ben_saturday")[-round(1.6 * SAMPLE_RATE_HZ) :]
COUGH_S = 0.16
"""Shorter than what counts as an utterance."""
REPLY = "Well, " + "let me tell you all about it, slowly and at length, " * 12
NOTICED_S = 0.5
PLAYED_AT_ONCE = SAMPLE_RATE_HZ


def loudest(audio: Audio, seconds: float) -> Audio:
    """The loudest so many seconds of audio."""
    samples = round(seconds * SAMPLE_RATE_HZ)
    energy = np.cumsum(np.square(audio))
    at = int(np.argmax(energy[samples:] - energy[:-samples]))
    return audio[at : at + samples]


class KnownVoice:
    """Says the same audio whatever the text is (Synthesizer and Voice)."""

    def __init__(self, audio: Audio) -> None:
        self.audio = audio

    async def prepare(self, voice: str, sentences: Iterable[str] = ()) -> None:
        """There is nothing to load."""

    async def open_voice(self, call_id: str, voice: str) -> KnownVoice:
        return self

    async def __aenter__(self) -> KnownVoice:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def say(self, text: str, *, cached: bool = False) -> AsyncGenerator[Audio, None]:
        for at in range(0, len(self.audio), PLAYED_AT_ONCE):
            yield self.audio[at : at + PLAYED_AT_ONCE]

    async def release(self) -> None:
        return

    def frames(self) -> Audio:
        """What a caller hears of it over G.711 if nothing comes between, shape (frames, 160)."""
        resampler = StreamResampler(SAMPLE_RATE_HZ, RATE_HZ)
        chunks = [self.audio[at : at + PLAYED_AT_ONCE] for at in range(0, len(self.audio), PLAYED_AT_ONCE)]
        narrow = np.concatenate([*map(resampler.push, chunks), resampler.flush()])
        whole = np.pad(narrow, (0, -len(narrow) % FRAME_SAMPLES))
        return g711.decode("PCMU", g711.encode("PCMU", whole)).reshape(-1, FRAME_SAMPLES)


# ---- interruptions ----------------------------------------------------------------------------------------------------


async def interrupt(desk: AgentDesk, times: int, chance: np.random.Generator) -> list[tuple[float, float]]:
    """Talk over reply after reply; gives milliseconds from the caller's first packet until speech was confirmed, and on to
    the agent's last packet."""
    agent = WatchedAgent()
    caller, call, happened = await desk.call(agent)
    said_at_s = [await caller.say(QUESTION)]
    for _ in range(times):
        await happened.wait_for(PlayoutStarted)
        await asyncio.sleep(chance.uniform(0.3, 0.7))  # anywhere in a sentence, and in a tick
        said_at_s.append(await caller.say(QUESTION))
        await happened.wait_for(ReplyEnded)
    heard = await caller.hang_up()
    await call.wait_ended()
    loud_s = heard.arrived_s[heard.loud]
    decided_s = np.array([change.decided_at for change in agent.speech if change.started])
    found = []
    for began_s in said_at_s[1:]:
        confirmed_s = decided_s[decided_s > began_s][0]
        last_s = loud_s[loud_s < began_s + len(QUESTION) / SAMPLE_RATE_HZ][-1]
        found.append((1000 * (confirmed_s - began_s), 1000 * (last_s - confirmed_s)))
    return found


# ---- coughs -----------------------------------------------------------------------------------------------------------


async def cough(desk: AgentDesk, voice: KnownVoice, times: int, chance: np.random.Generator) -> tuple[Heard, str]:
    """Cough into one long reply; gives what was heard of it, and how it ended."""
    caller, call, happened = await desk.call(WatchedAgent(voice))
    await caller.say(QUESTION)
    await happened.wait_for(SpeechStarted)
    await happened.wait_for(SpeechStopped)
    await happened.wait_for(PlayoutStarted)
    for number in range(times):
        await asyncio.sleep(chance.uniform(0.3, 0.7))
        await caller.say(loudest(load_speech(SENTENCES[number % len(SENTENCES)].name), COUGH_S))
        with contextlib.suppress(TimeoutError):  # what is too short even to be noticed
            async with asyncio.timeout(NOTICED_S):
                await happened.wait_for(SpeechStarted)
            await happened.wait_for(SpeechStopped)
    ended = await happened.wait_for(ReplyEnded)
    await happened.wait_for(PlayoutEnded)
    heard = await caller.hang_up()
    await call.wait_ended()
    return heard, ended.line.state


def compare(heard: Heard, frames: Audio) -> Counter[str]:
    """Follow the known frames through all packets; gives how many packets were what, and samples lost and repeated."""
    fading_out = np.linspace(1, 0, FRAME_SAMPLES, dtype=np.float32)
    counts: Counter[str] = Counter()
    due = 0
    for packet in heard.audio:
        expected = frames[due] if due < len(frames) else np.zeros(FRAME_SAMPLES, np.float32)
        if due < len(frames) and _same(packet, expected):
            counts["as they are"] += 1
            due += 1
        elif not np.abs(packet).max() > 0.001:
            counts["silent"] += 1
        elif _same(packet, expected * fading_out):
            counts["fading out"] += 1
        elif _same(packet, expected * fading_out[::-1]):
            counts["fading in"] += 1
            due += 1
        else:
            found = next((number for number, frame in enumerate(frames) if _same(packet, frame)), None)
            if found is None:
                counts["unknown"] += 1
                continue
            counts["samples lost" if found > due else "samples repeated"] += abs(found - due) * FRAME_SAMPLES
            due = found + 1
    counts["samples lost"] += (len(frames) - due) * FRAME_SAMPLES
    return counts


def _same(packet: Audio, frame: Audio) -> bool:
    """Whether two frames differ by no more than steps of G.711."""
    return bool((np.abs(packet - frame) <= 0.001 + 0.07 * np.abs(frame)).all())


async def main(interruptions: int, coughs: int) -> None:
    chance = np.random.default_rng(3)
    speech = np.concatenate([load_speech(sentence.name) for sentence in SENTENCES])
    # No frame is silent, and none like another.
    voice = KnownVoice((speech + chance.normal(0, 0.004, len(speech))).astype(np.float32))
    async with open_desk("wordy") as desk:
        desk.ollama.reply = lambda messages: REPLY
        calls = [interrupt(desk, interruptions // 2, chance) for _ in range(2)]
        found = [each for call in await asyncio.gather(*calls) for each in call]
        desk.ollama.reply = lambda messages: "Listen."
        heard, ending = await cough(desk, voice, coughs, chance)
    print(f"{len(found)} interruptions; milliseconds                    p50    p95  worst")
    for title, values in (
        ("speech confirmed after its first packet", [before for before, _ in found]),
        ("last packet after speech was confirmed", [after for _, after in found]),
    ):
        print(f"  {title:45} {p(values, 50):5.0f}  {p(values, 95):5.0f}  {max(values):5.0f}")
    counts = compare(heard, voice.frames())
    known_s = len(voice.audio) / SAMPLE_RATE_HZ
    print(f"{coughs} coughs, not all noticed, into {known_s:.0f} s of known speech; the reply {ending}:")
    for title in ("fading out", "fading in", "as they are", "unknown"):
        print(f"  packets {title:37} {counts[title]:5}")
    for title in ("samples lost", "samples repeated"):
        print(f"  {title:45} {counts[title]:5}")
    print(f"asked: 150 ms at most, no sample lost; {load_average()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interruptions", type=int, default=20)
    parser.add_argument("--coughs", type=int, default=10)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.interruptions, arguments.coughs))
