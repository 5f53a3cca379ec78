"""What the SIP core wants done. The core never does anything itself: every method returns a list of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voip_engine.sip.flow import Flow, NextHop
from voip_engine.sip.messages.message import Request
from voip_engine.sip.messages.uri import NameAddress, SipUri

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


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request had no answer in time: the servers that its own stands for take turns.

    `given_up`, its connection is cut off unless that brought something else meanwhile. Else the request goes on, but where it
    still waits for a connection to be made that has failed: `SipCore.transport_failed`.
    """

    transaction: str
    given_up: bool


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
    asserted: NameAddress | None = None
    """Who calls, as a trusted proxy says (P-Asserted-Identity, RFC 3325 §9.1)."""
    replaces: str | None = None
    """The session that this call takes the place of (RFC 3891); it is up, or a call of ours that still rings."""
    referred_by: str = ""


@dataclass(frozen=True, slots=True)
class SessionProgressed:
    """A provisional response came; `body` when it carried a session description."""

    session: str
    status: int
    reason: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class AlternativeOffered:
    """Our INVITE was refused for its offer, and has gone out again with the alternative that `invite` was given."""

    session: str


@dataclass(frozen=True, slots=True)
class SessionAnswered:
    """Our INVITE or re-INVITE was answered with 2xx, and the ACK is already sent, or our UPDATE was.

    `body` may have come before, with a 1xx. To the first INVITE there is none where the `branch` that answered has described
    itself in no response, or has agreed on something else by UPDATE since. `flow` is where the answer to an INVITE came from.
    """

    session: str
    body: bytes | None
    flow: Flow | None = None
    branch: str = ""


@dataclass(frozen=True, slots=True)
class SessionConfirmed:
    """The ACK for our 2xx came; `body` holds the answer to a late offer."""

    session: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class SessionReoffered:
    """A re-INVITE or UPDATE came: `accept_reoffer` or `reject_reoffer`. `offer` is None when we are asked to offer.

    `branch` tells those apart with whom we have early dialogs while a call of ours rings.
    """

    session: str
    offer: bytes | None
    branch: str = ""


@dataclass(frozen=True, slots=True)
class SessionReofferFailed:
    """Our re-INVITE or UPDATE was refused; the session goes on as it was. `reason` is plain words.

    `by` is "local" where nobody refused it: it could not be sent, or its connection was lost.
    """

    session: str
    status: int
    reason: str
    by: Literal["local", "remote"] = "remote"


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session is over. `status` is the final response's if one ended it; `reason` is plain words."""

    session: str
    by: Literal["local", "remote"]
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """`state` as in `snapshots.AccountState`. Times are on the core's clock."""

    account: str
    state: Literal["unregistered", "registering", "registered", "failed"]
    status: int | None
    detail: str
    expires_at: float | None
    retry_at: float | None
    public_address: str = ""
    """`host:port` that the registrar sees us at, empty where it is our own."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Something has to go to `next_hop`, on `flow` if it is a stream, or a NAT on the way forgets us (RFC 5626 §4.4)."""

    next_hop: NextHop
    flow: Flow | None


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """A malformed or foreign message; answered already if RFC 3261 wants an answer."""

    flow: Flow
    reason: str


@dataclass(frozen=True, slots=True)
class SessionRedirected:
    """Our INVITE was answered with 3xx: `redirect` to one of these, best first, or `hang_up` (RFC 3261 §8.1.3.4)."""

    session: str
    status: int
    dialled: SipUri
    """Whom the call was for at first."""
    targets: tuple[SipUri, ...]


@dataclass(frozen=True, slots=True)
class SessionIdentified:
    """Who is at the other end now, as a trusted proxy says; a transfer at their side may change it (RFC 3325, RFC 5876)."""

    session: str
    asserted: NameAddress


@dataclass(frozen=True, slots=True)
class SessionDigitPressed:
    """The other side pressed a key and said so by INFO."""

    session: str
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class SessionDigitSent:
    """Our key sent by INFO was answered with this status, 408 if it was not."""

    session: str
    status: int


@dataclass(frozen=True, slots=True)
class SessionReferred:
    """The other side wants us to call somebody (REFER, RFC 3515): `accept_referral` or `reject_referral`.

    `replaces` is the value of the Replaces header for that call, None for a blind transfer.
    """

    session: str
    referral: int
    target: SipUri
    replaces: str | None
    referred_by: str


@dataclass(frozen=True, slots=True)
class ReferralProgressed:
    """How the other side fares with our REFER: the status line of its call, `final` with the last word on it."""

    session: str
    status: int
    reason: str
    final: bool


@dataclass(frozen=True, slots=True)
class MessagesWaiting:
    """What an account's voice mailbox holds (RFC 3842). The numbers are those of voice messages."""

    account: str
    waiting: bool
    new: int
    old: int


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Cut off a connection that somebody opened who may not call here. One that we opened stays, and one that is to be kept."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class KeepConnection:
    """Let a connection stay that a stranger opened: what came over it belongs to a call, or was proved by a password."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class RequestTurnedAway:
    """A request from somebody who may not call here, or who asks too often."""

    flow: Flow
    method: str
    reason: str


Effect = (
    SendOnFlow
    | SendRequest
    | Unanswered
    | SessionInvited
    | SessionProgressed
    | AlternativeOffered
    | SessionAnswered
    | SessionConfirmed
    | SessionReoffered
    | SessionReofferFailed
    | SessionEnded
    | RegistrationChanged
    | MessageRejected
    | SessionRedirected
    | SessionIdentified
    | SessionDigitPressed
    | SessionDigitSent
    | SessionReferred
    | ReferralProgressed
    | MessagesWaiting
    | RequestTurnedAway
    | CloseConnection
    | KeepConnection
    | KeepAlive
)
