"""From what the media plane measures to what the operator reads."""

from __future__ import annotations

import time

from voip_engine.codecs.base import AUDIO_RATE_HZ
from voip_engine.media.protocol import LegFigures
from voip_engine.sdp.plan import HostPort, MediaPlan
from voip_engine.snapshots import CodecSnapshot, MediaSnapshot

SILENT_AFTER_S = 2.0
"""Packets come fifty times a second, but counters may be half a second old."""


def codec_snapshot(plan: MediaPlan) -> CodecSnapshot:
    """Return the codec that a plan lets us send."""
    return CodecSnapshot(
        name=plan.send.codec,
        payload_type=plan.send.number,
        clock_rate_hz=plan.send.clock_rate_hz,
        audio_rate_hz=AUDIO_RATE_HZ[plan.send.codec],
        packet_ms=plan.packet_ms,
    )


class MediaMeter:
    """What was last measured of one call, and how long nothing has come."""

    def __init__(self) -> None:
        self.snapshot = MediaSnapshot()
        self.remote_rtp: HostPort | None = None
        """Where audio really comes from."""
        self._received_packets: int | None = None
        self._last_packet_s = 0.0

    def measured(self, figures: LegFigures, *, peer_sends: bool) -> None:
        """Take the latest figures; while the other side is not to send, its silence is none."""
        now = time.monotonic()
        if figures.received_packets != self._received_packets or not peer_sends:
            self._last_packet_s = now
        self._received_packets = figures.received_packets
        self.remote_rtp = figures.remote_rtp
        silent_s = now - self._last_packet_s
        self.snapshot = media_snapshot(figures, silent_s if silent_s >= SILENT_AFTER_S else 0.0)


def media_snapshot(figures: LegFigures, silent_s: float) -> MediaSnapshot:
    """Return a leg's figures with fractions as percentages, and how long nothing has come."""
    remote_loss = figures.remote_loss_fraction
    return MediaSnapshot(
        level_in_dbfs=figures.level_in_dbfs,
        level_out_dbfs=figures.level_out_dbfs,
        received_packets=figures.received_packets,
        silent_s=silent_s,
        sent_packets=figures.sent_packets,
        lost_packets=figures.lost_packets,
        loss_percent=100.0 * figures.loss_fraction,
        late_packets=figures.late_packets,
        duplicate_packets=figures.duplicate_packets,
        rejected_packets=figures.rejected_packets,
        concealed_ms=figures.concealed_ms,
        jitter_ms=figures.jitter_ms,
        buffer_ms=figures.buffer_ms,
        round_trip_ms=figures.round_trip_ms,
        remote_loss_percent=None if remote_loss is None else 100.0 * remote_loss,
        remote_jitter_ms=figures.remote_jitter_ms,
        speaking=figures.speaking,
        playing=figures.playing,
    )
