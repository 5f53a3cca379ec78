"""How many calls may be placed, and for how long: counters over the calls we place, with the clock as an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voip_engine.network_settings import DiallingSettings

HOUR_S = 3_600.0
DAY_S = 86_400.0
_SLOT_S = 60.0
_SPENT_S = 0.001
"""What is left of a day's minutes and no longer worth a timer."""


@dataclass(slots=True)
class _Placed:
    answered_at: float | None = None
    before_s: float = 0.0
    """What the call whose place this one has used up of `minutes_per_call`."""


class DialLimits:
    """Counts the calls we place. Times are seconds on the caller's clock, which must not run backwards.

    An hour and a day are the last 3,600 and 86,400 s. A call's minutes run from its answer; those of a call that is over count
    until a day after its end. Memory does not grow with the number of calls.
    """

    def __init__(self, settings: DiallingSettings) -> None:
        self._settings = settings
        self._live: dict[str, _Placed] = {}
        self._placed_at: deque[float] = deque(maxlen=settings.calls_per_hour or 1)
        self._spent: deque[tuple[float, float]] = deque()
        """When a slot of a minute began, and the seconds of the calls that ended in it."""

    def refusal(self, now: float, *, sent_on: bool = False) -> str | None:
        """Return in plain words why no call may be placed now, None if one may.

        One that is `sent_on` is up already, so that it adds none to `calls_at_once`.
        """
        settings = self._settings
        if settings.calls_at_once and not sent_on and len(self._live) >= settings.calls_at_once:
            return f"{len(self._live)} placed calls are up, and calls_at_once of [dialling] allows no more."
        placed = self._placed_at
        if settings.calls_per_hour and len(placed) == settings.calls_per_hour and now - placed[0] < HOUR_S:
            wait_min = max(1, round((placed[0] + HOUR_S - now) / 60))
            return (
                f"Calls and transfers within an hour: {len(placed)}, and calls_per_hour of [dialling] allows no more. "
                f"The next may begin in {wait_min} min."
            )
        if settings.minutes_per_day and self._left_s(now) <= _SPENT_S:
            return self._day_reason
        return None

    def placed(self, call: str, now: float) -> None:
        """Count a call that goes out."""
        self._live[call] = _Placed()
        self._placed_at.append(now)

    def sent_on(self, now: float) -> None:
        """Count a call that goes out once more, to somebody else, or one that the other side of a call places for us."""
        self._placed_at.append(now)

    def takes_over(self, call: str, place_of: str, now: float) -> None:
        """Count a call that comes in to take the place of another one, if that one counts, and its minutes with it."""
        if (placed := self._live.get(place_of)) is not None:
            lasted_s = 0.0 if placed.answered_at is None else now - placed.answered_at
            self._live[call] = _Placed(before_s=placed.before_s + lasted_s)

    def answered(self, call: str, now: float) -> None:
        """Let a call's minutes run. One that is not ours, or whose minutes run already, is no error."""
        if (placed := self._live.get(call)) is not None and placed.answered_at is None:
            placed.answered_at = now

    def ended(self, call: str, now: float) -> None:
        """Take a call out; one that is not ours is no error."""
        placed = self._live.pop(call, None)
        if placed is None or placed.answered_at is None or not self._settings.minutes_per_day:
            return
        slot = now // _SLOT_S * _SLOT_S
        spent_s = now - placed.answered_at
        if self._spent and self._spent[-1][0] == slot:
            spent_s += self._spent.pop()[1]
        self._spent.append((slot, spent_s))

    def overdue(self, now: float) -> list[tuple[str, str]]:
        """Return the calls that have to end now, each with the reason in plain words."""
        talking = self._talking()
        if self._settings.minutes_per_day and talking and self._left_s(now) <= _SPENT_S:
            return [(call, self._day_reason) for call in talking]
        if not self._settings.minutes_per_call:
            return []
        limit_s = self._settings.minutes_per_call * 60
        reason = f"The call lasted {self._settings.minutes_per_call:g} min, and minutes_per_call of [dialling] allows no more."
        return [(call, reason) for call, began_at in self._limited(talking) if now - began_at >= limit_s]

    def next_deadline(self, now: float) -> float | None:
        """Return when `overdue` has to be asked next, None while nothing can become overdue."""
        talking = self._talking()
        deadlines = []
        if talking and self._settings.minutes_per_call:
            first = min(began_at for _, began_at in self._limited(talking))
            deadlines.append(first + self._settings.minutes_per_call * 60)
        if talking and self._settings.minutes_per_day:
            # What left the last day meanwhile only puts it off.
            deadlines.append(now + max(0.0, self._left_s(now)) / len(talking))
        return min(deadlines, default=None)

    def _talking(self) -> dict[str, float]:
        """When each call was answered that is up."""
        return {call: placed.answered_at for call, placed in self._live.items() if placed.answered_at is not None}

    def _limited(self, talking: dict[str, float]) -> list[tuple[str, float]]:
        """When the minutes of each call began to run."""
        return [(call, answered_at - self._live[call].before_s) for call, answered_at in talking.items()]

    def _left_s(self, now: float) -> float:
        """Return what is left of the day's minutes, in seconds."""
        while self._spent and self._spent[0][0] + _SLOT_S <= now - DAY_S:
            self._spent.popleft()
        running_s = sum(now - answered_at for answered_at in self._talking().values())
        return self._settings.minutes_per_day * 60 - running_s - sum(seconds for _, seconds in self._spent)

    @property
    def _day_reason(self) -> str:
        return f"The {self._settings.minutes_per_day:g} min that minutes_per_day of [dialling] allows are used up."
