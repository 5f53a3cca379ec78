"""RTP data packets (RFC 3550 §5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

RTP_VERSION: Final = 2
HEADER_BYTES: Final = 12

_HEADER = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")


class MalformedRtp(ValueError):
    """A datagram that is no RTP packet; the message says why."""


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """The one header extension a packet may have (§5.3.1). `data` is a whole number of 32-bit words."""

    profile: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet. `timestamp` counts in the payload type's clock; `payload` has no padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrcs: tuple[int, ...] = ()
    extension: HeaderExtension | None = None

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one datagram. Raises MalformedRtp, and nothing else, whatever the bytes are."""
        if len(data) < HEADER_BYTES:
            raise MalformedRtp(f"{len(data)} bytes are too few for an RTP header")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        if first >> 6 != RTP_VERSION:
            raise MalformedRtp(f"RTP version {first >> 6} instead of 2")
        start = HEADER_BYTES + 4 * (first & 0x0F)
        if start > len(data):
            raise MalformedRtp("the list of contributing sources is cut off")
        csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, HEADER_BYTES)
        extension = None
        if first & 0x10:
            if start + 4 > len(data):
                raise MalformedRtp("the header extension is cut off")
            profile, words = _EXTENSION.unpack_from(data, start)
            end_of_extension = start + 4 + 4 * words
            if end_of_extension > len(data):
                raise MalformedRtp("the header extension is cut off")
            extension = HeaderExtension(profile, data[start + 4 : end_of_extension])
            start = end_of_extension
        end = len(data)
        if first & 0x20:
            padding = data[-1]
            if padding == 0 or start + padding > end:
                raise MalformedRtp(f"a padding of {padding} bytes does not fit the packet")
            end -= padding
        return cls(second & 0x7F, sequence, timestamp, ssrc, data[start:end], second >= 0x80, csrcs, extension)

    def serialize(self, padding: int = 0) -> bytes:
        """Give the datagram; `padding` (0–255) bytes of padding are appended."""
        first = RTP_VERSION << 6 | len(self.csrcs) | (0x20 if padding else 0) | (0x10 if self.extension else 0)
        second = self.payload_type | (0x80 if self.marker else 0)
        parts = [
            _HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc),
            struct.pack(f"!{len(self.csrcs)}I", *self.csrcs),
        ]
        if self.extension is not None:
            parts += [_EXTENSION.pack(self.extension.profile, len(self.extension.data) // 4), self.extension.data]
        parts.append(self.payload)
        if padding:
            parts.append(bytes(padding - 1) + bytes([padding]))
        return b"".join(parts)


def looks_like_rtcp(data: bytes) -> bool:
    """Whether a datagram is RTCP that arrived on the RTP port (RFC 5761 §4 tells them apart by the second byte)."""
    return len(data) >= 2 and data[0] >> 6 == RTP_VERSION and 192 <= data[1] <= 223
