"""What is said of playouts: only what has been sent counts, so it is told after the sending that follows the composing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from voip_engine.media.outbound import Outbound
from voip_engine.media.playout import Ended, PlayoutQueue, Position
from voip_engine.media.protocol import AnyReport, PlayoutEnded, PlayoutProgress

_TICKS_A_REPORT: Final = 5


@dataclass(slots=True)
class _Followed:
    """One leg's playouts, and what was told of the one that plays."""

    outbound: Outbound
    playout: PlayoutQueue
    playout_id: int | None = None
    sent_samples: int = 0
    sent_s: float = 0.0
    told_samples: int = 0
    told_pause: bool = False
    ticks: int = 0
    ended: list[Ended] = field(default_factory=list)


class PlayoutReports:
    """Progress and ends of the playouts of one bank's legs."""

    def __init__(self, report: Callable[[AnyReport], None]) -> None:
        self._report = report
        self._followed: dict[int, _Followed] = {}

    def follow(self, leg_id: int, outbound: Outbound, playout: PlayoutQueue) -> None:
        """Tell of a leg's playouts from now on; a leg that has nothing more to tell of is forgotten by itself."""
        if leg_id not in self._followed:
            self._followed[leg_id] = _Followed(outbound, playout)

    def ended(self, leg_id: int, outbound: Outbound, playout: PlayoutQueue, ended: Ended) -> None:
        """Note that a playout is over; its last frame may still have to be sent."""
        self.follow(leg_id, outbound, playout)
        self._followed[leg_id].ended.append(ended)

    def forget(self, leg_id: int) -> None:
        """Tell of the ends of a leg that goes."""
        followed = self._followed.pop(leg_id, None)
        if followed is not None:
            for ended in followed.ended:
                self._report(report_of(leg_id, ended))

    def sent(self) -> None:
        """Tell what is true now that all that was composed has been sent."""
        if not self._followed:
            return
        now = time.monotonic()
        for leg_id, followed in list(self._followed.items()):
            followed.ticks += 1
            if not followed.outbound.whole:
                continue  # a part of a packet waits for the rest
            for ended in followed.ended:
                if ended.progress and ended.heard_samples and not self._was_told(followed, ended.playout_id):
                    position = ended.playout_id, ended.heard_samples, ended.rate_hz
                    self._report(PlayoutProgress(leg_id, *position, now))
                self._report(report_of(leg_id, ended))
            followed.ended.clear()
            position_now = followed.playout.position
            if position_now is not None:
                self._advance(leg_id, followed, position_now, now)
            if not followed.playout.reports_progress:
                del self._followed[leg_id]

    def _advance(self, leg_id: int, followed: _Followed, position: Position, now: float) -> None:
        if followed.playout_id != position.playout_id:
            followed.playout_id = position.playout_id
            followed.sent_samples = followed.told_samples = 0
            followed.told_pause = False
        if position.heard_samples > followed.sent_samples:
            followed.sent_samples, followed.sent_s = position.heard_samples, now
        news = followed.sent_samples > followed.told_samples
        due = followed.told_samples == 0 or followed.ticks >= _TICKS_A_REPORT
        pauses = position.paused and not followed.told_pause and followed.sent_samples > 0
        if pauses or (news and due):
            followed.told_samples, followed.ticks = followed.sent_samples, 0
            told = followed.sent_samples, position.rate_hz, followed.sent_s
            self._report(PlayoutProgress(leg_id, position.playout_id, *told))
        followed.told_pause = position.paused

    @staticmethod
    def _was_told(followed: _Followed, playout_id: int) -> bool:
        return followed.playout_id == playout_id and followed.told_samples > 0


def report_of(leg_id: int, ended: Ended) -> PlayoutEnded:
    """Put the end of a playout into a report."""
    return PlayoutEnded(leg_id, ended.playout_id, ended.heard_samples, ended.complete, ended.rate_hz)
