"""Which of our calls a call that comes in may take the place of (RFC 3891 §3)."""

from __future__ import annotations

from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.headers import Headers
from voip_engine.sip.messages.replaces import Replaces
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.sessions.session_index import SessionIndex
from voip_engine.sip.sessions.session_state import Phase


def find_replaced(sessions: SessionIndex, headers: Headers) -> Session | int | None:
    """Return the session that an INVITE's Replaces names, None without one, or the status it is to be refused with."""
    try:
        replaces = Replaces.of(headers)
    except MalformedHeader:
        return 400
    if replaces is None:
        return None
    session = sessions.find(replaces.dialog)
    if session is None:
        return 481
    match session.phase:
        case Phase.ENDED:
            return 603
        case Phase.CALLED:
            return 481  # a call that rings here is nobody's to take but its caller's
        case Phase.UP if replaces.early_only:
            return 486
        case _:
            return session
