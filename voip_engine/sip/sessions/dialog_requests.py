"""Requests of ours within a dialog, other than INVITE and ACK: sent, challenged, sent again, answered (RFC 3261 §12.2.1).

They go to names that may stand for several servers (RFC 3263 §4.3), or by a connection that is dead by then, which only shows
when something is sent. What the transport cannot send is sent again under a new branch, for the transport then prefers another
one of the name's, or makes a new connection.
"""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.hosts import is_literal
from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.flow import Flow, NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.session_context import SessionContext

OnFinal = Callable[[int, Response | None, float], None]
"""Takes the status, the response (None where none came: 408 or 503 then) and the time."""
SERVERS = 3
"""How many servers of one name are tried."""
CONNECTIONS = 2
"""How many connections to one address are tried."""


class DialogRequests:
    """The requests of one session. `on_idle(now)` is called whenever one is over for good, its transaction too."""

    def __init__(self, context: SessionContext, on_idle: Callable[[float], None]) -> None:
        self._context = context
        self._on_idle = on_idle
        self._open = 0

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self._open

    def outlive(self) -> None:
        """Let go of the session: what is still sent is none of its concern."""
        self._on_idle = _pass_over

    def send(self, dialog: Dialog, request: Request, now: float, on_final: OnFinal | None = None) -> None:
        """Send a request that `dialog.build` made; challenges are answered, `on_final` hears of the rest once."""
        self._send(dialog, request, self._context.credentials(), on_final or _ignore, now)

    def _send(
        self,
        dialog: Dialog,
        request: Request,
        credentials: Credentials,
        on_final: OnFinal,
        now: float,
        failed: int = 0,
    ) -> None:
        def on_response(response: Response, flow: Flow, now: float) -> None:
            if response.status < 200:
                return
            if response.status in (401, 407):
                number = self._context.sequence.number + 1
                again = credentials.again(request, response, number, hop=hop, flow=flow, now=now)
                if again is not None:
                    self._context.sequence.next()
                    self._send(dialog, again, credentials, on_final, now)
                    return
            if response.status < 300:
                credentials.accepted()
            on_final(response.status, response, now)

        def on_failure(status: int, reason: str, now: float) -> None:
            if status == 503 and failed + 1 < _tries(hop):
                again = Request(request.method, request.uri, request.headers.copy(), request.body)
                self._send(dialog, again, credentials, on_final, now, failed + 1)
            else:
                on_final(status, None, now)

        def on_end(now: float) -> None:
            self._open -= 1
            self._on_idle(now)

        self._open += 1
        hop = dialog.next_hop
        self._context.endpoint.address(request, hop, self._context.local)
        self._context.endpoint.transactions.send(
            request,
            hop,
            now,
            on_response=on_response,
            on_failure=on_failure,
            on_end=on_end,
        )


def _tries(hop: NextHop) -> int:
    if not is_literal(hop.host):
        return SERVERS
    return 1 if hop.transport == "UDP" else CONNECTIONS


def _ignore(status: int, response: Response | None, now: float) -> None:
    """Nobody wants to know."""


def _pass_over(now: float) -> None:
    """There is no session any more."""
