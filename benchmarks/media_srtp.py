"""What encryption costs: µs a packet each way, and calls that one core of the media process carries encrypted.

    python -m benchmarks.media_srtp
    python -m benchmarks.media_srtp --calls 200 --seconds 5

Carried means what it does in `media_capacity`. Needs Linux and two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import struct
import time

from benchmarks.media_load import LoadResult, find_most, measure, report
from voip_engine.rtp.srtp import SrtpReceiver, SrtpSender
from voip_engine.sdp.crypto import KEY_BYTES
from voip_engine.sdp.plan import SrtpSuite

PACKETS = 20_000
PAYLOAD_BYTES = 160
STEP = 25


def cost_us(suite: SrtpSuite) -> tuple[float, float]:
    """Encrypting and decrypting one packet of 20 ms of G.711, in µs."""
    key = bytes(range(KEY_BYTES[suite]))
    sender, receiver = SrtpSender(suite, key, ssrc=1, next_index=0), SrtpReceiver(suite, key)
    header = struct.Struct("!BBHII")
    plain = [header.pack(0x80, 0, n & 0xFFFF, n * 160, 1) + bytes(PAYLOAD_BYTES) for n in range(PACKETS)]
    began = time.process_time()
    encrypted = [sender.protect(packet) for packet in plain]
    half_way = time.process_time()
    for packet in encrypted:
        receiver.unprotect(packet)
    ended = time.process_time()
    return (half_way - began) / PACKETS * 1e6, (ended - half_way) / PACKETS * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=0, help="measure so many calls instead of looking for the most")
    parser.add_argument("--seconds", type=float, default=10.0)
    arguments = parser.parse_args()
    for suite in KEY_BYTES:
        encrypt_us, decrypt_us = cost_us(suite)
        print(f"{suite:24} {encrypt_us:4.1f} µs to encrypt, {decrypt_us:4.1f} µs to decrypt a packet", flush=True)

    async def carry(calls: int) -> LoadResult:
        return await measure("PCMU", calls, arguments.seconds, encrypted=True)

    if arguments.calls:
        print(report(asyncio.run(carry(arguments.calls))))
        return
    best = asyncio.run(find_most(carry, first=200, step=STEP))
    print("greatest:", report(best) if best is not None else "none")


if __name__ == "__main__":
    main()
