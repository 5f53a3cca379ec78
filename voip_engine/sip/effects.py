"""What the SIP core wants done. The core never does anything itself: every method returns a list of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voip_engine.sip.flow import Flow, NextHop
from voip_engine.sip.message import Request
from voip_engine.sip.uri import NameAddress

# ---- for the transport ----


@dataclass(frozen=True, slots=True)
class SendOnFlow:
    """Send bytes back along a flow (responses, RFC 3261 §18.2.2 with RFC 3581). `fallback` if a TCP flow is gone."""

    data: bytes
    flow: Flow
    fallback: NextHop | None = None


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send a request to its next hop (RFC 3261 §18.1.1). A failure goes to `SipCore.transport_failed`.

    `transaction` is empty for the ACK of a 2xx, whose failure concerns nobody: the 2xx comes again.
    """

    data: bytes
    next_hop: NextHop
    transaction: str


# ---- for the engine ----


@dataclass(frozen=True, slots=True)
class SessionInvited:
    """Somebody calls and has had a 100; `ring`, `answer` or `reject`. `offer` is None for a late offer."""

    session: str
    request: Request
    caller: NameAddress
    called: NameAddress
    account: str | None
    offer: bytes | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class SessionProgressed:
    """A provisional response came; `body` when it carried a session description."""

    session: str
    status: int
    reason: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class SessionAnswered:
    """Our INVITE or re-INVITE was answered with 2xx; the ACK is already sent. `flow` is where the answer came from."""

    session: str
    body: bytes | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class SessionConfirmed:
    """The ACK for our 2xx came; `body` holds the answer to a late offer."""

    session: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class SessionReoffered:
    """A re-INVITE came: `accept_reoffer` or `reject_reoffer`. `offer` is None when we are asked to offer."""

    session: str
    offer: bytes | None


@dataclass(frozen=True, slots=True)
class SessionReofferFailed:
    """Our re-INVITE was refused; the session goes on as it was. `reason` is plain words."""

    session: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over. `status` is the final response's if one ended it; `reason` is plain words."""

    session: str
    by: Literal["local", "remote"]
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """`state` as in `events.AccountState`. Times are on the core's clock."""

    account: str
    state: Literal["unregistered", "registering", "registered", "failed"]
    status: int | None
    detail: str
    expires_at: float | None
    retry_at: float | None


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """A malformed or foreign message; answered already if RFC 3261 wants an answer."""

    flow: Flow
    reason: str


Effect = (
    SendOnFlow
    | SendRequest
    | SessionInvited
    | SessionProgressed
    | SessionAnswered
    | SessionConfirmed
    | SessionReoffered
    | SessionReofferFailed
    | SessionEnded
    | RegistrationChanged
    | MessageRejected
)
