"""G.711: µ-law and A-law, as look-ups over whole matrices of samples (ITU-T G.711; RFC 3551 §4.5.14).

One call serves all legs: hand in a matrix (legs, samples), get the same shape back.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio

G711Name = Literal["PCMA", "PCMU"]

SILENCE: Final[dict[G711Name, int]] = {"PCMA": 0xD5, "PCMU": 0xFF}
"""The code for the smallest positive sample of each law."""

_MULAW_BIAS = 33  # on the 14-bit scale of ITU-T G.711, table 2


def _decode_mulaw() -> NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, mantissa = (codes >> 4) & 7, codes & 15
    magnitude = (((2 * mantissa + _MULAW_BIAS) << exponent) - _MULAW_BIAS) * 4
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def _encode_mulaw() -> NDArray[np.uint8]:
    samples = np.arange(-32768, 32768, dtype=np.int32)
    # Negative samples by ones' complement, as in the ITU's own software tool library (G.191): a sample on a
    # decision value goes up on both sides of zero.
    magnitude = np.minimum((np.where(samples < 0, ~samples, samples) >> 2) + _MULAW_BIAS, 0x1FFF)
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    mantissa = (magnitude >> (exponent + 1)) & 15
    code: NDArray[np.int32] = (exponent << 4) | mantissa | np.where(samples < 0, 0x80, 0)
    return (~code & 0xFF).astype(np.uint8)


def _decode_alaw() -> NDArray[np.int16]:
    codes = np.arange(256, dtype=np.int32) ^ 0x55
    exponent, mantissa = (codes >> 4) & 7, codes & 15
    magnitude = np.where(exponent == 0, 2 * mantissa + 1, (2 * mantissa + 33) << np.maximum(exponent - 1, 0)) * 8
    return np.where(codes & 0x80, magnitude, -magnitude).astype(np.int16)


def _encode_alaw() -> NDArray[np.uint8]:
    samples = np.arange(-32768, 32768, dtype=np.int32)
    magnitude = np.where(samples < 0, ~samples, samples) >> 4
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 3, 0)
    mantissa = (magnitude >> np.maximum(exponent - 1, 0)) & 15
    code: NDArray[np.int32] = (exponent << 4) | mantissa | np.where(samples < 0, 0, 0x80)
    return (code ^ 0x55).astype(np.uint8)


_FULL_SCALE = np.float32(32768)
_TO_INDEX = np.float32(32768.5)  # moves -32768 to index 0 and, with the truncating cast behind it, rounds to nearest
_DECODE: Final[dict[G711Name, Audio]] = {
    "PCMA": _decode_alaw().astype(np.float32) / _FULL_SCALE,
    "PCMU": _decode_mulaw().astype(np.float32) / _FULL_SCALE,
}
_ENCODE: Final[dict[G711Name, NDArray[np.uint8]]] = {"PCMA": _encode_alaw(), "PCMU": _encode_mulaw()}


def decode(codec: G711Name, codes: NDArray[np.uint8]) -> Audio:
    """Decode codes of any shape to float32 samples in [-1, 1] of the same shape, 8 kHz."""
    # mode="clip" spares the bounds check; 8-bit codes cannot leave a table of 256.
    return _DECODE[codec].take(codes, mode="clip")


def encode(codec: G711Name, audio: Audio) -> NDArray[np.uint8]:
    """Encode float32 samples of any shape, 8 kHz, to codes of the same shape. What exceeds [-1, 1] is clipped."""
    index = audio * _FULL_SCALE
    index += _TO_INDEX
    return _ENCODE[codec].take(index.astype(np.intp), mode="clip")
