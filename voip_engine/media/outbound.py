"""The sending half of a leg: RTP headers, packet times, keys."""

from __future__ import annotations

import struct
from typing import Final, cast

import numpy as np

from voip_engine.audio import Audio
from voip_engine.codecs import g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, FrameEncoder, create_encoder
from voip_engine.media.protocol import RtpStart
from voip_engine.media.source import G711
from voip_engine.rtp.dtmf import DtmfSender
from voip_engine.sdp.plan import CodecName, MediaPlan

_HEADER = struct.Struct("!BBHII")
_FIRST_BYTE: Final = 0x80
_MARKER: Final = 0x80


class Outbound:
    """One outbound RTP stream. Fed with one frame each tick, it gives a datagram whenever a packet is full.

    The timestamp advances by every tick, sent or not, so that it stays true to time; the packet after a pause has the marker.
    """

    __slots__ = (
        "_dtmf",
        "_encoder",
        "_event_timestamp",
        "_event_type",
        "_frames_a_packet",
        "_packet_step",
        "_pending",
        "_pending_samples",
        "_step",
        "batched",
        "codec",
        "keying",
        "octets",
        "packets",
        "second_byte",
        "sending",
        "sequence",
        "silence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, start: RtpStart) -> None:
        self.ssrc = start.ssrc
        self.sequence = start.sequence
        self.timestamp = start.timestamp
        self.packets = 0
        self.octets = 0
        self.sending = False
        self.codec: CodecName = "PCMU"
        self.batched = True
        """Whether frames come encoded (G.711, for all legs at once) or as audio."""
        self.keying = False
        """Whether a key takes the place of audio in the next packet; audio that waits is not lost."""
        self._encoder: FrameEncoder | None = None
        self.second_byte = 0
        self._event_type: int | None = None
        self._event_timestamp = 0
        self._step = 160
        self._frames_a_packet = 1
        self._packet_step = 160
        self._pending: list[bytes] = []
        self._pending_samples: list[Audio] = []
        self.silence = b""
        self._dtmf = DtmfSender(8000, 20)

    def configure(self, plan: MediaPlan) -> None:
        """Take a plan; the stream goes on with the same SSRC and sequence.

        Keys that wait go out under the new plan, or once one lets us send again, unless the peer no longer takes them.
        """
        if plan.send.codec != self.codec or self._encoder is None:
            self.close()
            self.codec = plan.send.codec
            self.batched = self.codec in G711
            self._encoder = None if self.batched else create_encoder(self.codec)
        self.silence = bytes([g711.SILENCE[cast(g711.G711Name, self.codec)]]) * 160 if self.batched else b""
        self.second_byte = plan.send.number
        self._event_type = plan.telephone_event_send
        self._step = plan.send.clock_rate_hz // 50
        self._frames_a_packet = max(1, plan.packet_ms // 20)
        self._packet_step = self._step * self._frames_a_packet
        self._dtmf.configure(plan.telephone_event_clock_hz, 20 * self._frames_a_packet)
        if self._event_type is None:
            self._dtmf.clear()
        self._pending.clear()
        self._pending_samples.clear()
        self._between_packets()
        self.sending = plan.direction in ("sendrecv", "sendonly")
        self._mark()

    @property
    def express(self) -> bool:
        """Whether packets are plain 20 ms of G.711, so that all such streams' can be made at once."""
        return self.sending and self.batched and self._frames_a_packet == 1 and not self.keying

    @property
    def whole(self) -> bool:
        """Whether all audio it was given stands in datagrams, none waiting for its packet to be full."""
        return not self._pending and not self._pending_samples

    def close(self) -> None:
        """Give back the encoder's memory."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None

    def _mark(self) -> None:
        self.second_byte |= _MARKER

    def press(self, digit: str, duration_ms: int) -> bool:
        """Queue a key; False if the peer takes no telephone-events or there is no such key."""
        if self._event_type is None:
            return False
        try:
            self._dtmf.press(digit, duration_ms)
        except ValueError:
            return False
        if self.whole:
            self._between_packets()
        return True

    def _between_packets(self) -> None:
        self.keying = self._dtmf.active

    def skip(self, frames: int) -> None:
        """Let the timestamp pass over ticks in which nothing is sent."""
        self.timestamp = self.timestamp + frames * self._step & 0xFFFFFFFF
        self._mark()

    def key_frame(self) -> bytes | None:
        """Give the packet of a key, or None in the pause after it. Lasts a whole packet time."""
        assert self._event_type is not None
        event = self._dtmf.next_packet()
        if event is not None and event.starts:
            self._event_timestamp = self.timestamp  # of all packets of this key, whatever the clock does in between
        self.skip(self._frames_a_packet)
        self._between_packets()
        if event is None:
            return None
        second = self._event_type | (_MARKER if event.starts else 0)
        return self._datagram(second, self._event_timestamp, event.payload)

    def coded_frame(self, payload: bytes | None) -> bytes | None:
        """Take 20 ms of G.711, None being silence; gives a datagram when the packet is full."""
        payload = payload or self.silence
        if self._frames_a_packet > 1:
            self._pending.append(payload)
            if len(self._pending) < self._frames_a_packet:
                return None
            payload = b"".join(self._pending)
            self._pending.clear()
            self._between_packets()
        return self._packet(payload)

    def audio_frame(self, audio: Audio | None) -> bytes | None:
        """Take 20 ms of audio, None being silence; encodes and gives a datagram when the packet is full."""
        assert self._encoder is not None
        if audio is None:
            audio = np.zeros(AUDIO_RATE_HZ[self.codec] // 50, np.float32)
        if self._frames_a_packet > 1:
            self._pending_samples.append(audio)
            if len(self._pending_samples) < self._frames_a_packet:
                return None
            audio = np.concatenate(self._pending_samples)
            self._pending_samples.clear()
            self._between_packets()
        return self._packet(self._encoder.encode(audio))

    def _packet(self, payload: bytes) -> bytes:
        timestamp = self.timestamp
        self.timestamp = timestamp + self._packet_step & 0xFFFFFFFF
        second = self.second_byte
        self.second_byte = second & 0x7F
        return self._datagram(second, timestamp, payload)

    def _datagram(self, second: int, timestamp: int, payload: bytes) -> bytes:
        sequence = self.sequence
        self.sequence = sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)
        return _HEADER.pack(_FIRST_BYTE, second, sequence, timestamp, self.ssrc) + payload
