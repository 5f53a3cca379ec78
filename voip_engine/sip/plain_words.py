"""Why a call or a registration did not come about, in plain words."""

from __future__ import annotations

from typing import Final

from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.warning import warning_text

PLAIN_WORDS: dict[int, str] = {
    300: "Reachable at several other addresses",
    301: "Moved to another address for good",
    302: "Moved to another address for now",
    305: "Reachable through another proxy only",
    380: "Not reachable this way",
    400: "The other side did not understand the request",
    401: "Name or password was not accepted",
    402: "Payment is required",
    403: "Refused by the other side",
    404: "No such user",
    405: "Calls are not taken there",
    406: "Nothing acceptable to the other side",
    407: "Name or password was not accepted",
    408: "No answer before the time-out",
    410: "That address is no longer in use",
    413: "The request was too large for the other side",
    414: "The address was too long for the other side",
    415: "The other side does not take this kind of call",
    416: "The other side does not know this kind of address",
    420: "The other side lacks an extension",
    421: "The other side wants an extension we lack",
    422: "The other side wants to confirm the call more rarely",
    423: "The registrar wants a longer registration",
    480: "Nobody is available there at present",
    481: "The other side no longer knows this call",
    482: "The call went in a circle",
    483: "The call went through too many servers",
    484: "The address is incomplete",
    485: "The address is ambiguous",
    486: "Busy",
    487: "Cancelled before it was answered",
    488: "Nothing acceptable: no common codec, or no encryption that both sides have",
    491: "Both sides changed the call at the same time",
    493: "The other side cannot decrypt the request",
    500: "The server has a fault",
    501: "The server cannot do this",
    502: "The next server gave a bad answer",
    503: "The server is not available at present",
    504: "The next server did not answer in time",
    505: "The server speaks another version of SIP",
    513: "The message was too large for the server",
    580: "The conditions of the call cannot be met",
    600: "Busy everywhere",
    603: "Declined",
    604: "No such user anywhere",
    606: "Nothing acceptable: no common codec, or no encryption that both sides have",
    607: "The call was marked as unwanted",
    608: "The call was rejected by an analysis on the way",
}
OFFER_REFUSED: Final = (488, 606)
_PASSWORD_WANTED: Final = "A password is asked for there, and none is set for this call"
_PLAIN_REFUSED: Final = "Nothing acceptable: no common codec, or only encrypted audio is taken there"
HUNG_UP_HERE = "Hung up on this side."
HUNG_UP_THERE = "The other side hung up."
CANCELLED_THERE = "The caller hung up before the call was answered."
NO_REPLY = "The other side did not reply at all (408)."
NO_ANSWER = "Nobody answered and nothing more was heard for three minutes (408)."
RANG_TOO_LONG = "Nobody answered within five minutes (408)."
RANG_TOO_LONG_HERE = "Nobody answered on this side in time (480)."
RINGING_UNHEARD = "The caller never acknowledged that it rings here (504)."
SESSION_EXPIRED = "The other side no longer confirmed that it is still there."
NO_ACKNOWLEDGEMENT = "The caller never acknowledged the answer."
VANISHED = "The other side did not answer a request of ours (408)."
FORGOTTEN = "The other side no longer knows this call (481)."
UNUSABLE_ANSWER = "The other side's answer could not be understood."


def sentence(words: str) -> str:
    """Words that fit into a sentence as one of their own: with a capital and a full stop."""
    return f"{words[:1].upper()}{words[1:]}{'' if not words or words[-1] in '.!?…' else '.'}"


def plain_reason(status: int, phrase: str = "") -> str:
    """Say a final status in plain words; `phrase`, from the peer, is used for one that has no words here."""
    words = PLAIN_WORDS.get(status) or "".join(c for c in phrase[:80] if c.isprintable()).strip()
    return f"{words or 'Ended'} ({status})."


def refusal_reason(request: Request, response: Response) -> str:
    """Say why a request was refused: for an offer as the other side explains it, else as what we offered lets guess."""
    status = response.status
    if status in OFFER_REFUSED:
        if told := warning_text(response.headers):
            return f"Nothing acceptable, the other side says: {told.rstrip('.')} ({status})."
        if b"RTP/AVP" in request.body and b"a=crypto:" not in request.body:
            return f"{_PLAIN_REFUSED} ({status})."
    signed = "Authorization" in request.headers or "Proxy-Authorization" in request.headers
    if status in (401, 407) and not signed:
        return f"{_PASSWORD_WANTED} ({status})."
    return plain_reason(status, response.reason)


def rejected_here(status: int) -> str:
    """Say that we turned a call away."""
    return f"Rejected on this side ({status})."


def registration_reason(status: int, phrase: str, registrar: str) -> str:
    """Say why a registrar did not register us."""
    match status:
        case 401 | 407:
            return f"The registrar {registrar} did not accept the name or the password ({status})."
        case 403:
            return f"The registrar {registrar} refuses this account ({status})."
        case 404:
            return f"The registrar {registrar} does not know this account ({status})."
        case _:
            return f"The registrar {registrar} answered: {plain_reason(status, phrase)}"
