"""The four transaction machines of RFC 3261 §17 as RFC 6026 corrects them, as tables, and the machine that runs them.

A row reads: in this state, on this event, go to that state and do these things in order. A timer among the things to
do is started. A running timer whose new state has no row for it is stopped. What has no row changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial

from voip_engine.sip.timers import Timers

T1_S = 0.5
"""Round-trip estimate (RFC 3261 §17.1.1.1)."""
T2_S = 4.0
"""Longest interval between retransmissions of anything but an INVITE."""
T4_S = 5.0
"""How long the network may hold a message."""


class State(Enum):
    """States of all four machines."""

    IDLE = auto()
    CALLING = auto()
    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Event(Enum):
    """What happens to a machine. Responses come from the network (client) or from the transaction user (server)."""

    START = auto()
    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    REQUEST = auto()
    """The request again: a retransmission."""
    ACK = auto()
    TRANSPORT_ERROR = auto()


class Timer(Enum):
    """Timers by their names in the RFCs; firing is an event of the same name."""

    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_J = auto()
    TIMER_K = auto()
    TIMER_L = auto()
    TIMER_M = auto()


class Action(Enum):
    """What a machine wants done."""

    SEND_REQUEST = auto()
    SEND_ACK = auto()
    SEND_RESPONSE = auto()
    """The response just given, or the last one again."""
    PASS_UP = auto()
    """Tell the transaction user what came."""
    TIME_OUT = auto()
    FAIL = auto()


IDLE, CALLING, TRYING, PROCEEDING = State.IDLE, State.CALLING, State.TRYING, State.PROCEEDING
COMPLETED, CONFIRMED, ACCEPTED, TERMINATED = State.COMPLETED, State.CONFIRMED, State.ACCEPTED, State.TERMINATED
START, PROVISIONAL, SUCCESS, FAILURE = Event.START, Event.PROVISIONAL, Event.SUCCESS, Event.FAILURE
REQUEST, ACK, TRANSPORT_ERROR = Event.REQUEST, Event.ACK, Event.TRANSPORT_ERROR
TIMER_A, TIMER_B, TIMER_D, TIMER_E = Timer.TIMER_A, Timer.TIMER_B, Timer.TIMER_D, Timer.TIMER_E
TIMER_F, TIMER_G, TIMER_H, TIMER_I = Timer.TIMER_F, Timer.TIMER_G, Timer.TIMER_H, Timer.TIMER_I
TIMER_J, TIMER_K, TIMER_L, TIMER_M = Timer.TIMER_J, Timer.TIMER_K, Timer.TIMER_L, Timer.TIMER_M
SEND_REQUEST, SEND_ACK, SEND_RESPONSE = Action.SEND_REQUEST, Action.SEND_ACK, Action.SEND_RESPONSE
PASS_UP, TIME_OUT, FAIL = Action.PASS_UP, Action.TIME_OUT, Action.FAIL

Table = Mapping[tuple[State, Event | Timer], tuple[State, tuple[Action | Timer, ...]]]

INVITE_CLIENT: Table = {  # RFC 3261 §17.1.1, figure 5; RFC 6026 §7.2
    (IDLE, START): (CALLING, (SEND_REQUEST, TIMER_A, TIMER_B)),
    (CALLING, TIMER_A): (CALLING, (SEND_REQUEST, TIMER_A)),
    (CALLING, TIMER_B): (TERMINATED, (TIME_OUT,)),
    (CALLING, TRANSPORT_ERROR): (TERMINATED, (FAIL,)),
    (CALLING, PROVISIONAL): (PROCEEDING, (PASS_UP,)),
    (CALLING, SUCCESS): (ACCEPTED, (PASS_UP, TIMER_M)),
    (CALLING, FAILURE): (COMPLETED, (SEND_ACK, PASS_UP, TIMER_D)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (PASS_UP,)),
    (PROCEEDING, SUCCESS): (ACCEPTED, (PASS_UP, TIMER_M)),
    (PROCEEDING, FAILURE): (COMPLETED, (SEND_ACK, PASS_UP, TIMER_D)),
    # In none of the figures: a connection may be lost while it rings, and the answer come by another (RFC 3261 §18.2.2).
    (PROCEEDING, TRANSPORT_ERROR): (PROCEEDING, (FAIL,)),
    (COMPLETED, FAILURE): (COMPLETED, (SEND_ACK,)),
    (COMPLETED, TRANSPORT_ERROR): (TERMINATED, (FAIL,)),
    (COMPLETED, TIMER_D): (TERMINATED, ()),
    (ACCEPTED, SUCCESS): (ACCEPTED, (PASS_UP,)),
    (ACCEPTED, TIMER_M): (TERMINATED, ()),
}

NON_INVITE_CLIENT: Table = {  # RFC 3261 §17.1.2, figure 6
    (IDLE, START): (TRYING, (SEND_REQUEST, TIMER_E, TIMER_F)),
    (TRYING, TIMER_E): (TRYING, (SEND_REQUEST, TIMER_E)),
    (TRYING, TIMER_F): (TERMINATED, (TIME_OUT,)),
    (TRYING, TRANSPORT_ERROR): (TERMINATED, (FAIL,)),
    (TRYING, PROVISIONAL): (PROCEEDING, (PASS_UP,)),
    (TRYING, SUCCESS): (COMPLETED, (PASS_UP, TIMER_K)),
    (TRYING, FAILURE): (COMPLETED, (PASS_UP, TIMER_K)),
    (PROCEEDING, TIMER_E): (PROCEEDING, (SEND_REQUEST, TIMER_E)),
    (PROCEEDING, TIMER_F): (TERMINATED, (TIME_OUT,)),
    (PROCEEDING, TRANSPORT_ERROR): (TERMINATED, (FAIL,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (PASS_UP,)),
    (PROCEEDING, SUCCESS): (COMPLETED, (PASS_UP, TIMER_K)),
    (PROCEEDING, FAILURE): (COMPLETED, (PASS_UP, TIMER_K)),
    (COMPLETED, TIMER_K): (TERMINATED, ()),
}

INVITE_SERVER: Table = {  # RFC 3261 §17.2.1, figure 7; RFC 6026 §7.1
    (IDLE, START): (PROCEEDING, ()),
    (PROCEEDING, REQUEST): (PROCEEDING, (SEND_RESPONSE,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND_RESPONSE,)),
    (PROCEEDING, SUCCESS): (ACCEPTED, (SEND_RESPONSE, TIMER_L)),
    (PROCEEDING, FAILURE): (COMPLETED, (SEND_RESPONSE, TIMER_G, TIMER_H)),
    (COMPLETED, REQUEST): (COMPLETED, (SEND_RESPONSE,)),
    (COMPLETED, TIMER_G): (COMPLETED, (SEND_RESPONSE, TIMER_G)),
    (COMPLETED, TIMER_H): (TERMINATED, ()),
    (COMPLETED, ACK): (CONFIRMED, (TIMER_I,)),
    (CONFIRMED, TIMER_I): (TERMINATED, ()),
    (ACCEPTED, SUCCESS): (ACCEPTED, (SEND_RESPONSE,)),
    (ACCEPTED, TIMER_L): (TERMINATED, ()),
}

NON_INVITE_SERVER: Table = {  # RFC 3261 §17.2.2, figure 8
    (IDLE, START): (TRYING, ()),
    (TRYING, PROVISIONAL): (PROCEEDING, (SEND_RESPONSE,)),
    (TRYING, SUCCESS): (COMPLETED, (SEND_RESPONSE, TIMER_J)),
    (TRYING, FAILURE): (COMPLETED, (SEND_RESPONSE, TIMER_J)),
    (PROCEEDING, REQUEST): (PROCEEDING, (SEND_RESPONSE,)),
    (PROCEEDING, PROVISIONAL): (PROCEEDING, (SEND_RESPONSE,)),
    (PROCEEDING, SUCCESS): (COMPLETED, (SEND_RESPONSE, TIMER_J)),
    (PROCEEDING, FAILURE): (COMPLETED, (SEND_RESPONSE, TIMER_J)),
    (COMPLETED, REQUEST): (COMPLETED, (SEND_RESPONSE,)),
    (COMPLETED, TIMER_J): (TERMINATED, ()),
}

RETRANSMITTING = frozenset({TIMER_A, TIMER_E, TIMER_G})
"""Never started on a reliable transport (RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1)."""
ABSORBING = {TIMER_D: 64 * T1_S, TIMER_I: T4_S, TIMER_J: 64 * T1_S, TIMER_K: T4_S}
"""Wait for retransmissions; zero on a reliable transport. Timer D is at least 32 s."""


def event_of_status(status: int) -> Event:
    """Return the event that a response with this status is."""
    if status < 200:
        return PROVISIONAL
    return SUCCESS if status < 300 else FAILURE


class Machine:
    """One transaction's state and timers. `perform(action, now)` is called for each action, `ended(now)` at the end."""

    __slots__ = ("_ended", "_intervals_s", "_perform", "_reliable", "_running", "_table", "_timers", "state")

    def __init__(
        self,
        table: Table,
        *,
        reliable: bool,
        timers: Timers,
        perform: Callable[[Action, float], None],
        ended: Callable[[float], None],
    ) -> None:
        self.state = IDLE
        self._table = table
        self._reliable = reliable
        self._timers = timers
        self._perform = perform
        self._ended = ended
        self._running: dict[Timer, int] = {}
        self._intervals_s: dict[Timer, float] = {}

    def handle(self, event: Event | Timer, now: float) -> None:
        """Take the step that the table has for `event`; without a row nothing happens."""
        row = self._table.get((self.state, event))
        if row is None:
            return
        self._enter(row[0])
        for action in row[1]:
            if isinstance(action, Timer):
                self._start(action, now)
            else:
                self._perform(action, now)
        if row[0] is TERMINATED:
            self._finish(now)

    def terminate(self, now: float) -> None:
        """End at once, without telling the transaction user (RFC 3261 §9.1: a cancelled INVITE nobody answers)."""
        if self.state is not TERMINATED:
            self._enter(TERMINATED)
            self._finish(now)

    def _finish(self, now: float) -> None:
        ended = self._ended
        # These lead back here: without them a transaction is given back at once, not when garbage is collected.
        self._perform = self._ended = _ignore
        ended(now)

    def _enter(self, state: State) -> None:
        self.state = state
        for timer in [timer for timer in self._running if (state, timer) not in self._table]:
            self._timers.stop(self._running.pop(timer))

    def _start(self, timer: Timer, now: float) -> None:
        if self._reliable and timer in RETRANSMITTING:
            return
        if (self.state, timer) not in self._table:
            return  # the transaction user ended the transaction while it was told of the event
        delay_s = self._delay_s(timer)
        if delay_s == 0:
            self.handle(timer, now)
        else:
            self._running[timer] = self._timers.start(now + delay_s, partial(self._fire, timer))

    def _fire(self, timer: Timer, now: float) -> None:
        del self._running[timer]
        self.handle(timer, now)

    def _delay_s(self, timer: Timer) -> float:
        if timer in ABSORBING:
            return 0 if self._reliable else ABSORBING[timer]
        if timer not in RETRANSMITTING:
            return 64 * T1_S  # timer_b, timer_f, timer_h, timer_l, timer_m
        if timer is TIMER_E and self.state is PROCEEDING:
            return T2_S
        doubled_s = 2 * self._intervals_s.get(timer, T1_S / 2)
        self._intervals_s[timer] = doubled_s if timer is TIMER_A else min(doubled_s, T2_S)
        return self._intervals_s[timer]


def _ignore(*_: object) -> None:
    """Do nothing: all is over."""
