"""The adaptive jitter buffer: packets in as they come, one packet or one gap out each time audio is due.

::

    timestamps  ──────[ taken ]──┬──[ ]──[ ]──[  ]──[ ]──► newest
                                 cursor (next to be taken)

Everything is steered by one measure, the *slack* of each arriving packet: how long before it is due it arrived. The least
slack of the last seconds says how much the delay could shrink; a packet with negative slack is late, and if nothing but
made-up audio was played in its stead, the cursor goes back to it: the delay grows at once by what was missing. Delay is
given back one frame at a time, after seconds of more slack than needed. A clock that drifts shows as slack that creeps,
so the same rule absorbs it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

FRAME_S: Final = 0.02
LEAST_SLACK_S: Final = 0.004
MOST_SLACK_S: Final = LEAST_SLACK_S + FRAME_S + 0.006
"""The least slack is kept between these two; they are a frame and some hysteresis apart, as a frame is the step."""
LONGEST_DELAY_S: Final = 0.3
_RESYNC_S: Final = 1.0
_BLOCK_S: Final = 1.0
_BLOCKS: Final = 6
_PATIENCE_BLOCKS: Final = 3
_NO_SLACK_S: Final = 1e9
_HISTORY: Final = 512
_HISTORY_TAKEN_BACK: Final = 32
"""Duplicates are known as such that far back after a loan; older ones count as late."""

_WRAP = 1 << 32
_HALF = 1 << 31


class Filed(Enum):
    """What became of an arriving packet."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    LATE = "late"


Due = tuple[int, bytes, int, int]
"""A packet whose audio is due: payload type, payload, duration in timestamp units, sequence number extended past its wraps.

A plain tuple: one is made for every packet of every call, and a named one costs ten times as much.
"""


@dataclass(slots=True)
class JitterFigures:
    """Counters of one buffer."""

    late: int = 0
    duplicate: int = 0
    discarded: int = 0
    """Packets thrown away to keep the delay bounded."""
    stretched: int = 0
    """Frames inserted to gain delay before a packet was late."""
    shortened: int = 0
    """Frames removed to give delay back."""


