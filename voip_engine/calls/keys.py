"""The keys of one call: pressed in the way that the other side takes, and heard once however often it tells of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal

from voip_engine.calls.call_services import CallIdentity, CallServices
from voip_engine.errors import EngineError
from voip_engine.media.protocol import SendDtmf
from voip_engine.sdp.plan import MediaPlan
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, SessionDigitSent, SessionEnded
from voip_engine.sip.messages.info import KEYS
from voip_engine.sip.sessions.session import SessionStateError

PRESS_MS = 160
TWICE_S = 1.0
"""Phones that tell of a key by INFO and as a telephone-event do so within this time."""
REMEMBERED = 32

KeyWay = Literal["event", "info"]
"""As a telephone-event (RFC 4733), or by INFO."""


class HeardKeys:
    """Tells keys that come both ways from keys that were pressed twice. `now` in seconds on any clock."""

    def __init__(self) -> None:
        self._alone: deque[tuple[str, KeyWay, float]] = deque(maxlen=REMEMBERED)

    def is_new(self, key: str, way: KeyWay, now: float, lasted_s: float = 0.0) -> bool:
        """Whether this is a key of its own, and not one that was heard the other way a moment ago.

        One way may tell of a key when it goes down, the other when it comes up, after `lasted_s`.
        """
        for each in self._alone:
            known, other_way, at = each
            if known == key and other_way != way and now - at <= TWICE_S + lasted_s:
                self._alone.remove(each)
                return False
        self._alone.append((key, way, now))
        return True


class CallKeys:
    """Presses keys: the media process as telephone-events, the SIP core by INFO."""

    def __init__(self, services: CallServices, identity: CallIdentity) -> None:
        self._signalling = services.signalling
        self._plane = services.plane
        self._leg_id = identity.number
        self._session = identity.session
        self._policy = services.dtmf(identity.account)
        self._heard = HeardKeys()
        self._one_at_a_time = asyncio.Lock()
        self._answer: asyncio.Future[int] | None = None
        self._ended = False

    async def send(self, digits: str, plan: MediaPlan | None) -> None:
        """Press keys one after the other; by INFO, each is answered before the next goes out. Raises EngineError.

        Telephone-events need a plan that lets us send; those that still wait when another one forbids it wait for the next.
        """
        keys = digits.upper()
        if wrong := sorted({key for key in keys if key not in KEYS}):
            raise EngineError(f"There is no key {' '.join(wrong)} on a telephone; there are 0-9, *, # and A-D.")
        if self._way(plan is not None and plan.telephone_event_send is not None) == "event":
            if plan is None or plan.direction not in ("sendrecv", "sendonly"):
                raise EngineError(
                    "The other side is holding the call and takes no keys now; press them when it is back."
                )
            for key in keys:
                self._plane.send(SendDtmf(self._leg_id, key))
            return
        async with self._one_at_a_time:
            for key in keys:
                await self._send_info(key)

    def heard(self, key: str, way: KeyWay, duration_ms: int) -> bool:
        """Take a key of the other side; False if it was heard already."""
        return self._heard.is_new(key, way, self._signalling.now, duration_ms / 1000)

    def apply(self, effect: Effect) -> None:
        """Follow what the SIP core says of the call."""
        self._ended = self._ended or isinstance(effect, SessionEnded)
        if self._answer is not None and not self._answer.done():
            if isinstance(effect, SessionDigitSent):
                self._answer.set_result(effect.status)
            elif isinstance(effect, SessionEnded):
                self._answer.set_result(481)

    def _way(self, takes_events: bool) -> KeyWay:
        takes_info = self._core.features.takes_info(self._session)
        if takes_events and self._policy != "info":
            return "event"
        if takes_info and self._policy != "rfc4733":
            return "info"
        if self._policy == "info":
            raise EngineError("The other side takes no keys by INFO; set dtmf of the account to auto.")
        if self._policy == "rfc4733" and takes_info:
            raise EngineError("The other side takes no telephone-events; with dtmf = auto keys are sent by INFO then.")
        raise EngineError("The other side takes no telephone-events.")

    async def _send_info(self, key: str) -> None:
        if self._ended:  # between two keys, or while this one waited for its turn: nothing would be told any more
            raise EngineError(f"The call ended before the key {key} was pressed.")
        try:
            wanted = self._core.features.press(self._session, key, PRESS_MS, self._signalling.now)
        except SessionStateError as error:
            raise EngineError(str(error)) from error
        self._answer = asyncio.get_running_loop().create_future()
        self._signalling.perform(wanted)
        status = await self._answer
        if status >= 300:
            raise EngineError(f"The other side did not take the key {key} by INFO ({status}).")

    @property
    def _core(self) -> SipCore:
        return self._signalling.core
