"""Transfers within one dialog, in both directions (RFC 3515): a REFER, and the NOTIFYs that tell how it goes.

```
ours:    REFER ── 202 ── NOTIFY 100 ── NOTIFY 180 ── NOTIFY 200, terminated ─► over     refused, silence ─► over
theirs:  REFER ─► accept ── 202, NOTIFY 100 ── tell … ── tell final ─► over             reject ─► over
```
The subscription is the REFER's own: nobody sends SUBSCRIBE for it, and it ends with the dialog.
"""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.referral_headers import SIPFRAG, SubscriptionState, read_sipfrag, write_sipfrag
from voip_engine.sip.plain_words import NO_REPLY, plain_reason
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.dialog_requests import DialogRequests
from voip_engine.sip.sessions.session_context import SessionContext
from voip_engine.sip.transactions.transaction import T1_S
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

FIRST_WORD_S = 64 * T1_S
"""How long the first NOTIFY may take (RFC 6665 §4.1.2.4, timer N)."""
LAST_WORD_S = 180.0
"""How long nothing may be told of a transfer before it counts as failed: as long as a call rings."""
SILENT = "The other side does not tell how the transfer goes."

OnProgress = Callable[[int, str, bool, float], None]
"""Takes a status, its phrase in plain words where it is final, whether it is final, and the time."""


class OurReferral:
    """A REFER of ours. `on_progress` hears of it until its last word, and never again after `close`."""

    def __init__(
        self, context: SessionContext, dialog: Dialog, requests: DialogRequests, on_progress: OnProgress
    ) -> None:
        self._context = context
        self._dialog = dialog
        self._requests = requests
        self._on_progress = on_progress
        self._timer = 0
        self._told = False
        self._first_cseq = 0
        self.over = False

    def send(self, refer_to: str, now: float) -> None:
        """Send the REFER."""
        request = self._dialog.build("REFER")
        self._first_cseq = request.cseq.number
        request.headers.add("Refer-To", refer_to)
        request.headers.add("Referred-By", f"<{self._dialog.local.uri}>")
        request.headers.add("Contact", self._context.contact)
        self._requests.send(self._dialog, request, now, self._on_final)

    def concerns(self, identifier: str | None) -> bool:
        """Whether an event's `id` names this REFER by its CSeq number, which a challenge may have raised (§2.4.6)."""
        if self.over:
            return False
        last = self._context.sequence.number
        return identifier is None or (
            identifier.isascii() and identifier.isdigit() and self._first_cseq <= int(identifier[:10]) <= last
        )

    def receive(self, notify: Request, answer: Callable[[], None], now: float) -> None:
        """Take a NOTIFY, and `answer` it before whatever follows from it. Raises MalformedHeader: then nothing has changed."""
        state = SubscriptionState.of(notify.headers)
        if not notify.body and state.terminated:
            status, phrase = 100, ""
        else:
            status, phrase = read_sipfrag(notify.body)
        answer()
        self._told = True
        if status >= 200:
            self._finish(status, phrase if status < 300 else plain_reason(status, phrase), now)
        elif state.terminated:
            self._finish(408, SILENT, now)
        else:
            self._wait(LAST_WORD_S if state.expires_s is None else max(state.expires_s, FIRST_WORD_S), now)
            self._on_progress(status, phrase, False, now)

    def close(self) -> None:
        """Hear no more of it."""
        self.over = True
        self._context.endpoint.timers.stop(self._timer)

    def _on_final(self, status: int, response: Response | None, now: float) -> None:
        if self.over:
            return
        if status >= 300 or response is None:
            self._finish(status, NO_REPLY if response is None else plain_reason(status, response.reason), now)
        elif (response.headers.get("Refer-Sub") or "").strip().lower() == "false":
            self._finish(status, response.reason, now)  # RFC 4488 §4: nothing will be told, and nothing was refused
        elif not self._told:
            self._wait(FIRST_WORD_S, now)
            self._on_progress(status, response.reason, False, now)

    def _wait(self, seconds: float, now: float) -> None:
        timers = self._context.endpoint.timers
        timers.stop(self._timer)
        self._timer = timers.start(now + min(seconds, 10 * LAST_WORD_S), self._on_silence)

    def _on_silence(self, now: float) -> None:
        self._finish(408, SILENT, now)

    def _finish(self, status: int, reason: str, now: float) -> None:
        self.close()
        self._on_progress(status, reason, True, now)


class TheirReferral:
    """A REFER of theirs, named by `number`, that waits for `accept` or `reject`."""

    def __init__(
        self,
        context: SessionContext,
        dialog: Dialog,
        requests: DialogRequests,
        transaction: ServerTransaction,
        *,
        named: bool,
    ) -> None:
        self._context = context
        self._dialog = dialog
        self._requests = requests
        self._transaction = transaction
        self._quiet = (transaction.request.headers.get("Refer-Sub") or "").strip().lower() == "false"
        self._named = named
        self._waiting: tuple[int, bool] | None = None
        self._busy = False
        self._unheard = False
        self.number = transaction.request.cseq.number
        self.over = False
        """Whether the last word was said. Until then they may send us nowhere else, though nobody may listen to it."""
        self.followed = False
        """Whether they sent us on with success, so that the dialog has nothing left to do but to end."""

    def accept(self, now: float) -> None:
        """Answer 202, and tell that we are trying."""
        if self._transaction.answered or self.over:
            return
        headers = (("Contact", self._context.contact), *((("Refer-Sub", "false"),) if self._quiet else ()))
        self._context.endpoint.respond(self._transaction, 202, now, headers=headers)
        self.tell(100, False, now)

    def reject(self, status: int, now: float) -> None:
        """Refuse it."""
        if not self._transaction.answered:
            self._context.endpoint.respond(self._transaction, status, now)
        self.over = True

    def tell(self, status: int, final: bool, now: float) -> None:
        """Tell how the call goes that they wanted. Of what waits for an earlier NOTIFY's answer only the last is told."""
        if self.over:
            return
        self.over = final
        self.followed = final and status < 300
        if self._quiet or self._unheard:
            return
        self._waiting = (status, final)
        if not self._busy:
            self._notify(now)

    def close(self, now: float) -> None:
        """End with the dialog."""
        self._waiting = None
        self.reject(481, now)

    def _notify(self, now: float) -> None:
        if self._waiting is None:
            return
        (status, final), self._waiting = self._waiting, None
        self._busy = True
        request = self._dialog.build("NOTIFY")
        # The first REFER's NOTIFYs may go without an id (RFC 3515 §2.4.6), and not every phone knows what to do with one.
        request.headers.add("Event", f"refer;id={self.number}" if self._named else "refer")
        state = "terminated;reason=noresource" if final else f"active;expires={LAST_WORD_S:.0f}"
        request.headers.add("Subscription-State", state)
        request.headers.add("Contact", self._context.contact)
        request.headers.add("Content-Type", f"{SIPFRAG};version=2.0")
        request.body = write_sipfrag(status)
        self._requests.send(self._dialog, request, now, self._on_final)

    def _on_final(self, status: int, response: Response | None, now: float) -> None:
        self._busy = False
        if status in (408, 481):
            self._unheard, self._waiting = True, None  # what was wanted goes on all the same
        self._notify(now)
