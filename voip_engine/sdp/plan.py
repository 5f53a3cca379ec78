"""What an offer and an answer agreed on, as values that the media plane can act on."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

CodecName = Literal["opus", "G722", "PCMA", "PCMU"]
MediaDirection = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

SrtpPolicy = Literal["off", "offered", "required"]
"""Whether audio is encrypted (SDES, RFC 4568): never, where the other side can, or not at all without."""

SrtpSuite = Literal["AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]

CODEC_PREFERENCE: tuple[CodecName, ...] = ("opus", "G722", "PCMA", "PCMU")


class HostPort(msgspec.Struct, frozen=True):
    """A transport address: a literal IPv4 or IPv6 address without brackets, and a port."""

    host: str
    port: int


class PayloadType(msgspec.Struct, frozen=True):
    """One RTP payload type with its codec (RFC 3551 §6, RFC 8866 §6.6).

    `clock_rate_hz` is the RTP clock: 8000 for G.711 and, by RFC 3551 §4.5.2, for G.722; 48000 for Opus (RFC 7587).
    """

    number: int
    codec: CodecName
    clock_rate_hz: int


class SrtpPlan(msgspec.Struct, frozen=True):
    """How one call's audio is encrypted: a suite, and master key with salt for each direction. `repr` shows no key.

    `receive_mki` is what stands before the tag of every packet that the peer sends (RFC 3711 §3.1); we send none.
    """

    suite: SrtpSuite
    send_key: bytes
    receive_key: bytes
    receive_mki: bytes = b""

    def __repr__(self) -> str:
        return f"SrtpPlan({self.suite})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("suite", self.suite)]


class MediaPlan(msgspec.Struct, frozen=True):
    """All that the media plane must know to carry one call's audio.

    `direction` is seen from our side; where it forbids sending, `remote_rtp` may be the 0.0.0.0 of an old-style hold.
    `receive` holds every payload type that the peer may send; `send` is the one we use.
    """

    remote_rtp: HostPort
    remote_rtcp: HostPort
    send: PayloadType
    receive: tuple[PayloadType, ...]
    direction: MediaDirection = "sendrecv"
    packet_ms: int = 20
    telephone_event_send: int | None = None
    telephone_event_receive: int | None = None
    telephone_event_clock_hz: int = 8000
    """What telephone-event durations count in: the codec's clock, or 8000 Hz beside Opus if the peer knows no other."""
    srtp: SrtpPlan | None = None
    """None for plain RTP."""
    rtcp_mux: bool = False
    """Whether RTCP comes and goes on the RTP ports (RFC 5761)."""
