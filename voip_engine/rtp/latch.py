"""Which source a leg listens to: symmetric RTP without letting strangers in (RFC 4961, RFC 7362 §2)."""

from __future__ import annotations

from enum import Enum
from typing import Final

HOLD_PACKETS: Final = 5
"""So many packets in unbroken sequence make a stranger the peer, if the signalled address has stayed silent."""
_CANDIDATES: Final = 4

Source = tuple[str, int]


class Verdict(Enum):
    """What becomes of a packet."""

    ACCEPTED = "accepted"
    LATCHED = "latched"
    """Accepted, and from now on this source is the peer."""
    HELD = "held"
    """Not heard; the source may still become the peer."""
    FOREIGN = "foreign"


class Latch:
    """Decides for one leg, from one plan on, whose packets are heard.

    The signalled address is the peer from its first packet on. If another source holds for `HOLD_PACKETS` before that, it is
    the peer (a caller behind NAT). Once decided, nothing but a new plan changes it, or a peer that proves by
    its key that it moved.
    """

    __slots__ = ("_candidates", "decided", "peer")

    def __init__(self, signalled: Source, known: Source | None = None) -> None:
        """`known`: the source that an earlier process had latched onto for the same plan."""
        self.peer = known or signalled
        self.decided = known is not None
        self._candidates: dict[Source, tuple[int, int, int]] = {}

    def judge(self, source: Source, ssrc: int, sequence: int) -> Verdict:
        """Judge a well-formed packet with a payload type of the plan."""
        if source == self.peer:
            self.decided = True
            self._candidates.clear()
            return Verdict.ACCEPTED
        if self.decided:
            return Verdict.FOREIGN
        known = source in self._candidates
        held = self._hold(source, ssrc, sequence)
        if held < HOLD_PACKETS:
            return Verdict.HELD if held > 1 or not known else Verdict.FOREIGN
        self._move(source)
        return Verdict.LATCHED

    def judge_authentic(self, source: Source, ssrc: int, sequence: int) -> Verdict:
        """Judge a packet that nobody but the peer can have made, and that was not heard before (SRTP).

        It is heard wherever it comes from. What we send follows it at once as long as the peer's address is not decided, and
        later when it holds: whoever overtakes single packets on their way gets nothing by that.
        """
        if source == self.peer:
            self.decided = True
            self._candidates.clear()
            return Verdict.ACCEPTED
        if self.decided and self._hold(source, ssrc, sequence) < HOLD_PACKETS:
            return Verdict.ACCEPTED
        self._move(source)
        return Verdict.LATCHED

    def _hold(self, source: Source, ssrc: int, sequence: int) -> int:
        """Count a candidate's packets in unbroken sequence."""
        last = self._candidates.get(source)
        held = last[2] + 1 if last is not None and last[0] == ssrc and last[1] + 1 & 0xFFFF == sequence else 1
        if last is None and len(self._candidates) == _CANDIDATES:
            del self._candidates[next(iter(self._candidates))]  # the oldest: many strangers must not keep the peer out
        self._candidates[source] = (ssrc, sequence, held)
        return held

    def _move(self, source: Source) -> None:
        self.peer = source
        self.decided = True
        self._candidates.clear()
