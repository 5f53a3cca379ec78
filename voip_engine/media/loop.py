"""The tick: what happens every 20 ms, for all legs, in a fixed order and without ever waiting for anything.

::

    send what the last tick composed ─► empty the sockets ─► hear ─► commands ─► play ─► RTCP, figures ─► pipe
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Final

from voip_engine.codecs.base import AUDIO_RATE_HZ
from voip_engine.media import lane
from voip_engine.media.bank import Bank, Outbox
from voip_engine.media.clock import TickClock
from voip_engine.media.figures import TICKS_A_REPORT, FiguresRounds
from voip_engine.media.leg import Leg
from voip_engine.media.mapping import AddressMapping
from voip_engine.media.protocol import (
    AnyReport,
    ConfigureLeg,
    Figures,
    LegFigures,
    LegMoved,
    MapLeg,
    MoveLeg,
    OpenLeg,
)
from voip_engine.media.sockets import ArrivalClock, PortError, Readiness
from voip_engine.media.tap import MonitorTap
from voip_engine.media.windows import Judge

_DRAIN_ROUNDS: Final = 8
_TICKS_A_SECOND: Final = 50
_TICKS_TO_HASTEN: Final = 2


def _do_nothing() -> None:
    return


class MediaLoop:
    """All legs and the clock that drives them."""

    def __init__(
        self,
        report: Callable[[AnyReport], None],
        *,
        randomness: random.Random,
        judge: Judge | None = None,
        arrivals: ArrivalClock | None = None,
    ) -> None:
        """`judge` tells speech from noise on the legs that ask for it; without one loudness decides.

        `arrivals` says what time it is and when datagrams came, where that is not the machine's own clock.
        """
        self.clock = TickClock()
        self.legs: dict[int, Leg] = {}
        self._report = report
        self._random = randomness
        self._arrivals = arrivals or ArrivalClock()
        self._readiness = Readiness()
        self._banks = {
            rate_hz: Bank(rate_hz, report, self._arrivals, judge) for rate_hz in sorted(set(AUDIO_RATE_HZ.values()))
        }
        self._readiness.lane = self._banks[lane.CLOCK_RATE_HZ].hear_lane
        self._outbox: Outbox = []
        self._frame_number = 0
        self._phases: list[dict[int, Leg]] = [{} for _ in range(_TICKS_A_SECOND)]
        """The legs by the tick of each second in which their slow business is done."""
        self._mapping: dict[int, AddressMapping] = {}
        """The legs whose addresses are being asked for."""
        self._rtcp_due: list[tuple[float, int]] = []
        self._figures = FiguresRounds()
        self._reported_ticks = 0
        self._reported_overruns = 0
        self.monitor = MonitorTap()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to tick for."""
        return not self.legs

    def open(self, command: OpenLeg) -> Leg:
        """Open a leg. Raises PortError."""
        leg = Leg(
            command,
            clock=self._arrivals,
            readiness=self._readiness,
            report=self._report,
            randomness=self._random,
            frame_number=self._frame_number,
        )
        self.legs[leg.leg_id] = self._phases[leg.leg_id % _TICKS_A_SECOND][leg.leg_id] = leg
        first_report_s = self._arrivals.now_s + leg.rtcp.next_interval_s(initial=True)
        heapq.heappush(self._rtcp_due, (first_report_s, leg.leg_id))
        return leg

    def configure(self, command: ConfigureLeg) -> None:
        """Apply a plan to an open leg."""
        leg = self.legs.get(command.leg_id)
        if leg is not None:
            leg.configure(command, self._banks[AUDIO_RATE_HZ[command.plan.send.codec]])

    def move(self, command: MoveLeg) -> LegMoved:
        """Bind a leg anew; a leg that is gone cannot be."""
        leg = self.legs.get(command.leg_id)
        if leg is None:
            return LegMoved(command.leg_id, None, "The call is over.")
        try:
            leg.move(command)
        except PortError as error:
            return LegMoved(command.leg_id, None, str(error))
        self._mapping.pop(command.leg_id, None)
        return LegMoved(command.leg_id, leg.local)

    def map(self, command: MapLeg) -> None:
        """Begin to ask at what addresses an open leg is seen."""
        leg = self.legs.get(command.leg_id)
        if leg is not None:
            self._mapping[command.leg_id] = leg.map(command)

    def close(self, leg_id: int) -> None:
        """Close a leg; what it still had to send is lost with its socket."""
        leg = self.legs.pop(leg_id, None)
        if leg is None:
            return
        del self._phases[leg_id % _TICKS_A_SECOND][leg_id]
        self._mapping.pop(leg_id, None)
        self._figures.forget(leg_id)
        leg.close()

    def close_all(self) -> None:
        """Close every leg, with RTCP BYE each."""
        for leg_id in list(self.legs):
            self.close(leg_id)

    def tick(self, skipped: int, *, figures: bool, take_commands: Callable[[], None] = _do_nothing) -> None:
        """Do one tick; `skipped` frames before it were missed. `figures` says whether the engine keeps up with reading them.

        `take_commands` is called before what goes out next is composed: audio that has just come is not a tick late.
        """
        outbox = self._outbox
        _send_all(outbox)
        for bank in self._banks.values():
            _send_all(bank.speak_lane.mail)
            bank.speak_lane.mail = []
        self.clock.sent()
        outbox.clear()
        for bank in self._banks.values():
            bank.playouts.sent()
        self._frame_number += 1 + skipped
        if skipped:
            for bank in self._banks.values():
                bank.skip(skipped)
        self._arrivals.read()
        self._arrivals.due_s = self._arrivals.now_s
        self._readiness.drain(self._arrivals, _DRAIN_ROUNDS)
        for bank in self._banks.values():
            if bank.seats:
                bank.hear(self._frame_number)
        take_commands()
        for bank in self._banks.values():
            if bank.seats:
                bank.speak(outbox)
        self._after_audio(figures=figures)

    def _after_audio(self, *, figures: bool) -> None:
        self.monitor.feed(self.legs)
        now = self._arrivals.now_s
        while self._rtcp_due and self._rtcp_due[0][0] <= now:
            _, leg_id = heapq.heappop(self._rtcp_due)
            if leg_id in self.legs:
                self.legs[leg_id].send_rtcp()
                heapq.heappush(self._rtcp_due, (now + self.legs[leg_id].rtcp.next_interval_s(), leg_id))
        for leg_id, mapping in list(self._mapping.items()):
            mapped = mapping.advance(now)
            if mapped is not None:
                del self._mapping[leg_id]
                self._report(mapped)
        phase = self.clock.ticks % _TICKS_A_SECOND
        for leg in list(self._phases[phase].values()):
            leg.second(now)
        for bank in self._banks.values():
            for leg_id in bank.slow_legs():
                if leg_id % _TICKS_TO_HASTEN == phase % _TICKS_TO_HASTEN:
                    self.legs[leg_id].hasten()
        if figures:
            self._advance_figures()

    def _advance_figures(self) -> None:
        if self.clock.ticks - self._reported_ticks < TICKS_A_REPORT:
            self._figures.advance()
            return
        done = self._figures.advance()
        if done is not None:
            self.report_figures(done)
            self._figures.begin(self._banks, list(self.legs.values()), self._arrivals.now_s)

    def report_figures(self, legs: tuple[LegFigures, ...] = ()) -> None:
        """Tell of the clock's health, and of the legs given."""
        clock = self.clock
        self._report(
            Figures(
                legs=legs,
                ticks=clock.ticks - self._reported_ticks,
                overruns=clock.overruns - self._reported_overruns,
                lateness_p99_ms=clock.lateness_p99_s() * 1000,
                busy_fraction=clock.busy_fraction(),
                begun_s=self._figures.begun_s,
                unjudged_windows=sum(bank.speech.take_unjudged() for bank in self._banks.values()),
            )
        )
        self._reported_ticks, self._reported_overruns = clock.ticks, clock.overruns


def _send_all(outbox: Outbox) -> None:
    for send, datagram in outbox:
        try:
            send(datagram)
        except OSError:
            continue  # the peer's port is closed, or the buffer is full: a lost packet
