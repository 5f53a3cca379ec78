"""How a session ends, whoever ends it, and what is still done for it after that (RFC 3261 §9, §15).

```
        our hang_up, reject ┐                 ┌ CANCEL, refusal
their BYE, CANCEL, refusal ─┼─► SessionEnded ─┤ BYE ─ not before the ACK it waits for ─┬─► forgotten
         silence, expiry ───┘                 └ answers, and ACKs for what comes late ─┘
```
The engine is told once, at once. What RFC 3261 still wants done is done without another word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from voip_engine.sip.effects import SessionEnded
from voip_engine.sip.plain_words import (
    CANCELLED_THERE,
    FORGOTTEN,
    HUNG_UP_HERE,
    HUNG_UP_THERE,
    NO_ACKNOWLEDGEMENT,
    SESSION_EXPIRED,
    VANISHED,
    rejected_here,
)
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.ringing import Ringing
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.sessions.session_features import SessionFeatures
from voip_engine.sip.sessions.session_state import Phase, SessionState
from voip_engine.sip.sessions.session_timer import SessionTimer
from voip_engine.sip.sessions.updates import Updates
from voip_engine.sip.transactions.transaction_layer import ServerTransaction


class Ending:
    """The end of one session. `forget()` is called once nothing more can come that needs the session."""

    def __init__(
        self,
        context: SessionContext,
        state: SessionState,
        *,
        requests: DialogRequests,
        timer: SessionTimer,
        updates: Updates,
        features: SessionFeatures,
        forget: Callable[[], None],
    ) -> None:
        self._context = context
        self._state = state
        self._requests = requests
        self._timer = timer
        self._updates = updates
        self._features = features
        self._forget = forget
        self._bye_due = False

    # ---- ours ----

    def hang_up(self, now: float) -> None:
        """End the session, by CANCEL, refusal or BYE; ended already is no error."""
        state = self._state
        if state.phase is Phase.ENDED:
            return
        if state.phase is Phase.CALLING and state.placing is not None:
            refusal = state.placing.give_up(now)
            if refusal is not None:
                self._end("remote", *refusal, now)
                return
        elif (ringing := state.refusable) is not None:
            ringing.refuse(480, now)
        else:
            self._leave(now)
        self._end("local", None, HUNG_UP_HERE, now)

    def reject(self, ringing: Ringing, status: int, reason: str | None, warning_text: str, now: float) -> None:
        """Refuse a call of theirs."""
        ringing.refuse(status, now, reason, warning_text)
        self._end("local", status, rejected_here(status), now)

    # ---- theirs ----

    def on_bye(self, transaction: ServerTransaction, now: float) -> None:
        """Answer their BYE, which ends all but a call of ours that has branched."""
        self._context.endpoint.respond(transaction, 200, now)
        state, phase = self._state, self._state.phase
        if phase is Phase.CALLING and state.placing is not None:
            if len(state.placing.early) > 1:
                return  # one branch of a fork gives up; the others may still answer
            state.placing.give_up(now)
        self._bye_due = False
        if state.ringing is not None:
            if state.ringing.refusable:
                state.ringing.refuse(487, now)
            state.ringing.stop()
        self._close_exchanges(now, by_peer=True)
        reason = CANCELLED_THERE if phase is Phase.CALLED else HUNG_UP_THERE
        self._end("remote", None, reason, now)

    def on_cancel(self, now: float) -> None:
        """Refuse the call that they take back."""
        ringing = self._state.refusable
        if ringing is not None and self._state.phase is not Phase.ENDED:
            ringing.refuse(487, now)
            self._end("remote", 487, CANCELLED_THERE, now)

    def on_not_placed(self, status: int, reason: str, *, here: bool, now: float) -> None:
        """End with the reason why a call of ours did not come about: `here` for one that lies on this side."""
        self._end("local" if here else "remote", status, reason, now)

    # ---- nobody's will ----

    def on_given_up(self, status: int, reason: str, now: float) -> None:
        """End a call of theirs that was refused without the engine's say."""
        self._end("local", status, reason, now)

    def on_unacknowledged(self, now: float) -> None:
        """End the session by BYE, because no ACK came for our 2xx (RFC 3261 §13.3.1.4)."""
        self._leave(now)
        self._end("local", None, NO_ACKNOWLEDGEMENT, now)

    def on_expired(self, now: float) -> None:
        """End the session by BYE, because nobody has confirmed it in time (RFC 4028 §10)."""
        self._leave(now)
        self._end("local", None, SESSION_EXPIRED, now)

    def on_dead(self, status: int, reason: str, now: float) -> None:
        """End what the other side no longer knows, or no longer answers to (RFC 3261 §12.2.1.2)."""
        if status == 481:
            self._close_exchanges(now, by_peer=False)
        else:
            self._leave(now)
        self._end("remote", status, FORGOTTEN if status == 481 else VANISHED, now)

    # ---- after the end ----

    def on_surplus(self, dialog: Dialog, now: float) -> None:
        """Hang up on a branch of a call of ours that answered when nobody wanted it any more."""
        self._bye(dialog, now)
        self.settle()

    def on_acknowledged(self, now: float) -> None:
        """Send the BYE that waited for their ACK, if one does."""
        if self._bye_due:
            self._bye_when_allowed(now)
        self.settle()

    def settle(self) -> None:
        """Have the session forgotten once nothing more can come that needs it."""
        if self._state.phase is Phase.ENDED and not self._state.pending and self._requests.idle:
            forget, self._forget = self._forget, _forgotten
            forget()
            self._requests.outlive()
            self._state.let_go()

    def _leave(self, now: float) -> None:
        self._close_exchanges(now, by_peer=False)
        self._bye_when_allowed(now)

    def _bye_when_allowed(self, now: float) -> None:
        # RFC 3261 §15: the called side sends no BYE before the ACK came or was given up.
        self._bye_due = self._state.awaiting_ack
        if not self._bye_due and self._state.dialog is not None:
            self._bye(self._state.dialog, now)

    def _bye(self, dialog: Dialog, now: float) -> None:
        self._requests.send(dialog, dialog.build("BYE"), now)

    def _close_exchanges(self, now: float, *, by_peer: bool) -> None:
        if self._state.reoffers is not None:
            self._state.reoffers.close(now, by_peer=by_peer)

    def _end(self, by: Literal["local", "remote"], status: int | None, reason: str, now: float) -> None:
        if self._state.phase is not Phase.ENDED:
            self._state.phase = Phase.ENDED
            self._timer.close()
            self._updates.close(now)
            self._features.close(now)
            self._context.endpoint.emit(SessionEnded(self._context.session, by, status, reason))
        self.settle()


def _forgotten() -> None:
    """It is done already."""
