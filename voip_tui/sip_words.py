"""SIP messages in plain words, for the ladder of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voip_tui import words

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

REQUESTS = {
    "INVITE": "wants to talk",
    "ACK": "got it",
    "BYE": "hangs up",
    "CANCEL": "takes the call back",
    "PRACK": "confirms the provisional answer",
    "UPDATE": "changes the call",
    "REFER": "asks to call somebody else",
    "NOTIFY": "tells how that goes",
    "INFO": "keys, or the like",
    "OPTIONS": "are you there?",
    "MESSAGE": "a text",
    "SUBSCRIBE": "wants to be told",
}
CHANGES = "changes the call"
"""What an INVITE within a call is about."""

STATUSES = {
    100: "has it",
    180: "rings",
    181: "is being forwarded",
    182: "is waiting in a queue",
    183: "is on its way",
    200: "done",
    202: "will do",
    300: "several places to try",
    301: "has moved for good",
    302: "try somewhere else",
    305: "use a proxy",
    400: "cannot read it",
    401: "wants a password",
    403: "forbidden",
    404: "nobody of this name",
    405: "does not do this",
    407: "wants a password",
    408: "no answer in time",
    415: "does not take this content",
    420: "lacks an extension",
    421: "wants an extension",
    422: "wants a longer session timer",
    423: "wants a longer registration",
    480: "nobody is there",
    481: "knows no such call",
    482: "it went in a circle",
    483: "too many hops",
    484: "the address is incomplete",
    486: "busy",
    487: "was taken back",
    488: "nothing in common",
    491: "both at the same time",
    500: "has a fault",
    501: "cannot do this",
    503: "is not available",
    504: "heard nothing from the next",
    513: "too large",
    600: "busy everywhere",
    603: "declined",
    604: "nobody anywhere",
    606: "nothing in common",
}
KINDS = {
    1: "on its way",
    2: "done",
    3: "try somewhere else",
    4: "refused",
    5: "a server's fault",
    6: "refused everywhere",
}

ORDINARY_REFUSALS = (401, 407, 487)
"""Part of how a call goes, nothing that went wrong."""


def label(entry: SipTraceEntry) -> str:
    """What stands on the arrow: `INVITE`, `180 Ringing`."""
    if entry.status is None:
        return words.clean(entry.method)
    return words.clean(entry.start_line.partition(" ")[2])


def meaning(entry: SipTraceEntry) -> str:
    """What it says, in a few words."""
    if entry.status is None:
        if entry.method == "INVITE" and entry.in_dialog:
            return CHANGES
        return REQUESTS.get(entry.method, "")
    if entry.status == 200 and entry.method == "INVITE":
        return "agrees"
    return STATUSES.get(entry.status, KINDS.get(entry.status // 100, ""))


def role(entry: SipTraceEntry) -> str:
    """The role of the colour of its label."""
    if entry.repeated:
        return "muted"
    if entry.status is not None and entry.status >= 400 and entry.status not in ORDINARY_REFUSALS:
        return "bad"
    return "text"


def offset(seconds: float) -> str:
    """How long after the first message: `0.000`, `12.345`, from a quarter of an hour on `1:02:03`."""
    return f"{seconds:.3f}" if seconds < 900 else words.duration(seconds)
