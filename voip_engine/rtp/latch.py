"""Which source a leg listens to and sends to: symmetric RTP (RFC 4961) without letting strangers in (RFC 7362 §2, §4).

A description says where RTP comes from, but behind a NAT it cannot know (RFC 7362 §2). So others may be the peer too, by how
good their claim is:

1. The **signalled** address. It is the peer from its first packet on, for good.
2. A **party**: any port of the signalled host, or of one that has a part in the call's signalling: its SIP comes from there,
   or its Contact or routes name it. A caller behind NAT is one: SIP and RTP leave by the same public address (RFC 4787 §4.1,
   REQ-2). It has to hold for `HOLD_PACKETS` in unbroken sequence.
3. A **stranger**, only where the signalled address cannot reach us by its nature: private, while some of the signalling is
   from the public internet. That is a peer behind NAT whose SIP a server passes on. It has to hold for `STRANGER_PACKETS`.

Whoever has the better claim takes the leg, back if need be, by holding; with an equal one the first keeps it. Anybody else is
never heard: RFC 7362 §5 warns of whoever sends to open ports. That costs the rare carrier its audio that names one public
address, speaks from another host and has no SIP there; such packets are reported. Strangers behind the caller's own NAT are
not told from it. That takes SRTP, where the key tells (see `Latch.judge_authentic`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import Final

from voip_engine.hosts import is_public, literal

HOLD_PACKETS: Final = 5
"""So many packets in unbroken sequence make a source the peer that has a part in the call."""
STRANGER_PACKETS: Final = 50
"""So many make one of a stranger, where strangers may be the peer at all: a second."""
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


class _Claim(IntEnum):
    NONE = 0
    STRANGER = 1
    PARTY = 2
    SIGNALLED = 3


class Latch:
    """Decides for one leg, as long as its signalled address stays, whose packets are heard: see this file's rule."""

    __slots__ = ("_candidates", "_parties", "_signalled", "_strangers", "_strangers_may", "decided", "peer")

    def __init__(self, signalled: Source, known: Source | None = None, parties: Iterable[str] = ()) -> None:
        """`known`: the source that an earlier process had latched onto for the same plan. `parties`: see `take_parties`."""
        self._signalled = _literal(signalled[0]) or signalled[0], signalled[1]
        self.peer = known or self._signalled
        self.decided = known is not None
        self._candidates: dict[Source, tuple[int, int, int]] = {}
        self._strangers: dict[Source, tuple[int, int, int]] = {}
        self.take_parties(parties)

    def take_parties(self, hosts: Iterable[str]) -> None:
        """Learn which hosts have a part in the call's signalling. Names are left out: nobody knows who stands behind them."""
        self._parties = {written for host in hosts if (written := _literal(host))}
        outside = any(is_public(host) for host in self._parties)
        self._strangers_may = outside and not is_public(self._signalled[0])
        self._parties.add(self._signalled[0])

    def judge(self, source: Source, ssrc: int, sequence: int) -> Verdict:
        """Judge a well-formed packet with a payload type of the plan."""
        if source == self.peer:
            self.decided = True
            if source == self._signalled:
                self._forget_candidates()
            return Verdict.ACCEPTED
        claim = self._claim(source)
        if claim is _Claim.NONE or (self.decided and claim <= self._claim(self.peer)):
            return Verdict.FOREIGN
        candidates = self._strangers if claim is _Claim.STRANGER else self._candidates
        known = source in candidates
        held = _hold(candidates, source, ssrc, sequence)
        if held < (STRANGER_PACKETS if claim is _Claim.STRANGER else HOLD_PACKETS):
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
            self._forget_candidates()
            return Verdict.ACCEPTED
        if self.decided and _hold(self._candidates, source, ssrc, sequence) < HOLD_PACKETS:
            return Verdict.ACCEPTED
        self._move(source)
        return Verdict.LATCHED

    def _claim(self, source: Source) -> _Claim:
        if source == self._signalled:
            return _Claim.SIGNALLED
        if source[0] in self._parties:
            return _Claim.PARTY
        return _Claim.STRANGER if self._strangers_may else _Claim.NONE

    def _move(self, source: Source) -> None:
        self.peer = source
        self.decided = True
        self._forget_candidates()

    def _forget_candidates(self) -> None:
        self._candidates.clear()
        self._strangers.clear()


def _hold(candidates: dict[Source, tuple[int, int, int]], source: Source, ssrc: int, sequence: int) -> int:
    """Count a candidate's packets in unbroken sequence."""
    last = candidates.get(source)
    held = last[2] + 1 if last is not None and last[0] == ssrc and last[1] + 1 & 0xFFFF == sequence else 1
    if last is None and len(candidates) == _CANDIDATES:
        del candidates[next(iter(candidates))]  # the oldest: many others must not keep the peer out
    candidates[source] = (ssrc, sequence, held)
    return held


def _literal(host: str) -> str:
    """A host as sockets write it; empty for a name."""
    return str(literal(host.strip("[]")) or "")
