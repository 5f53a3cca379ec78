"""An INVITE of the other side, first or repeated, from the 100 to the ACK of our answer."""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.transactions.transaction import T1_S, T2_S
from voip_engine.sip.transactions.transaction_layer import ServerTransaction

PROVISIONAL_INTERVAL_S = 60.0
"""How often a 1xx is repeated, for proxies give up on silence (RFC 3261 §13.3.1.1)."""


class InviteServer:
    """One INVITE of theirs. `on_unacknowledged(now)` is called when no ACK for our 2xx came within 64·T1."""

    def __init__(
        self, endpoint: Endpoint, transaction: ServerTransaction, on_unacknowledged: Callable[[float], None]
    ) -> None:
        self._endpoint = endpoint
        self._on_unacknowledged = on_unacknowledged
        self._interval_s = T1_S
        self._repeat = 0
        self._give_up = 0
        self.request: Request = transaction.request
        """The INVITE; of an answered one the transaction keeps less."""
        self.transaction = transaction
        self.awaiting_ack = False

    @property
    def answered(self) -> bool:
        """Whether we have given a final response."""
        return self.transaction.answered

    @property
    def pending(self) -> bool:
        """Whether something is still to come: our final response, or the ACK for our 2xx."""
        return not self.transaction.answered or self.awaiting_ack

    def progress(self, response: Response, now: float) -> None:
        """Send a 1xx, and again every minute."""
        self._endpoint.transactions.respond(self.transaction, response, now)
        self._endpoint.timers.stop(self._repeat)
        if response.status != 100:
            self._repeat = self._endpoint.timers.start(
                now + PROVISIONAL_INTERVAL_S, lambda now: self.progress(response, now)
            )

    def accept(self, response: Response, now: float) -> None:
        """Send a 2xx, over and over until the ACK comes (RFC 3261 §13.3.1.4), over TCP too."""
        self._endpoint.timers.stop(self._repeat)
        self.awaiting_ack = True
        self._give_up = self._endpoint.timers.start(now + 64 * T1_S, self._on_give_up)
        self._send_success(response, now)

    def refuse(self, response: Response, now: float) -> None:
        """Send a final response other than 2xx; its ACK is the transaction's business."""
        self._endpoint.timers.stop(self._repeat)
        self._endpoint.transactions.respond(self.transaction, response, now)

    def stop(self) -> None:
        """Wait for no ACK any more: it came, or the dialog is over."""
        self.awaiting_ack = False
        self._endpoint.timers.stop(self._repeat)
        self._endpoint.timers.stop(self._give_up)

    def _send_success(self, response: Response, now: float) -> None:
        self._endpoint.transactions.respond(self.transaction, response, now)
        self._repeat = self._endpoint.timers.start(
            now + self._interval_s, lambda now: self._send_success(response, now)
        )
        self._interval_s = min(2 * self._interval_s, T2_S)

    def _on_give_up(self, now: float) -> None:
        self.stop()
        self._on_unacknowledged(now)
