"""Provisional responses of ours that have to arrive (RFC 3262 §3): one at a time, each repeated until its PRACK."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.messages.extension_headers import RAck, lists
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.sessions.invite_server import InviteServer
from voip_engine.sip.transactions.transaction import T1_S

REPEAT_S = 150.0
"""How often ringing is told anew, for proxies give up on silence (RFC 3262 §3)."""
MAX_WAITING = 8
"""How many responses wait for a PRACK; beyond that the oldest is dropped."""


def is_required(invite: Request) -> bool:
    """Whether a caller takes nothing but reliable responses."""
    return lists(invite.headers, "Require", "100rel")


def is_supported(invite: Request) -> bool:
    """Whether a caller sends PRACKs."""
    return is_required(invite) or lists(invite.headers, "Supported", "100rel")


class ReliableProgress:
    """The reliable 1xx of one INVITE of theirs.

    `on_lost(now)` is called when no PRACK came within 64·T1.
    """

    def __init__(self, endpoint: Endpoint, server: InviteServer, on_lost: Callable[[float], None]) -> None:
        self._endpoint = endpoint
        self._server = server
        self._on_lost = on_lost
        self._rseq = endpoint.random.randint(1, 2**31 - 1)
        self._current: Response | None = None
        self._waiting: deque[Response] = deque(maxlen=MAX_WAITING)
        self._repeat = 0
        self._give_up = 0
        self.described = False
        """Whether a session description has gone out and was acknowledged."""

    @property
    def describing(self) -> bool:
        """Whether a session description is out, or waits to go out: before its PRACK no 2xx may (RFC 3262 §3)."""
        sent = self._current is not None and self._current.body
        return bool(sent) or any(response.body for response in self._waiting)

    def send(self, response: Response, now: float) -> None:
        """Send a 1xx, as soon as the one before is acknowledged."""
        if self._current is not None:
            self._waiting.append(response)
            return
        self.stop()
        self._current = response
        self._rseq += 1
        response.headers.add("Require", "100rel")
        response.headers.add("RSeq", str(self._rseq))
        self._give_up = self._endpoint.timers.start(now + 64 * T1_S, self._on_give_up)
        self._send_again(response, T1_S, now)

    def acknowledge(self, rack: RAck, build: Callable[[int], Response], now: float) -> bool:
        """Take a PRACK; False if it names nothing that waits for one. `build(status)` makes a 1xx without a body."""
        current, cseq = self._current, self._server.request.cseq
        if current is None or rack != RAck(self._rseq, cseq.number, cseq.method):
            return False
        self.stop()
        self._current = None
        self.described = self.described or bool(current.body)
        if not self._server.answered:
            if self._waiting:
                self.send(self._waiting.popleft(), now)
            else:
                status = current.status
                self._repeat = self._endpoint.timers.start(now + REPEAT_S, lambda now: self.send(build(status), now))
        return True

    def stop(self) -> None:
        """Repeat nothing any more; a PRACK that is still on its way is known all the same."""
        self._endpoint.timers.stop(self._repeat)
        self._endpoint.timers.stop(self._give_up)

    def close(self) -> None:
        """Stop for good, and let go of who made this."""
        self.stop()
        self._on_lost = _ignore

    def _send_again(self, response: Response, interval_s: float, now: float) -> None:
        self._endpoint.transactions.respond(self._server.transaction, response, now)
        self._repeat = self._endpoint.timers.start(
            now + interval_s, lambda now: self._send_again(response, 2 * interval_s, now)
        )

    def _on_give_up(self, now: float) -> None:
        self.stop()
        self._on_lost(now)


def _ignore(now: float) -> None:
    """The call is over."""
