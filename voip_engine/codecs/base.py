"""What the stateful codecs have in common, and where they come from."""

from __future__ import annotations

from typing import Final, Protocol

from voip_engine.audio import Audio
from voip_engine.sdp.plan import CodecName

AUDIO_RATE_HZ: Final[dict[CodecName, int]] = {"opus": 16_000, "G722": 16_000, "PCMA": 8_000, "PCMU": 8_000}
"""The rate at which the media plane holds a leg's audio. The RTP clock may differ (see `PayloadType`)."""


class CodecError(ValueError):
    """A payload that is no packet of its codec, or audio of a length that the codec cannot carry."""


class FrameDecoder(Protocol):
    """Turns the payloads of one RTP stream into audio; keeps state from packet to packet."""

    @property
    def audio_rate_hz(self) -> int:
        """The rate of what `decode` returns."""
        ...

    def decode(self, payload: bytes) -> Audio:
        """Decode one packet of any length. Raises CodecError for an empty or malformed one."""
        ...

    def conceal(self, samples: int) -> Audio:
        """Make up `samples` of audio for a lost packet; silence after some 60 ms of loss."""
        ...

    def recover(self, next_payload: bytes, samples: int) -> Audio:
        """Make up for a lost packet with the help of the one after it, which is decoded afterwards as usual."""
        ...

    def close(self) -> None:
        """Give back native memory. The decoder must not be used afterwards."""
        ...


class FrameEncoder(Protocol):
    """Turns audio into the payloads of one RTP stream; keeps state from packet to packet."""

    @property
    def audio_rate_hz(self) -> int:
        """The rate that `encode` expects."""
        ...

    def encode(self, audio: Audio) -> bytes:
        """Encode one packet of 20 ms or a small multiple of it. Raises CodecError for any other length."""
        ...

    def close(self) -> None:
        """Give back native memory. The encoder must not be used afterwards."""
        ...


def create_decoder(codec: CodecName) -> FrameDecoder:
    """Give a fresh decoder for one stream of Opus or G.722.

    Raises CodecError for G.711, which has no state and is decoded for all legs at once by `g711.decode`.
    """
    # Imported here: libopus and PyAV are loaded by the processes that use them, not by whoever reads a table above.
    if codec == "opus":
        from voip_engine.codecs.opus import OpusDecoder

        return OpusDecoder()
    if codec == "G722":
        from voip_engine.codecs.g722 import G722Decoder

        return G722Decoder()
    raise CodecError(f"{codec} has no state; use voip_engine.codecs.g711")


def create_encoder(codec: CodecName) -> FrameEncoder:
    """Give a fresh encoder for one stream of Opus or G.722; raises CodecError for G.711, as `create_decoder` does."""
    if codec == "opus":
        from voip_engine.codecs.opus import OpusEncoder

        return OpusEncoder()
    if codec == "G722":
        from voip_engine.codecs.g722 import G722Encoder

        return G722Encoder()
    raise CodecError(f"{codec} has no state; use voip_engine.codecs.g711")
