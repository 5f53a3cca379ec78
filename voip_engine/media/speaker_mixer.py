"""From monitor packets to what a sound card plays: order, rate, layout, volume. No sockets, no clock, no sound card."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from voip_engine.media.monitor_packet import MonitorPacket
from voip_engine.media.speaker_protocol import Layout

Stereo = NDArray[np.float32]
"""Shape (samples, 2): left, right."""

START_S: Final = 0.06
"""What is collected before playing begins, and again after running dry: enough for a late packet or two."""
LONGEST_S: Final = 0.25
"""What may wait at most. Beyond it the oldest is dropped down to `START_S`: what is heard stays live."""
SOURCE_SILENT_S: Final = 0.25
"""How long a source must be silent before another one is listened to."""


class Mixer:
    """One thread feeds packets, the sound card's thread reads. Both directions are one stereo stream."""

    def __init__(self, rate_hz: int, volume: float, layout: Layout) -> None:
        self.volume = volume
        self.layout = layout
        self._rate_hz = rate_hz
        self._lock = threading.Lock()
        self._waiting: Stereo = np.zeros((0, 2), np.float32)
        self._collecting = True
        self._applied_volume = volume
        self._resampler: av.AudioResampler | None = None
        self._packet_rate_hz = 0
        self._source: Hashable = None
        self._heard_at_s = 0.0
        self._next_sequence: int | None = None

    def feed(self, packet: MonitorPacket, source: Hashable, now: float) -> bool:
        """Take a packet that arrived at `now` seconds. False: ignored, being foreign or late."""
        if source != self._source:
            if self._source is not None and now - self._heard_at_s < SOURCE_SILENT_S:
                return False
            # The media process was replaced, or another call is listened to.
            self._source = source
            self._next_sequence = None
        self._heard_at_s = now
        if self._next_sequence is not None and 0 < (self._next_sequence - packet.sequence) & 0xFFFFFFFF < 50:
            return False
        self._next_sequence = packet.sequence + 1 & 0xFFFFFFFF
        audio = self._at_card_rate(packet)
        with self._lock:
            self._waiting = np.concatenate((self._waiting, audio))
            if len(self._waiting) > LONGEST_S * self._rate_hz:
                self._waiting = self._waiting[-round(START_S * self._rate_hz) :]
            if len(self._waiting) >= START_S * self._rate_hz:
                self._collecting = False
        return True

    def read(self, samples: int) -> Stereo:
        """Give the next `samples` for the card, shape (samples, 2); silence where nothing has come."""
        output: Stereo = np.zeros((samples, 2), np.float32)
        with self._lock:
            if not self._collecting:
                taken = self._waiting[:samples]
                self._waiting = self._waiting[samples:]
                output[: len(taken)] = taken
                self._collecting = len(taken) < samples
        if self.layout == "mixed":
            output[:] = output.sum(axis=1, keepdims=True)
        # A volume that moves within a block cannot be heard as a click.
        output *= np.linspace(self._applied_volume, self.volume, samples, dtype=np.float32)[:, np.newaxis]
        self._applied_volume = self.volume
        return np.clip(output, -1, 1, out=output)

    def _at_card_rate(self, packet: MonitorPacket) -> Stereo:
        if self._resampler is None or packet.rate_hz != self._packet_rate_hz:
            self._resampler = av.AudioResampler(format="flt", layout="stereo", rate=self._rate_hz)
            self._packet_rate_hz = packet.rate_hz
        both = np.column_stack((packet.caller, packet.ours)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
        frame.sample_rate = packet.rate_hz
        pieces = [piece.to_ndarray().reshape(-1, 2) for piece in self._resampler.resample(frame)]
        return np.concatenate(pieces) if pieces else np.zeros((0, 2), np.float32)