class JitterBuffer:
    """Orders one source's packets and decides when each is played. Never gives a packet twice or out of sequence.

    `take` is called whenever audio runs out, normally every 20 ms; the caller says with each packet when the next take is due.
    """

    __slots__ = (
        "_block",
        "_block_age",
        "_block_low_s",
        "_blocks",
        "_cursor",
        "_frame",
        "_highest_sequence",
        "_history",
        "_lent",
        "_missing",
        "_packets",
        "_surplus_blocks",
        "_taken_sequence",
        "clock_rate_hz",
        "figures",
        "gap",
        "held_back",
        "scarce",
        "surplus",
    )

    def __init__(self, clock_rate_hz: int) -> None:
        self.clock_rate_hz = clock_rate_hz
        self._frame = round(clock_rate_hz * FRAME_S)
        self._block = round(clock_rate_hz * _BLOCK_S)
        self._packets: dict[int, Due] = {}
        self._history = [-1] * _HISTORY
        self._cursor: int | None = None
        self._lent = 0
        self._highest_sequence = -1
        self._taken_sequence = -1
        self._missing = 0
        self.figures = JitterFigures()
        self.gap = self._frame
        """Timestamp units to make up after a `take` that gave None; a frame or less."""
        self.held_back = 0
        """Timestamp units that were taken and not played yet; set by the caller when its frames and the packets differ."""
        self.surplus = False
        """A frame of delay can be given back: take two packets where one is due, `shortened` says it was done."""
        self.scarce = False
        """The next packets may come late: make up a frame instead of taking one, `stretched` says it was done."""
        self._forget_slack()

    def _forget_slack(self) -> None:
        self._block_low_s = _NO_SLACK_S
        self._blocks: deque[float] = deque(maxlen=_BLOCKS)
        self._block_age = 0
        self._surplus_blocks = 0
        self.surplus = self.scarce = False

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def delay_s(self) -> float:
        """Audio that waits: from the cursor to the end of the newest packet, and what was taken and not played."""
        if self._cursor is None or not self._packets:
            return (self.held_back + self._lent) / self.clock_rate_hz
        newest = max(self._packets)
        return (newest + self._packets[newest][2] - self._cursor + self.held_back) / self.clock_rate_hz

    @property
    def missing(self) -> bool:
        """Whether the gap that `take` has just told of is one in a stream that has begun."""
        return self._missing > 0

    def set_clock_rate(self, clock_rate_hz: int) -> None:
        """Go on with a payload type of another clock; what waited is dropped, its timestamps mean nothing any more."""
        self.clock_rate_hz = clock_rate_hz
        self._frame = round(clock_rate_hz * FRAME_S)
        self._block = round(clock_rate_hz * _BLOCK_S)
        self.gap = self._frame
        self.held_back = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stream, for a new source; the counters stay."""
        self._packets.clear()
        self._history = [-1] * _HISTORY
        self._cursor = None
        self._lent = 0
        self._highest_sequence = self._taken_sequence = -1
        self._missing = 0
        self._forget_slack()

    # ---- in ----------------------------------------------------------------------------------------------------------

    def put(
        self,
        sequence: int,
        timestamp: int,
        payload_type: int,
        payload: bytes,
        duration: int,
        arrived_s: float,
        due_s: float,
    ) -> Filed:
        """File a packet that arrived at `arrived_s`, while the next take is due at `due_s` (seconds on one steady clock)."""
        cursor = self._cursor
        if cursor is None:
            return self._begin(sequence, timestamp, payload_type, payload, duration, due_s - arrived_s)
        highest = self._highest_sequence
        extended = highest + ((sequence - highest + 0x8000 & 0xFFFF) - 0x8000)
        history = self._history
        slot = extended % _HISTORY
        if history[slot] == extended:
            self.figures.duplicate += 1
            return Filed.DUPLICATE
        ahead = (timestamp - cursor + _HALF & _WRAP - 1) - _HALF
        if extended > highest:
            self._highest_sequence = extended
        if ahead < 0:
            if not self._may_rewind(extended, -ahead, extended > highest):
                self.figures.late += 1
                return Filed.LATE
            cursor += ahead
            ahead = 0
            self._rewind(cursor)
        elif ahead > LONGEST_DELAY_S * self.clock_rate_hz:
            position = cursor + ahead
            cursor = self._bound_delay(cursor, position)
            ahead = position - cursor
        position = cursor + ahead
        if extended <= self._taken_sequence or position in self._packets:
            self.figures.late += 1
            return Filed.LATE
        history[slot] = extended
        self._packets[position] = (payload_type, payload, duration, extended)
        slack_s = (ahead + self.held_back) / self.clock_rate_hz + due_s - arrived_s
        if slack_s < self._block_low_s:
            self._block_low_s = slack_s
            if slack_s < LEAST_SLACK_S:
                self.scarce = True
        return Filed.KEPT

    def _begin(
        self, sequence: int, timestamp: int, payload_type: int, payload: bytes, duration: int, wait_s: float
    ) -> Filed:
        # The stream starts with as much delay as a steady line may ever have, so that no drift ends with more.
        frames = 0
        while wait_s + frames * FRAME_S < MOST_SLACK_S:
            frames += 1
        extended = sequence + (1 << 16)  # one cycle in, so that a packet from before the first is no negative number
        self._cursor = timestamp - frames * self._frame
        self._highest_sequence = extended
        self._history[extended % _HISTORY] = extended
        self._packets[timestamp] = (payload_type, payload, duration, extended)
        self._block_low_s = min(self._block_low_s, wait_s + frames * FRAME_S)
        self._missing = -frames * self._frame
        return Filed.KEPT

    def _may_rewind(self, extended: int, behind: int, newest: bool) -> bool:
        """Whether a packet from before the cursor is still to be played: only if nothing real was played after it.

        The newest packet of all with a timestamp that was played already means that the sender's timestamps jumped.
        """
        return extended > self._taken_sequence and (behind <= self._missing or newest)

    def _rewind(self, position: int) -> None:
        self._cursor = position
        self._missing = 0
        # Anything older than this cannot be; anything newer stays due. The slack seen so far was measured with less delay.
        self._forget_slack()

    def _bound_delay(self, cursor: int, position: int) -> int:
        """Let go of the oldest packets, so that the newest waits no longer than allowed; gives the new cursor."""
        longest = round(LONGEST_DELAY_S / FRAME_S) * self._frame
        jumped = position - cursor > _RESYNC_S * self.clock_rate_hz
        self._cursor = cursor = position - (2 * self._frame if jumped else longest)
        for timestamp in [timestamp for timestamp in self._packets if timestamp < cursor]:
            del self._packets[timestamp]
            self.figures.discarded += 1
        self._forget_slack()
        return cursor

    # ---- out ---------------------------------------------------------------------------------------------------------

    def take(self) -> Due | None:
        """Give the packet whose audio is due; None when it isn't there, and `gap` timestamp units are to be made up."""
        cursor = self._cursor
        if cursor is None:
            self.gap = self._frame
            return None
        due = self._packets.pop(cursor, None)
        if due is None or due[3] <= self._taken_sequence:
            self._skip(cursor)
            return None
        _, _, duration, self._taken_sequence = due
        self._cursor = cursor + duration
        self._missing = 0
        self._block_age += duration
        if self._block_age >= self._block:
            self.close_block()
        return due

    def peek(self) -> Due | None:
        """The packet right behind the gap that `take` has just told of, if it is here: its redundancy may mend the gap."""
        return None if self._cursor is None else self._packets.get(self._cursor)

    def _skip(self, cursor: int) -> None:
        """Move the cursor over a gap: a frame, or less up to the next packet."""
        packets = self._packets
        self.gap = self._frame
        if packets:
            # What the cursor has passed, or what an earlier timestamp but a later sequence number has overtaken, is gone.
            for timestamp in [at for at, due in packets.items() if at < cursor or due[3] <= self._taken_sequence]:
                del packets[timestamp]
                self.figures.discarded += 1
            if packets:
                self.gap = min(self._frame, max(1, min(packets) - cursor))
        self._cursor = cursor + self.gap
        self._missing += self.gap
        self._block_age += self.gap
        if self._block_age >= self._block:
            self.close_block()

    # ---- lending ---------------------------------------------------------------------------------------------------

    def lend(self, payload_type: int, duration: int, most: int) -> tuple[list[bytes], int] | None:
        """Hand an orderly stream over to someone who plays it packet by packet; None if it is anything but orderly.

        Gives the payloads that wait and the timestamp after them. Until `take_back`, nothing is put here or taken.
        """
        position = self._cursor
        if position is None or self._missing or self.scarce or self.held_back:
            return None
        if len(self._packets) > most or self._highest_sequence != self._taken_sequence + len(self._packets):
            return None
        payloads = []
        for sequence in range(self._taken_sequence + 1, self._highest_sequence + 1):
            number, payload, lasts, its_sequence = self._packets.get(position, (-1, b"", 0, -1))
            if (number, lasts, its_sequence) != (payload_type, duration, sequence):
                return None
            payloads.append(payload)
            position += duration
        self._packets.clear()
        self._lent = len(payloads) * duration
        return payloads, position

    def played_elsewhere(self, taken: int, waiting: int, duration: int, least_slack_s: float) -> None:
        """Note how a lent stream went on: packets taken since the last call, those that wait, and their least slack."""
        if self._cursor is not None:
            self._cursor += taken * duration
        self._taken_sequence += taken
        self._highest_sequence = self._taken_sequence + waiting
        self._lent = waiting * duration
        self._block_low_s = min(self._block_low_s, least_slack_s)

    def take_back(self, payload_type: int, payloads: list[bytes], duration: int) -> None:
        """Go on with a lent stream and the packets that wait, after a last `played_elsewhere`."""
        self._lent = 0
        if self._cursor is None:
            return
        for index, payload in enumerate(payloads):
            sequence = self._taken_sequence + 1 + index
            self._packets[self._cursor + index * duration] = (payload_type, payload, duration, sequence)
        for sequence in range(max(0, self._highest_sequence - _HISTORY_TAKEN_BACK), self._highest_sequence + 1):
            self._history[sequence % _HISTORY] = sequence

    @property
    def overdue(self) -> bool:
        """Whether the surplus has waited for a quiet moment long enough."""
        return self._surplus_blocks > _PATIENCE_BLOCKS

    # ---- steering ----------------------------------------------------------------------------------------------------

    def shortened(self) -> None:
        """The caller removed a frame: everything waits that much less."""
        self.figures.shortened += 1
        self._shift_slack(-FRAME_S)

    def stretched(self) -> None:
        """The caller inserted a frame: everything waits that much longer."""
        self.figures.stretched += 1
        self._shift_slack(FRAME_S)

    def _shift_slack(self, by_s: float) -> None:
        self.surplus = self.scarce = False
        if self._block_low_s < _NO_SLACK_S:
            self._block_low_s += by_s
        self._blocks = deque((low + by_s for low in self._blocks), maxlen=_BLOCKS)

    def close_block(self) -> None:
        """Every second: remember its least slack, and see whether all of the last seconds had more than is needed."""
        self._block_age = 0
        if self._block_low_s < _NO_SLACK_S:
            self._blocks.append(self._block_low_s)
            self._block_low_s = _NO_SLACK_S
        self.scarce = False
        self.surplus = len(self._blocks) == _BLOCKS and min(self._blocks) > MOST_SLACK_S
        self._surplus_blocks = self._surplus_blocks + 1 if self.surplus else 0
