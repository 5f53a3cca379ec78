"""G.722 at 64 kbit/s through FFmpeg's codec (ITU-T G.722; RFC 3551 §4.5.2): one byte carries two samples at 16 kHz."""

from __future__ import annotations

from typing import Final

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from voip_engine.audio import Audio
from voip_engine.codecs.base import AUDIO_RATE_HZ, CodecError
from voip_engine.codecs.concealment import Concealer

_RATE_HZ: Final = AUDIO_RATE_HZ["G722"]
_FRAME_SAMPLES: Final = _RATE_HZ // 50
_FULL_SCALE = np.float32(32768)


def _open(mode: str) -> AudioCodecContext:
    context = av.CodecContext.create("g722", mode)  # type: ignore[call-overload]
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = _RATE_HZ
    context.layout = "mono"
    if mode == "w":
        context.format = "s16"
    context.open()
    # FFmpeg hands back the options that it did not know instead of refusing them.
    assert not context.options, context.options
    return context


class G722Decoder:
    """Decodes one stream. Payloads may have any length."""

    audio_rate_hz: Final = _RATE_HZ

    def __init__(self) -> None:
        self._context = _open("r")
        self._concealer = Concealer(_RATE_HZ)

    def decode(self, payload: bytes) -> Audio:
        """Decode one packet to two samples a byte. Raises CodecError for an empty one."""
        # FFmpeg takes an empty packet for the end of the stream, and decodes nothing after it.
        if not payload:
            raise CodecError("An empty packet is no G.722")
        try:
            frames = self._context.decode(av.Packet(payload))
        except av.FFmpegError as error:
            raise CodecError(f"G.722 decoder: {error}") from error
        pcm = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return self._concealer.good(pcm.astype(np.float32) / _FULL_SCALE)

    def conceal(self, samples: int) -> Audio:
        """Go on with the last pitch periods, fading to silence."""
        return self._concealer.conceal(samples)

    def recover(self, next_payload: bytes, samples: int) -> Audio:
        """The same as `conceal`: G.722 packets say nothing about the one before."""
        return self._concealer.conceal(samples)

    def close(self) -> None:
        """Forget the stream; FFmpeg's memory goes with the object."""
        self._concealer = Concealer(_RATE_HZ)


class G722Encoder:
    """Encodes one stream."""

    audio_rate_hz: Final = _RATE_HZ

    def __init__(self) -> None:
        self._context = _open("w")
        self._frame = av.AudioFrame(format="s16", layout="mono", samples=_FRAME_SAMPLES)
        self._frame.sample_rate = _RATE_HZ

    def encode(self, audio: Audio) -> bytes:
        """Encode a multiple of 20 ms to 160 bytes each. Raises CodecError for any other length."""
        if not audio.size or audio.size % _FRAME_SAMPLES:
            raise CodecError(f"G.722 packets carry a multiple of {_FRAME_SAMPLES} samples, not {audio.size}")
        pcm = np.clip(np.rint(audio * _FULL_SCALE), -32768, 32767).astype(np.int16)
        payload = b""
        for start in range(0, pcm.size, _FRAME_SAMPLES):
            self._frame.planes[0].update(pcm[start : start + _FRAME_SAMPLES])
            payload += b"".join(bytes(packet) for packet in self._context.encode(self._frame))
        return payload

    def close(self) -> None:
        """Nothing to do: FFmpeg's memory goes with the object."""
