"""One 20 ms datagram from the media process to the speaker process: both directions of the monitored call.

```
 0                   4         6         8
 | sequence (uint32) | rate_hz | samples | caller int16[samples] | ours int16[samples] |
```
The header is in network order, the samples are little-endian.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_HEADER: Final = struct.Struct("!IHH")
_SAMPLE: Final = np.dtype("<i2")

Pcm = NDArray[np.int16]


class MonitorPacket(NamedTuple):
    """What one datagram says. `caller` and `ours` have the same length, at `rate_hz`."""

    sequence: int
    rate_hz: int
    caller: Pcm
    ours: Pcm


def pack(sequence: int, rate_hz: int, caller: Pcm, ours: Pcm) -> bytes:
    """Build a datagram from two int16 arrays of the same length. `sequence` wraps at 2**32."""
    header = _HEADER.pack(sequence & 0xFFFFFFFF, rate_hz, len(caller))
    return header + caller.astype(_SAMPLE, copy=False).tobytes() + ours.astype(_SAMPLE, copy=False).tobytes()


def unpack(data: bytes) -> MonitorPacket:
    """Read a datagram; raises ValueError when it is not exactly as long as its header says, or has no rate."""
    if len(data) < _HEADER.size:
        raise ValueError(f"{len(data)} bytes are too few for a monitor packet")
    sequence, rate_hz, samples = _HEADER.unpack_from(data)
    if not rate_hz or len(data) != _HEADER.size + 2 * samples * _SAMPLE.itemsize:
        raise ValueError(f"{len(data)} bytes are no monitor packet of {samples} samples at {rate_hz} Hz")
    both = np.frombuffer(data, _SAMPLE, offset=_HEADER.size)
    return MonitorPacket(sequence, rate_hz, both[:samples], both[samples:])
