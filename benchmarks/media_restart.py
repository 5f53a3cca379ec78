"""How long calls are without audio when the media process is killed. Run: python -m benchmarks.media_restart

The caller's engine sends all the time; what is measured is the gap between packets that arrive at it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import statistics

from benchmarks.open_door import OPEN_DOOR
from voip_engine import Engine, EngineSettings
from voip_engine.events import CallAnswered, MediaRestarted
from voip_engine.snapshots import CallState

LISTEN = ("udp:127.0.0.1:0",)
POLL_S = 0.02


async def main(calls: int, kills: int) -> None:
    settings = EngineSettings(listen=LISTEN, auto_answer=True, max_calls=calls, admission=OPEN_DOOR)
    async with Engine(settings) as desk, Engine(EngineSettings(listen=LISTEN, max_calls=calls)) as phones:
        events = phones.events()
        target = f"sip:desk@{desk.snapshot().listening[0].removeprefix('udp:')}"
        for _ in range(calls):
            await phones.dial(target, codecs=("PCMU",))
        answered = 0
        async for event in events:
            answered += isinstance(event, CallAnswered)
            if answered == calls:
                break
        outages, silences = [], []
        for _ in range(kills):
            await asyncio.sleep(3)
            outage_s, silence_s = await _kill(desk, phones)
            outages.append(outage_s)
            silences.append(silence_s)
        up = sum(call.state is CallState.CONNECTED for call in phones.calls.values())
        print(f"{calls} calls, media process killed {kills} times; {up} calls still up")
        print(f"all legs open again after  median {statistics.median(outages):.3f} s, longest {max(outages):.3f} s")
        print(f"every call has audio after median {statistics.median(silences):.3f} s, longest {max(silences):.3f} s")


async def _kill(desk: Engine, phones: Engine) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    events = desk.events()
    assert desk.media_process_id is not None
    os.kill(desk.media_process_id, signal.SIGKILL)
    killed_s = loop.time()
    outage_s = 0.0
    async for event in events:
        if isinstance(event, MediaRestarted):
            outage_s = event.outage_s
            break
    events.close()
    before = {call_id: call.snapshot().media.received_packets for call_id, call in phones.calls.items()}
    while not all(call.snapshot().media.received_packets > before[call_id] for call_id, call in phones.calls.items()):
        await asyncio.sleep(POLL_S)
    return outage_s, loop.time() - killed_s


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--kills", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(main(options.calls, options.kills))
