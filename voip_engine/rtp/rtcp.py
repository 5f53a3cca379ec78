"""RTCP: sender and receiver reports, source descriptions and goodbyes as values (RFC 3550 §6)."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from typing import Final

SENDER_REPORT: Final = 200
RECEIVER_REPORT: Final = 201
SOURCE_DESCRIPTION: Final = 202
GOODBYE: Final = 203
CNAME_ITEM: Final = 1

MINIMUM_INTERVAL_S: Final = 5.0
NTP_EPOCH_OFFSET_S: Final = 2_208_988_800
"""Seconds from 1900, where NTP counts from, to 1970."""

_HEADER = struct.Struct("!BBH")
_WORD = struct.Struct("!I")
_SENDER_INFO = struct.Struct("!IIIIII")
_BLOCK = struct.Struct("!IIIIII")


class MalformedRtcp(ValueError):
    """A datagram that is no compound RTCP packet; the message says why."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What one receiver says about one source (§6.4.1).

    `fraction_lost` is in 1/256; `jitter` in the source's timestamp units; `last_sender_report` is the middle of an NTP time
    and `delay_since_last` counts 1/65536 s, both 0 when no sender report came.
    """

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sender_report: int
    delay_since_last: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """A participant that sends RTP (§6.4.1). `ntp_time` is 64-bit fixed point, 32 bits of fraction."""

    ssrc: int
    ntp_time: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """A participant that only listens (§6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """The canonical name of each source (§6.5.1); other items are read over."""

    cnames: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    """Sources that leave (§6.6)."""

    ssrcs: tuple[int, ...]
    reason: str = ""


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Read one RTCP datagram; packets of types that this file doesn't know are skipped, as §6.1 asks.

    Raises MalformedRtcp, and nothing else: for a wrong version, a first packet that is no report, padding anywhere but in
    the last packet, and lengths that don't add up (the checks of A.2).
    """
    if len(data) < 8 or len(data) % 4:
        raise MalformedRtcp(f"{len(data)} bytes are no compound RTCP packet")
    packets: list[RtcpPacket] = []
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data):
            raise MalformedRtcp("an RTCP packet is cut off")
        first, packet_type, words = _HEADER.unpack_from(data, offset)
        end = offset + 4 + 4 * words
        if first >> 6 != 2:
            raise MalformedRtcp(f"RTCP version {first >> 6} instead of 2")
        if end > len(data):
            raise MalformedRtcp("an RTCP packet is longer than its datagram")
        if offset == 0 and packet_type not in (SENDER_REPORT, RECEIVER_REPORT):
            raise MalformedRtcp(f"a compound RTCP packet begins with a report, not with type {packet_type}")
        body = data[offset + 4 : end]
        if first & 0x20:
            if end != len(data):
                raise MalformedRtcp("padding in a packet that is not the last")
            padding = body[-1] if body else 0
            if padding == 0 or padding % 4 or padding > len(body):
                raise MalformedRtcp(f"a padding of {padding} bytes does not fit the packet")
            body = body[:-padding]
        packet = _parse_body(packet_type, first & 0x1F, body)
        if packet is not None:
            packets.append(packet)
        offset = end
    return packets


def _parse_body(packet_type: int, count: int, body: bytes) -> RtcpPacket | None:
    if packet_type == SENDER_REPORT:
        if len(body) < 24:
            raise MalformedRtcp("a sender report is cut off")
        ssrc, ntp_high, ntp_low, timestamp, packets, octets = _SENDER_INFO.unpack_from(body)
        return SenderReport(ssrc, ntp_high << 32 | ntp_low, timestamp, packets, octets, _parse_blocks(count, body[24:]))
    if packet_type == RECEIVER_REPORT:
        if len(body) < 4:
            raise MalformedRtcp("a receiver report is cut off")
        return ReceiverReport(_WORD.unpack_from(body)[0], _parse_blocks(count, body[4:]))
    if packet_type == SOURCE_DESCRIPTION:
        return SourceDescription(_parse_chunks(count, body))
    if packet_type == GOODBYE:
        if len(body) < 4 * count:
            raise MalformedRtcp("a BYE is cut off")
        rest = body[4 * count :]
        if rest and 1 + rest[0] > len(rest):
            raise MalformedRtcp("the reason of a BYE is cut off")
        reason = rest[1 : 1 + rest[0]].decode(errors="replace") if rest else ""
        return Goodbye(struct.unpack_from(f"!{count}I", body), reason)
    return None


def _parse_blocks(count: int, body: bytes) -> tuple[ReportBlock, ...]:
    if len(body) < 24 * count:
        raise MalformedRtcp("a report block is cut off")
    blocks = []
    for index in range(count):
        ssrc, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, 24 * index)
        cumulative = lost & 0xFFFFFF
        if cumulative & 0x800000:  # a signed 24-bit number: duplicates can make it negative
            cumulative -= 1 << 24
        blocks.append(ReportBlock(ssrc, lost >> 24, cumulative, highest, jitter, last, delay))
    return tuple(blocks)


def _parse_chunks(count: int, body: bytes) -> tuple[tuple[int, str], ...]:
    cnames = []
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            raise MalformedRtcp("a source description is cut off")
        ssrc = _WORD.unpack_from(body, offset)[0]
        offset += 4
        while True:
            if offset >= len(body):
                raise MalformedRtcp("a source description has no end")
            kind = body[offset]
            if kind == 0:
                offset += 4 - offset % 4  # the list ends with one to four zero bytes, up to the next word
                break
            if offset + 2 > len(body) or offset + 2 + body[offset + 1] > len(body):
                raise MalformedRtcp("an item of a source description is cut off")
            text = body[offset + 2 : offset + 2 + body[offset + 1]]
            if kind == CNAME_ITEM:
                cnames.append((ssrc, text.decode(errors="replace")))
            offset += 2 + len(text)
    return tuple(cnames)


def serialize_compound(packets: list[RtcpPacket]) -> bytes:
    """Give one datagram. §6.1: a report comes first, and every datagram carries a CNAME; the caller sees to both."""
    return b"".join(_serialize(packet) for packet in packets)


def _serialize(packet: RtcpPacket) -> bytes:
    match packet:
        case SenderReport():
            info = _SENDER_INFO.pack(
                packet.ssrc,
                packet.ntp_time >> 32,
                packet.ntp_time & 0xFFFFFFFF,
                packet.rtp_timestamp,
                packet.packet_count & 0xFFFFFFFF,
                packet.octet_count & 0xFFFFFFFF,
            )
            return _framed(SENDER_REPORT, len(packet.blocks), info + _serialize_blocks(packet.blocks))
        case ReceiverReport():
            return _framed(
                RECEIVER_REPORT, len(packet.blocks), _WORD.pack(packet.ssrc) + _serialize_blocks(packet.blocks)
            )
        case SourceDescription():
            chunks = b""
            for ssrc, cname in packet.cnames:
                text = cname.encode()[:255]
                chunk = _WORD.pack(ssrc) + bytes([CNAME_ITEM, len(text)]) + text
                chunks += chunk + bytes(4 - len(chunk) % 4)
            return _framed(SOURCE_DESCRIPTION, len(packet.cnames), chunks)
        case Goodbye():
            body = struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs)
            if packet.reason:
                reason = packet.reason.encode()[:255]
                body += bytes([len(reason)]) + reason
                body += bytes(-len(body) % 4)
            return _framed(GOODBYE, len(packet.ssrcs), body)


def _serialize_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            block.ssrc,
            block.fraction_lost << 24 | max(-0x800000, min(0x7FFFFF, block.cumulative_lost)) & 0xFFFFFF,
            block.highest_sequence & 0xFFFFFFFF,
            block.jitter & 0xFFFFFFFF,
            block.last_sender_report,
            block.delay_since_last,
        )
        for block in blocks
    )


def _framed(packet_type: int, count: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def next_interval_s(randomness: random.Random, *, initial: bool) -> float:
    """How long to wait before the next report of a two-party session (§6.2, §6.3.1).

    Two participants' reports never reach 5 % of a call's bandwidth, so the interval is the minimum: 5 s, half of it before the
    first report, times a random 0.5–1.5, divided by e − 1.5 to make up for the timer reconsideration that two don't need.
    """
    minimum_s = MINIMUM_INTERVAL_S / 2 if initial else MINIMUM_INTERVAL_S
    return minimum_s * randomness.uniform(0.5, 1.5) / 1.21828


def ntp_time(epoch_s: float) -> int:
    """Seconds since 1970 as a 64-bit NTP time."""
    return round((epoch_s + NTP_EPOCH_OFFSET_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle_of_ntp(ntp: int) -> int:
    """The 32 bits in the middle of an NTP time, which report blocks quote (LSR)."""
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_s(block: ReportBlock, arrived_ntp: int) -> float | None:
    """The round trip that a report block shows (§6.4.1); None when the peer has seen no sender report of ours.

    A negative result, from a peer whose delay is wrong, counts as None too.
    """
    if block.last_sender_report == 0:
        return None
    units = middle_of_ntp(arrived_ntp) - block.last_sender_report - block.delay_since_last & 0xFFFFFFFF
    return None if units >= 1 << 31 else units / 65536
