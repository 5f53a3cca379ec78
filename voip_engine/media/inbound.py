"""The receiving half of a leg: whose packets count, what they are, and into the jitter buffer with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voip_engine.media.sockets import ArrivalClock
from voip_engine.rtp.dtmf import DtmfReceiver, KeyPress, MalformedEvent
from voip_engine.rtp.jitter import JitterBuffer
from voip_engine.rtp.latch import Latch, Source, Verdict
from voip_engine.rtp.packet import MalformedRtp, RtpPacket
from voip_engine.rtp.stats import Arrival, RecentLoss, SourceStatistics
from voip_engine.sdp.plan import MediaPlan, PayloadType

COMFORT_NOISE: Final = 13
_KNOWN_SOURCES: Final = 32

_OPUS_FRAME_MS: Final = (10, 20, 40, 60) * 3 + (10, 20) * 2 + (2.5, 5, 10, 20) * 4


def duration_of(payload_type: PayloadType, payload: bytes) -> int:
    """How long a packet lasts, in its clock's units; 0 for one that cannot be told (RFC 3551 §4.5, RFC 6716 §3)."""
    if payload_type.codec != "opus":
        return len(
            payload
        )  # a byte a sample in G.711; in G.722 two samples a byte, and by an old mistake a clock of half the rate
    if not payload:
        return 0
    code = payload[0] & 3
    count = 1 if code == 0 else 2 if code < 3 else payload[1] & 0x3F if len(payload) > 1 else 0
    return int(_OPUS_FRAME_MS[payload[0] >> 3] * count * payload_type.clock_rate_hz) // 1000


