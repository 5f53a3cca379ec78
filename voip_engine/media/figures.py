"""The figures of all legs, ten times a second, gathered over the ticks between so that no tick pays for all of them.

What a meter shows is read anew each time; counters, which nobody watches that closely, twice a second.
"""

from __future__ import annotations

from typing import Any, Final

from voip_engine.media.bank import Bank, BankFigures
from voip_engine.media.leg import Leg
from voip_engine.media.protocol import LegFigures
from voip_engine.sdp.plan import HostPort

TICKS_A_REPORT: Final = 5
_ROUNDS_A_COUNT: Final = 5
_SILENT_DBFS: Final = -100.0

Counters = tuple[int, int, int, float, int, int, int, int, float, float, float | None, float | None, float | None]


def counters_of(leg: Leg) -> Counters:
    """What is counted on one leg: `LegFigures` from `received_packets` to `remote_jitter_ms`."""
    if leg.bank is not None:
        leg.bank.settle(leg.seat)
    inbound, rtcp, jitter = leg.inbound, leg.rtcp, leg.jitter
    source, statistics = leg.seat.source, inbound.statistics
    return (
        inbound.received_packets,
        leg.outbound.packets,
        inbound.lost_packets,
        inbound.recent_loss.fraction,
        jitter.figures.late,
        jitter.figures.duplicate,
        inbound.rejected_packets,
        source.concealed_ms if source is not None else 0,
        statistics.jitter_s * 1000 if statistics is not None else 0.0,
        jitter.delay_s * 1000,
        _ms(rtcp.round_trip_s),
        rtcp.remote_loss_fraction,
        _ms(rtcp.remote_jitter_s),
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


class FiguresRounds:
    """One report after the other in the making: a share of the legs each tick, all at the end."""

    def __init__(self) -> None:
        self._round = 0
        self._waiting: list[Leg] = []
        self._share = 0
        self._banks: dict[int, BankFigures] = {}
        self._done: list[LegFigures] = []
        self.begun_s = 0.0
        """When the round in the making began, on `time.monotonic`."""
        self._counters: dict[int, tuple[Counters, HostPort | None]] = {}

    def begin(self, banks: dict[int, Bank], legs: list[Leg], now: float) -> None:
        """Begin a round with the levels as they are now."""
        self._round += 1
        self.begun_s = now
        self._banks = {rate_hz: bank.figures() for rate_hz, bank in banks.items()}
        self._waiting = legs
        self._share = -(-len(legs) // TICKS_A_REPORT)
        self._done = []

    def advance(self) -> tuple[LegFigures, ...] | None:
        """Do one share; gives all figures once all are done. Legs that were closed meanwhile are left out."""
        share, self._waiting = self._waiting[: self._share], self._waiting[self._share :]
        self._done += [self._figures_of(leg) for leg in share if not leg.closed]
        return None if self._waiting else tuple(self._done)

    def forget(self, leg_id: int) -> None:
        """Drop what is remembered of a leg."""
        self._counters.pop(leg_id, None)

    def _figures_of(self, leg: Leg) -> LegFigures:
        leg_id, row = leg.leg_id, leg.seat.row
        counted = self._counters.get(leg_id)
        if counted is None or (leg_id + self._round) % _ROUNDS_A_COUNT == 0:
            latch = leg.inbound.latch
            peer = HostPort(*latch.peer) if latch is not None and latch.decided else None
            counted = self._counters[leg_id] = counters_of(leg), peer
        counters, peer = counted
        bank = self._banks[leg.bank.rate_hz] if leg.bank is not None else None
        sequence, timestamp = leg.outbound.sequence, leg.outbound.timestamp
        if bank is None or not 0 <= row < len(bank.levels_in):  # no plan yet, or seated after the round began
            levels = _SILENT_DBFS, _SILENT_DBFS
            speaking = False
        else:
            levels = bank.levels_in[row], bank.levels_out[row]
            speaking = bank.speaking[row]
            sequence, timestamp = bank.next_packets.get(row, (sequence, timestamp))
        mark = leg.encryption.mark
        values: tuple[Any, ...] = (
            *(leg_id, *levels, *counters, speaking, leg.playout.audible),
            *(peer, sequence, timestamp, mark),
        )
        return LegFigures(*values)
