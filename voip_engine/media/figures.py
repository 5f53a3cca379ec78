"""The figures of all legs, ten times a second, gathered over the ticks between so that no tick pays for all of them."""

from __future__ import annotations

from typing import Final

from voip_engine.media.bank import Bank
from voip_engine.media.leg import Leg
from voip_engine.media.protocol import LegFigures
from voip_engine.sdp.plan import HostPort

TICKS_A_REPORT: Final = 5
_SILENT_DBFS: Final = -100.0


def figures_of(leg: Leg, levels: dict[int, tuple[list[float], list[float]]]) -> LegFigures:
    """What is measured on one leg now. `levels` holds those of every row, in and out, by audio rate."""
    inbound, outbound, rtcp, jitter = leg.inbound, leg.outbound, leg.rtcp, leg.jitter
    bank, source, statistics = leg.bank, leg.seat.source, inbound.statistics
    level_in, level_out, speaking = _SILENT_DBFS, _SILENT_DBFS, False
    if bank is not None:
        row = leg.seat.row
        rows_in, rows_out = levels[bank.rate_hz]
        if row < len(rows_in):
            level_in, level_out = rows_in[row], rows_out[row]
        speaking = bank.speaking(leg.seat)
    return LegFigures(
        leg_id=leg.leg_id,
        level_in_dbfs=level_in,
        level_out_dbfs=level_out,
        received_packets=inbound.received_packets,
        sent_packets=outbound.packets,
        lost_packets=inbound.lost_packets,
        loss_fraction=inbound.recent_loss.fraction,
        late_packets=jitter.figures.late,
        duplicate_packets=jitter.figures.duplicate,
        rejected_packets=inbound.rejected_packets,
        concealed_ms=source.concealed_ms if source is not None else 0,
        jitter_ms=statistics.jitter_s * 1000 if statistics is not None else 0.0,
        buffer_ms=jitter.delay_s * 1000,
        round_trip_ms=_ms(rtcp.round_trip_s),
        remote_loss_fraction=rtcp.remote_loss_fraction,
        remote_jitter_ms=_ms(rtcp.remote_jitter_s),
        speaking=speaking,
        playing=leg.playout.audible,
        remote_rtp=HostPort(*inbound.latch.peer) if inbound.latch is not None and inbound.latch.decided else None,
        next_sequence=outbound.sequence,
        next_timestamp=outbound.timestamp,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


class FiguresRound:
    """One report in the making: a share of the legs each tick, all at the end."""

    def __init__(self, banks: dict[int, Bank], legs: list[Leg]) -> None:
        """Take the levels now, and the legs to go through."""
        self._levels = {rate_hz: bank.levels_dbfs() for rate_hz, bank in banks.items()}
        self._legs = legs
        self._share = -(-len(legs) // TICKS_A_REPORT)
        self._done: list[LegFigures] = []

    def advance(self) -> tuple[LegFigures, ...] | None:
        """Do one share; gives all figures after the last one. Legs that were closed meanwhile are left out."""
        share, self._legs = self._legs[: self._share], self._legs[self._share :]
        self._done += [figures_of(leg, self._levels) for leg in share if not leg.closed]
        return None if self._legs else tuple(self._done)
