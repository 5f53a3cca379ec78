"""What a call's mode is doing, as a sign, a word and a colour."""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.snapshots import CallSnapshot, CallState
from voip_tui import words


@dataclass(frozen=True, slots=True)
class Doing:
    """`role` names a colour of the palette."""

    sign: str
    word: str
    role: str

    def __str__(self) -> str:
        return f"{self.sign} {self.word}"


SIGNS = {
    "listening": ("○", "muted"),
    "hearing": ("◉", "caller"),
    "transcribing": ("≡", "caller"),
    "thinking": ("◐", "accent"),
    "speaking": ("»", "ours"),
    "paused": ("‖", "ours"),
}
TROUBLED = Doing("▲", "trouble", "bad")
CONVERSING = ("transcribe", "agent")
"""The modes whose business is a dialogue."""


def doing(call: CallSnapshot) -> Doing | None:
    """What the call's mode does right now; None when it says nothing, or the call is not up."""
    if call.state is not CallState.CONNECTED or not call.activity:
        return None
    sign, role = SIGNS.get(call.activity, ("·", "muted"))
    return Doing(sign, words.clean(call.activity), role)


def converses(call: CallSnapshot) -> bool:
    """Whether a dialogue is what this call is about."""
    return call.mode in CONVERSING or bool(call.dialogue)


def early_media_heard(call: CallSnapshot) -> bool:
    """Whether audio comes before the call is answered: that it was agreed on does not say so."""
    media = call.media
    return call.early_media and call.state is CallState.RINGING and media.received_packets > 0 and not media.silent_s