class Inbound:
    """What one leg receives. `rejected` is told of the first malformed or foreign packet of each source, and why."""

    __slots__ = (
        "_clock",
        "_dtmf",
        "_earlier_lost",
        "_earlier_received",
        "_key_pressed",
        "_latched",
        "_new_source",
        "_payload_types",
        "_peer_heard",
        "_probation",
        "_rejected",
        "_reported",
        "_telephone_event",
        "hearing",
        "jitter",
        "last_heard_s",
        "latch",
        "recent_loss",
        "rejected_packets",
        "statistics",
    )

    def __init__(
        self,
        jitter: JitterBuffer,
        clock: ArrivalClock,
        *,
        rejected: Callable[[Source, str], None],
        latched: Callable[[Source], None],
        new_source: Callable[[], None],
        key_pressed: Callable[[KeyPress], None],
    ) -> None:
        self.jitter = jitter
        self.latch: Latch | None = None
        self.statistics: SourceStatistics | None = None
        self.recent_loss = RecentLoss()
        self.hearing = False
        self.rejected_packets = 0
        self.last_heard_s = 0.0
        self._clock = clock
        self._rejected = rejected
        self._latched = latched
        self._new_source = new_source
        self._key_pressed = key_pressed
        self._reported: set[Source] = set()
        self._payload_types: dict[int, PayloadType] = {}
        self._telephone_event: int | None = None
        self._dtmf = DtmfReceiver(8000)
        self._peer_heard = False
        self._probation: tuple[int, int] | None = None
        self._earlier_received = 0
        self._earlier_lost = 0

    def latch_onto(self, signalled: Source, known: Source | None, parties: tuple[str, ...] = ()) -> None:
        """Look for the peer anew, at the signalled address; `known` is where it was already found.

        `parties` are the hosts that have a part in the call's signalling.
        """
        self.latch = Latch(signalled, known, parties)
        self._peer_heard = False
        self._reported.clear()

    def configure(self, plan: MediaPlan) -> None:
        """Take what a plan says about what is received."""
        self._payload_types = {payload_type.number: payload_type for payload_type in plan.receive}
        self._telephone_event = plan.telephone_event_receive
        self._dtmf.set_clock_rate(plan.telephone_event_clock_hz)
        self.hearing = plan.direction in ("sendrecv", "recvonly")

    def disconnect(self) -> None:
        """Let go of everyone who is told of things."""
        self._rejected = self._latched = self._new_source = self._key_pressed = _ignore

    @property
    def settled(self) -> bool:
        """Whether the peer is known and heard, so that only its packets come through its socket and all are wanted."""
        return self.hearing and self._peer_heard

    @property
    def received_packets(self) -> int:
        """Packets of the peer, over all its sources."""
        return self._earlier_received + (self.statistics.received if self.statistics else 0)

    @property
    def lost_packets(self) -> int:
        """Packets that should have come and didn't, over all its sources."""
        return self._earlier_lost + (max(0, self.statistics.lost) if self.statistics else 0)

    # ---- packets -----------------------------------------------------------------------------------------------------

    def receive_from_peer(self, data: bytes, arrived_s: float) -> None:
        """File a datagram of the peer's, whose address was checked; `arrived_s` on `time.monotonic`."""
        try:
            packet = RtpPacket.parse(data)
        except MalformedRtp as error:
            self._reject_peer(f"malformed RTP: {error}")
            return
        self._file(packet, arrived_s)

    def receive(self, data: bytes, source: Source, arrived_s: float) -> None:
        """File a datagram of anybody's."""
        latch = self.latch
        if latch is None:
            return  # nothing is negotiated yet, so nobody can be told from anybody
        if latch.decided and source == latch.peer:
            self.receive_from_peer(data, arrived_s)
            return
        try:
            packet = RtpPacket.parse(data)
        except MalformedRtp as error:
            self.reject(source, f"malformed RTP: {error}")
            return
        if packet.payload_type not in self._payload_types and packet.payload_type != self._telephone_event:
            self.reject(source, f"payload type {packet.payload_type} was not negotiated")
            return
        verdict = latch.judge(source, packet.ssrc, packet.sequence)
        if verdict is Verdict.FOREIGN:
            self.reject(source, "RTP from a source that is not the call's")
        elif verdict is not Verdict.HELD:
            if verdict is Verdict.LATCHED:
                self._latched(source)
            self._file(packet, arrived_s)

    def receive_authentic(self, data: bytes, source: Source, arrived_s: float) -> None:
        """File a datagram that was encrypted with the peer's key, wherever it came from."""
        if self.latch is None:
            return
        try:
            packet = RtpPacket.parse(data)
        except MalformedRtp as error:
            self.reject(source, f"malformed RTP: {error}")
            return
        if self.latch.judge_authentic(source, packet.ssrc, packet.sequence) is Verdict.LATCHED:
            self._latched(source)
        self._file(packet, arrived_s)

    def reject(self, source: Source, reason: str) -> None:
        """Count a packet that is not heard, and report its source the first time."""
        self.rejected_packets += 1
        if source not in self._reported and len(self._reported) < _KNOWN_SOURCES:
            self._reported.add(source)
            self._rejected(source, reason)

    def _reject_peer(self, reason: str) -> None:
        if self.latch is not None:
            self.reject(self.latch.peer, reason)

    def _file(self, packet: RtpPacket, arrived_s: float) -> None:
        number = packet.payload_type
        payload_type = self._payload_types.get(number)
        if payload_type is None and number != self._telephone_event and number != COMFORT_NOISE:
            self._reject_peer(f"payload type {number} was not negotiated")
            return
        statistics = self.statistics
        if statistics is None or statistics.ssrc != packet.ssrc:
            statistics = self._statistics_of(packet.ssrc, packet.sequence)
            if statistics is None:
                return
        arrival = statistics.receive(packet.sequence, packet.timestamp, arrived_s)
        if arrival is Arrival.SUSPECT:
            return
        if arrival is Arrival.RESTARTED:
            self._begin_source()
        if not self._peer_heard and self.latch is not None:
            self._peer_heard = self.latch.decided = True
        if not self.hearing:
            return
        self.last_heard_s = arrived_s
        if payload_type is None:
            if number == self._telephone_event:
                self._receive_event(packet.payload, packet.timestamp, arrived_s)
            return
        duration = duration_of(payload_type, packet.payload)
        if duration == 0:
            return
        if payload_type.clock_rate_hz != self.jitter.clock_rate_hz:
            self.jitter.set_clock_rate(payload_type.clock_rate_hz)
        self.jitter.put(
            packet.sequence, packet.timestamp, number, packet.payload, duration, arrived_s, self._clock.due_s
        )

    def _statistics_of(self, ssrc: int, sequence: int) -> SourceStatistics | None:
        """The figures for a source not seen before: the first at once, a later one from its second packet in sequence (A.1)."""
        if self.statistics is not None:
            expected, self._probation = self._probation, (ssrc, sequence + 1 & 0xFFFF)
            if expected != (ssrc, sequence):
                return None
            self._earlier_received += self.statistics.received
            self._earlier_lost += max(0, self.statistics.lost)
            self._begin_source()
        self.statistics = SourceStatistics(ssrc, sequence, self.jitter.clock_rate_hz)
        return self.statistics

    def _begin_source(self) -> None:
        self._probation = None
        for key in self._dtmf.restart():
            self._key_pressed(key)
        self.jitter.reset()
        self._new_source()

    def _receive_event(self, payload: bytes, timestamp: int, now: float) -> None:
        try:
            pressed = self._dtmf.receive(payload, timestamp, now)
        except MalformedEvent as error:
            self._reject_peer(f"malformed telephone-event: {error}")
            return
        for key in pressed:
            self._key_pressed(key)

    def second(self, now: float) -> None:
        """Do what is done once a second: sample the loss, end a key whose last packets were lost."""
        if self.statistics is not None:
            self.recent_loss.sample(self.statistics.expected, self.statistics.received)
        for key in self._dtmf.expire(now):
            self._key_pressed(key)


def _ignore(*_: object) -> None:
    return
