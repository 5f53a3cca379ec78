"""How many echo calls one core of the media process carries.

    python -m benchmarks.media_capacity --codec PCMU --calls 800 --seconds 10
    python -m benchmarks.media_capacity --codec opus --find

Carried means: 99 % of packets within 5 ms of the 20 ms grid and none lost. Needs Linux and two cores.
"""

from __future__ import annotations

import argparse
import asyncio

from benchmarks.media_load import find_most, measure, report
from voip_engine.sdp.plan import CODEC_PREFERENCE, CodecName

_STEPS: dict[CodecName, int] = {"opus": 10, "G722": 20, "PCMA": 50, "PCMU": 50}
_FIRST: dict[CodecName, int] = {"opus": 100, "G722": 200, "PCMA": 800, "PCMU": 800}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", choices=CODEC_PREFERENCE, default="PCMU")
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--find", action="store_true", help="look for the greatest number of calls carried")
    arguments = parser.parse_args()
    if arguments.find:
        codec = arguments.codec
        best = asyncio.run(
            find_most(lambda calls: measure(codec, calls, arguments.seconds), first=_FIRST[codec], step=_STEPS[codec])
        )
        print("greatest:", report(best) if best is not None else "none")
    else:
        print(
            report(asyncio.run(measure(arguments.codec, arguments.calls or _FIRST[arguments.codec], arguments.seconds)))
        )


if __name__ == "__main__":
    main()
