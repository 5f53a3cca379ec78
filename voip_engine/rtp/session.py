"""The RTCP of one call: what we report, and what the peer reports about us (RFC 3550 §6)."""

from __future__ import annotations

import random

from voip_engine.rtp.rtcp import (
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    middle_of_ntp,
    next_interval_s,
    ntp_time,
    parse_compound,
    round_trip_s,
    serialize_compound,
)
from voip_engine.rtp.stats import SourceStatistics


class RtcpSession:
    """Makes our compound packets and reads the peer's. Times are seconds since the epoch, as NTP time needs them."""

    __slots__ = (
        "_cname",
        "_last_sender_report",
        "_last_sender_report_s",
        "_packets_at_report",
        "_random",
        "_ssrc",
        "left",
        "remote_jitter_s",
        "remote_loss_fraction",
        "round_trip_s",
    )

    def __init__(self, ssrc: int, randomness: random.Random) -> None:
        self._ssrc = ssrc
        self._random = randomness
        # A canonical name that says nothing about the machine (RFC 7022 §4.2).
        self._cname = f"{randomness.getrandbits(96):024x}"
        self._last_sender_report = 0
        self._last_sender_report_s = 0.0
        self._packets_at_report = 0
        self.round_trip_s: float | None = None
        self.remote_loss_fraction: float | None = None
        self.remote_jitter_s: float | None = None
        self.left = False
        """Whether the peer has said goodbye."""

    def next_interval_s(self, *, initial: bool = False) -> float:
        """How long to wait before the next report (§6.2)."""
        return next_interval_s(self._random, initial=initial)

    def report(
        self, epoch_s: float, rtp_timestamp: int, packets: int, octets: int, heard: SourceStatistics | None
    ) -> bytes:
        """Make the regular compound packet: a sender report if packets were sent since the last one, else a receiver report."""
        return serialize_compound(self._head(epoch_s, rtp_timestamp, packets, octets, heard))

    def goodbye(
        self, epoch_s: float, rtp_timestamp: int, packets: int, octets: int, heard: SourceStatistics | None
    ) -> bytes:
        """Make the last compound packet, with BYE (§6.6)."""
        head = self._head(epoch_s, rtp_timestamp, packets, octets, heard)
        return serialize_compound([*head, Goodbye((self._ssrc,))])

    def _head(
        self, epoch_s: float, rtp_timestamp: int, packets: int, octets: int, heard: SourceStatistics | None
    ) -> list[RtcpPacket]:
        blocks: tuple[ReportBlock, ...] = ()
        if heard is not None:
            blocks = (heard.report_block(self._last_sender_report, epoch_s - self._last_sender_report_s),)
        report: RtcpPacket = ReceiverReport(self._ssrc, blocks)
        if packets != self._packets_at_report:
            report = SenderReport(self._ssrc, ntp_time(epoch_s), rtp_timestamp, packets, octets, blocks)
            self._packets_at_report = packets
        return [report, SourceDescription(((self._ssrc, self._cname),))]

    def receive(self, data: bytes, epoch_s: float, clock_rate_hz: int) -> None:
        """Read the peer's compound packet that arrived at `epoch_s`. Raises MalformedRtcp."""
        for packet in parse_compound(data):
            match packet:
                case SenderReport():
                    self._last_sender_report = middle_of_ntp(packet.ntp_time)
                    self._last_sender_report_s = epoch_s
                    self._read_blocks(packet.blocks, epoch_s, clock_rate_hz)
                case ReceiverReport():
                    self._read_blocks(packet.blocks, epoch_s, clock_rate_hz)
                case Goodbye():
                    self.left = True
                case SourceDescription():
                    pass

    def _read_blocks(self, blocks: tuple[ReportBlock, ...], epoch_s: float, clock_rate_hz: int) -> None:
        for block in blocks:
            if block.ssrc != self._ssrc:
                continue
            self.remote_loss_fraction = block.fraction_lost / 256
            self.remote_jitter_s = block.jitter / clock_rate_hz
            measured_s = round_trip_s(block, ntp_time(epoch_s))
            if measured_s is not None:
                self.round_trip_s = measured_s
