"""Callers that keep talking, in a process of their own: `python -m benchmarks.console_callers --target URI --calls N`."""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from voip_engine import Engine, EngineSettings, VoiceLeg
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.demo.speech import load_speech

SPEECH = ("ben_coffee", "ben_saturday", "mia_echo", "mia_later", "olga_piano", "victor_rain")
CALLS_A_SECOND = 20


class Talker:
    """Says something, waits about as long for the echo, and says it again."""

    name = "talker"

    async def run(self, leg: VoiceLeg) -> None:
        source = random.Random(leg.call_id)
        speech = load_speech(source.choice(SPEECH))
        await asyncio.sleep(source.uniform(0, 3))
        while True:
            await leg.play(speech)
            await asyncio.sleep(0.5 + len(speech) / SAMPLE_RATE_HZ)


async def _call(target: str, calls: int) -> None:
    settings = EngineSettings(listen=("udp:127.0.0.1:0",), codecs=("PCMU",), max_calls=calls)
    async with Engine(settings, modes={"talker": Talker}) as engine:
        for number in range(calls):
            await engine.dial(target, mode="talker", caller=f'"Caller {number + 1}" <sip:{number + 1}@load.invalid>')
            await asyncio.sleep(1 / CALLS_A_SECOND)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def callers(target: str, calls: int) -> Iterator[None]:
    """Calls while the block runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.console_callers", "--target", target, "--calls", str(calls)],
        stdin=subprocess.PIPE,
    )
    try:
        yield
    finally:
        process.communicate(timeout=20)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--calls", type=int, required=True)
    options = parser.parse_args()
    asyncio.run(_call(options.target, options.calls))
