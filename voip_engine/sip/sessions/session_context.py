"""What the parts of one session share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voip_engine.sip.authentication.credentials import Credentials
from voip_engine.sip.endpoint import Endpoint
from voip_engine.sip.flow import LocalAddress, NextHop
from voip_engine.sip.sessions.dialog import Sequence


@dataclass(slots=True)
class SessionContext:
    """One session's endpoint, name, addresses, credentials and counter of requests."""

    endpoint: Endpoint
    session: str
    local: LocalAddress
    contact: str
    credentials: Callable[[], Credentials]
    sequence: Sequence
    owns_call_id: bool
    further: tuple[NextHop, ...] = ()
    """Where the first INVITE goes when its next hop does not answer."""
    described: bytes = b""
    """The session description of ours that is in force, and since we have moved at least one that says where to."""
