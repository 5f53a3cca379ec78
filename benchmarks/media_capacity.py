"""How many echo calls one core of the media process carries.

    python -m benchmarks.media_capacity --codec PCMU --calls 800 --seconds 10
    python -m benchmarks.media_capacity --codec opus --find

Carried means: 99 % of packets within 5 ms of the 20 ms grid and none lost. Needs Linux and two cores.
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks.media_load import LoadResult, measure, report
from voip_engine.sdp.plan import CODEC_PREFERENCE, CodecName

_STEPS: dict[CodecName, int] = {"opus": 10, "G722": 20, "PCMA": 50, "PCMU": 50}
_FIRST: dict[CodecName, int] = {"opus": 100, "G722": 200, "PCMA": 800, "PCMU": 800}


async def find(codec: CodecName, seconds: float) -> LoadResult | None:
    """Look for the greatest number of calls carried: up by halves until it fails, then by bisection."""
    step = _STEPS[codec]
    best: LoadResult | None = None
    low, high, calls = 0, 0, _FIRST[codec]
    while not high or high - low > step:
        result = await measure(codec, calls, seconds)
        print(report(result), "" if result.carried else " not carried", flush=True)
        if result.carried:
            best, low = result, calls
        else:
            high = calls
        calls = (low + high) // 2 // step * step if high else calls * 3 // 2 // step * step
        if calls <= low:
            break
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", choices=CODEC_PREFERENCE, default="PCMU")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--find", action="store_true", help="look for the greatest number of calls carried")
    arguments = parser.parse_args()
    if arguments.find:
        best = asyncio.run(find(arguments.codec, arguments.seconds))
        print("greatest:", report(best) if best is not None else "none")
    else:
        print(
            report(asyncio.run(measure(arguments.codec, arguments.calls or _FIRST[arguments.codec], arguments.seconds)))
        )


if __name__ == "__main__":
    main()
