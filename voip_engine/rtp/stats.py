"""What a receiver counts about one RTP source: sequence, loss, jitter (RFC 3550 §6.4.1, A.1, A.3, A.8)."""

from __future__ import annotations

from enum import Enum
from typing import Final

from voip_engine.rtp.rtcp import ReportBlock

MAX_DROPOUT: Final = 3000
MAX_MISORDER: Final = 100
_SEQUENCE_MODULUS: Final = 1 << 16


class Arrival(Enum):
    """What a packet's sequence number says about it."""

    VALID = "valid"
    RESTARTED = "restarted"
    """The source began anew: two packets in a row after a jump."""
    SUSPECT = "suspect"
    """A jump that nothing confirms yet; the packet is not used."""


class SourceStatistics:
    """The figures of one synchronization source, fed with every packet as it arrives.

    The first packet counts at once: whether a source is to be trusted was decided by its address and, for a new SSRC in
    mid-call, by two packets in sequence (A.1's probation, which `Inbound` applies before it makes a new object of this).
    """

    __slots__ = (
        "_bad_sequence",
        "_base",
        "_clock_rate_hz",
        "_cycles",
        "_expected_prior",
        "_highest",
        "_received_prior",
        "jitter",
        "received",
        "ssrc",
        "transit",
    )

    def __init__(self, ssrc: int, sequence: int, clock_rate_hz: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self._clock_rate_hz = clock_rate_hz
        self.jitter = 0.0
        self.transit: float | None = None
        self._restart(sequence)
        self._highest = (sequence - 1) % _SEQUENCE_MODULUS
        if sequence == 0:
            self._cycles = -_SEQUENCE_MODULUS  # the first packet itself wraps

    def _restart(self, sequence: int) -> None:
        self._base = sequence
        self._highest = sequence
        self._cycles = 0
        self._bad_sequence: int | None = None
        self._expected_prior = 0
        self._received_prior = 0
        self.received = 0

    def receive(self, sequence: int, timestamp: int, arrived_s: float) -> Arrival:
        """Count a packet (A.1), and measure its jitter (A.8) from its arrival in seconds on any steady clock."""
        step = sequence - self._highest & 0xFFFF
        verdict = Arrival.VALID
        if step < MAX_DROPOUT:
            if sequence < self._highest:
                self._cycles += _SEQUENCE_MODULUS
            self._highest = sequence
        elif step <= _SEQUENCE_MODULUS - MAX_MISORDER:
            if sequence != self._bad_sequence:
                self._bad_sequence = sequence + 1 & 0xFFFF
                return Arrival.SUSPECT
            self._restart(sequence)
            self.transit = None
            verdict = Arrival.RESTARTED
        self.received += 1
        transit = arrived_s * self._clock_rate_hz - timestamp
        if self.transit is not None:
            difference = abs(transit - self.transit)
            if (
                difference < self._clock_rate_hz
            ):  # more than a second is a jump of the timestamp (or its wrap), not jitter
                self.jitter += (difference - self.jitter) / 16
        self.transit = transit
        return verdict

    def advance(self, packets: int, jitter: float, transit: float) -> None:
        """Count packets that followed in perfect order and were measured elsewhere, in the same way."""
        highest = self.extended_highest + packets
        self._cycles, self._highest = highest & ~0xFFFF, highest & 0xFFFF
        self.received += packets
        self.jitter, self.transit = jitter, transit

    @property
    def extended_highest(self) -> int:
        """The highest sequence number with its cycles (A.1)."""
        return self._cycles + self._highest

    @property
    def expected(self) -> int:
        """Packets that should have come."""
        return self.extended_highest - self._base + 1

    @property
    def lost(self) -> int:
        """Packets expected and not received; duplicates can make it negative (A.3)."""
        return self.expected - self.received

    @property
    def jitter_s(self) -> float:
        """Interarrival jitter in seconds."""
        return self.jitter / self._clock_rate_hz

    def report_block(self, last_sender_report: int, delay_since_last_s: float) -> ReportBlock:
        """Make the block for the next report and begin a new loss interval (A.3)."""
        expected, received = self.expected, self.received
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (received - self._received_prior)
        self._expected_prior, self._received_prior = expected, received
        fraction = (
            0 if expected_interval <= 0 or lost_interval <= 0 else min(255, (lost_interval << 8) // expected_interval)
        )
        return ReportBlock(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            cumulative_lost=expected - received,
            highest_sequence=self.extended_highest & 0xFFFFFFFF,
            jitter=int(self.jitter),
            last_sender_report=last_sender_report,
            delay_since_last=min(0xFFFFFFFF, round(delay_since_last_s * 65536)) if last_sender_report else 0,
        )


class RecentLoss:
    """The fraction of packets lost over the last few seconds, from totals sampled once a second."""

    __slots__ = ("_samples",)

    SECONDS: Final = 5

    def __init__(self) -> None:
        self._samples: list[tuple[int, int]] = []

    def sample(self, expected: int, received: int) -> None:
        """Take the totals; to be called once a second. Totals that shrink (a new source) begin anew."""
        if self._samples and expected < self._samples[-1][0]:
            self._samples.clear()
        self._samples.append((expected, received))
        del self._samples[: -self.SECONDS - 1]

    @property
    def fraction(self) -> float:
        """Lost packets among those expected, 0 to 1."""
        if len(self._samples) < 2:
            return 0.0
        expected = self._samples[-1][0] - self._samples[0][0]
        received = self._samples[-1][1] - self._samples[0][1]
        return max(0.0, min(1.0, (expected - received) / expected)) if expected > 0 else 0.0
