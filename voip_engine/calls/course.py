"""Where one call stands between its first message and its end, and what is told of that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from voip_engine.errors import EngineError
from voip_engine.events import AnyEvent, CallAnswered, CallEnded, CallRinging
from voip_engine.sip.plain_words import HUNG_UP_THERE, sentence
from voip_engine.snapshots import CallDirection, CallState, CodecSnapshot, SecuritySnapshot


class CallCourse:
    """The state of one call with the times of its changes, in seconds since the epoch. It only goes forward, unless the call is
    sent elsewhere before it is answered.
    """

    def __init__(self, call_id: str, direction: CallDirection, publish: Callable[[AnyEvent], None]) -> None:
        self._call_id = call_id
        self._publish = publish
        self.state = CallState.INCOMING if direction is CallDirection.INBOUND else CallState.CALLING
        self.created_at = time.time()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.end_status: int | None = None
        self.end_reason = ""
        self._goes_over = ""
        self._early_media = False

    @property
    def incoming(self) -> bool:
        """Whether the call waits for our answer."""
        return self.state is CallState.INCOMING

    @property
    def placed(self) -> bool:
        """Whether the call waits for an answer of the other side."""
        return self.state in (CallState.CALLING, CallState.RINGING)

    @property
    def connected(self) -> bool:
        """Whether the call is up."""
        return self.state is CallState.CONNECTED

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return self.state is CallState.ENDED

    @property
    def early_media(self) -> bool:
        """Whether something is heard already while it rings."""
        return self._early_media and self.state is CallState.RINGING

    def rang(self, status: int, *, early_media: bool) -> None:
        """Note a provisional response to our INVITE; told are the first one and those that bring media."""
        self._early_media = self._early_media or early_media
        if self.state is CallState.CALLING or early_media:
            self.state = CallState.RINGING
            self._publish(CallRinging(time.time(), self._call_id, status, early_media))

    def sent_elsewhere(self) -> None:
        """Begin anew: nothing has rung yet where the call goes on."""
        self.state, self._early_media = CallState.CALLING, False

    def answered(self, codec: CodecSnapshot | None, security: SecuritySnapshot) -> None:
        """Note that the call is up, with this audio."""
        self.state = CallState.CONNECTED
        self.answered_at = time.time()
        self._publish(CallAnswered(self.answered_at, self._call_id, codec, security))

    def will_end(self, reason: str) -> None:
        """Note why the call is about to end, in words that come before those of the other side."""
        self.end_reason = reason

    def goes_over(self, reason: str) -> None:
        """Note why the other side will hang up, or has done so just now; an empty text takes it back for one that has not."""
        self._goes_over = reason
        if reason and self.ended and self.end_reason == HUNG_UP_THERE:
            self.end_reason = reason

    def over(self, by: Literal["local", "remote"], status: int | None, reason: str) -> None:
        """Note the end; `reason` becomes a sentence, for what sockets say of a failure is a part of one."""
        self.state = CallState.ENDED
        self.ended_at = time.time()
        self.end_status = status
        # Who only stopped to answer (408) has gone nowhere that is known.
        expected = self._goes_over if by == "remote" and status != 408 else ""
        self.end_reason = self.end_reason or expected or sentence(reason)
        duration_s = self.ended_at - self.answered_at if self.answered_at is not None else 0.0
        self._publish(CallEnded(self.ended_at, self._call_id, by, status, self.end_reason, duration_s))

    def require_alive(self) -> None:
        """Raise EngineError for a call that is over."""
        if self.ended:
            raise EngineError("The call is over.")

    def require_connected(self) -> None:
        """Raise EngineError unless the call is up."""
        self.require_alive()
        if not self.connected:
            raise EngineError("The call is not up yet.")
