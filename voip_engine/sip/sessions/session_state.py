"""Where one session stands, and the parts that it has at the moment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from voip_engine.sip.messages.message import Request
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.early_dialogs import EarlyDialog
from voip_engine.sip.sessions.placing import Placing
from voip_engine.sip.sessions.reoffers import Reoffers
from voip_engine.sip.sessions.ringing import Ringing


class Phase(Enum):
    """Where a session stands, as the engine knows it."""

    CALLING = "calling"
    CALLED = "called"
    UP = "up"
    ENDED = "ended"


@dataclass(slots=True)
class SessionState:
    """A call of ours has `placing`, one of theirs `ringing`; `dialog` and `reoffers` come with the one dialog that stays."""

    phase: Phase
    placing: Placing | None = None
    ringing: Ringing | None = None
    dialog: Dialog | None = None
    reoffers: Reoffers | None = None

    @property
    def early(self) -> EarlyDialog | None:
        """The branch of a call of ours that is heard at present."""
        return self.placing.early.latest if self.placing is not None else None

    @property
    def refusable(self) -> Ringing | None:
        """The call of theirs, as long as it has no final response."""
        return self.ringing if self.ringing is not None and self.ringing.refusable else None

    @property
    def answer_unacknowledged(self) -> bool:
        """Whether our answer to their first INVITE waits for its ACK."""
        return self.ringing is not None and self.ringing.awaiting_ack

    @property
    def awaiting_ack(self) -> bool:
        """Whether a 2xx of ours waits for its ACK, to a re-INVITE or to the first one."""
        return self.answer_unacknowledged or (self.reoffers is not None and self.reoffers.awaiting_ack)

    @property
    def pending(self) -> bool:
        """Whether an INVITE of either side is not over."""
        ours = self.placing is not None and self.placing.pending
        theirs = self.ringing is not None and self.ringing.pending
        return ours or theirs or (self.reoffers is not None and not self.reoffers.idle)

    def early_of(self, tag: str | None) -> EarlyDialog | None:
        """Return the branch of a call of ours that has this tag."""
        return self.placing.early.find(tag) if self.placing is not None else None

    def dialog_of(self, request: Request) -> Dialog | None:
        """Return the dialog that a request of theirs is within."""
        if self.dialog is not None:
            return self.dialog
        early = self.early_of(request.from_.tag)
        return early.dialog if early is not None else None

    def let_go(self) -> None:
        """Part from the parts, which lead back here: so all is given back at once, not when garbage is collected.

        Besides, an answered INVITE of ours is kept for half a minute, and would keep all this with it.
        """
        if self.placing is not None:
            self.placing.close()
        if self.ringing is not None:
            self.ringing.close()
        self.placing = self.ringing = self.reoffers = self.dialog = None
