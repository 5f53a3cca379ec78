"""How both ends of a call make sure that the other is still there (RFC 4028), whichever of them refreshes.

```
ask ─► INVITE, UPDATE ─► take_success ─┐
                                       ├─► half the interval: on_refresh (ours)   nearly all of it: on_expired
their INVITE, UPDATE ─► answer ────────┘
```
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from voip_engine.sip.messages.extension_headers import Refresher, SessionExpires, lists, read_min_se
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.timers import Timers

SHORTEST_S = 90
"""The least that anybody may demand (RFC 4028 §5), and the least that is kept to: less would be a flood of refreshes."""
MAX_RAISES = 4
"""How often a request is sent again with a longer interval."""
RETRY_S = 4.0
"""When a refresh that was refused for now is tried again, at the earliest."""


class SessionTimer:
    """One session's timer. `wanted_s` is the interval we ask for, 0 for none; theirs is kept to all the same."""

    def __init__(
        self,
        timers: Timers,
        random: Random,
        wanted_s: int,
        *,
        on_refresh: Callable[[float], None],
        on_expired: Callable[[float], None],
    ) -> None:
        self._timers = timers
        self._random = random
        self._wanted_s = wanted_s
        self._on_refresh = on_refresh
        self._on_expired = on_expired
        self._min_se = SHORTEST_S
        self._raises = 0
        self._terms: SessionExpires | None = None
        self._ours = False
        self._refresh = 0
        self._due = False
        self._expiry = 0
        self._expires_at = 0.0

    # ---- our requests ----

    def ask(self, request: Request) -> None:
        """Put into an INVITE or UPDATE of ours what we want (§7.1), or how things stand (§7.4)."""
        interval_s = self._terms.interval_s if self._terms else self._wanted_s
        if not interval_s:
            return
        # Whoever refreshes now goes on doing so. uac is whoever sends the request at hand.
        refresher: Refresher | None = None if self._terms is None else "uac" if self._ours else "uas"
        request.headers.set("Session-Expires", str(SessionExpires(max(interval_s, self._min_se), refresher)))
        if self._min_se > SHORTEST_S:
            request.headers.set("Min-SE", str(self._min_se))

    def amended(self, request: Request, response: Response, cseq: int) -> Request | None:
        """Return the request with the interval that a 422 demands (§7.3), None where that does not help."""
        demanded = read_min_se(response.headers)
        if response.status != 422 or demanded <= self._min_se or self._raises >= MAX_RAISES:
            return None
        self._raises += 1
        self._min_se = demanded
        again = Request(request.method, request.uri, request.headers.copy(), request.body)
        again.headers.set("CSeq", f"{cseq} {request.method}")
        self.ask(again)
        return again

    def take_success(self, response: Response, now: float) -> None:
        """Take the 2xx to an INVITE or UPDATE of ours; without Session-Expires the session has no end (§7.2)."""
        try:
            terms = SessionExpires.read(response.headers)
        except MalformedHeader:
            terms = None
        if terms is None:
            self.stop()
        else:
            self._start(terms, ours=terms.refresher != "uas", now=now)

    def refused(self, now: float) -> None:
        """Take word that a request which refreshes was refused for now: if a refresh is due, try again while there is time."""
        left_s = self._expires_at - now
        if self._due and left_s > RETRY_S:
            self._timers.stop(self._refresh)
            self._refresh = self._timers.start(now + max(RETRY_S / 2, left_s / 2), self._fall_due)

    # ---- their requests ----

    def answer(self, request: Request, response: Response, now: float) -> None:
        """Put into our 2xx to an INVITE or UPDATE what holds from now on (§9, table 2)."""
        try:
            asked = SessionExpires.read(request.headers)
        except MalformedHeader:
            asked = None
        self._min_se = max(self._min_se, read_min_se(request.headers))
        supported = lists(request.headers, "Supported", "timer")
        if asked is None and not (supported and self._wanted_s):
            self.stop()
            return
        refresher: Refresher = "uas"  # who did not ask is not made to refresh
        interval_s = max(self._wanted_s, self._min_se)
        if asked is not None:
            refresher = (asked.refresher or "uac") if supported else "uas"
            interval_s = max(min(asked.interval_s, interval_s if self._wanted_s else asked.interval_s), SHORTEST_S)
        terms = SessionExpires(interval_s, refresher)
        response.headers.set("Session-Expires", str(terms))
        if refresher == "uac":
            response.headers.add("Require", "timer")
        self._start(terms, ours=refresher == "uas", now=now)

    # ---- time ----

    def stop(self) -> None:
        """Let the session go on for ever, or end."""
        self._terms = None
        self._due = False
        self._timers.stop(self._refresh)
        self._timers.stop(self._expiry)

    def close(self) -> None:
        """End with the session, and let go of it."""
        self.stop()
        self._on_refresh = self._on_expired = _ignore

    def _start(self, terms: SessionExpires, *, ours: bool, now: float) -> None:
        self.stop()
        interval_s = max(terms.interval_s, SHORTEST_S)
        self._terms, self._ours = SessionExpires(interval_s, terms.refresher), ours
        self._expires_at = now + interval_s - min(32.0, interval_s / 3)
        self._expiry = self._timers.start(self._expires_at, self._expire)
        if ours:
            # A little early or late, so that calls that began together don't refresh together.
            self._refresh = self._timers.start(now + interval_s / 2 * self._random.uniform(0.95, 1.0), self._fall_due)

    def _fall_due(self, now: float) -> None:
        self._due = True
        self._on_refresh(now)

    def _expire(self, now: float) -> None:
        self.stop()
        self._on_expired(now)


def _ignore(now: float) -> None:
    """The session is over."""
