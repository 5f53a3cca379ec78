"""Dialogues that stand still: what callers and agents would have said on a busy day, as plain data."""

from __future__ import annotations

from msgspec.structs import replace
from support.still_engine import G722, NOON, busy_day, call, figures

from voip_engine.snapshots import CallSnapshot, DialogueLine, LineState, Speaker, Trouble, TurnSnapshot

REPLY = "Of course. For how many people, and at what time would you like to come?"
CUT_REPLY = (
    "We have a table by the window at half past seven, or one in the garden at eight, if the weather stays as it is."
)
CHATTER = (
    "Good evening, I would like to book a table for tomorrow.",
    REPLY,
    "Four of us, around seven.",
    CUT_REPLY,
    "The window one.",
    "Half past seven by the window, for four. Under which name?",
    "Lovelace. And one of us brings 三人の子供たち, is there a children's menu? 🍝🍕",
    "There is: small portions of everything, and spaghetti as long as they like.",
)


def said(
    number: int, text: str = "", state: LineState | None = None, *, ago_s: float = 0.0, **more: object
) -> DialogueLine:
    """Odd numbers are the caller's."""
    speaker = Speaker.CALLER if number % 2 else Speaker.AGENT
    state = state or (LineState.HEARD if number % 2 else LineState.SPOKEN)
    heard = len(text) if state is LineState.SPOKEN else 0
    fields = {"heard_characters": heard, "confidence": 0.93 if number % 2 and text else None, "language": "en", **more}
    return DialogueLine(number=number, speaker=speaker, state=state, started_at=NOON - ago_s, text=text, **fields)


def talk(seconds: float = 83.0) -> tuple[DialogueLine, ...]:
    """A table is booked; the agent was interrupted once, and the caller was hard to understand once."""
    lines = [said(number, text, ago_s=seconds - number * 7) for number, text in enumerate(CHATTER, start=1)]
    lines[3] = replace(
        lines[3], state=LineState.CUT, heard_characters=len("We have a table by the window at half past seven,")
    )
    lines[4] = replace(lines[4], confidence=0.41)
    return tuple(lines)


def turn(number: int, *stages: float) -> TurnSnapshot:
    """Cumulative milliseconds."""
    names = ("endpoint_ms", "text_ms", "first_token_ms", "first_audio_ms", "first_packet_ms")
    return TurnSnapshot(number=number, **dict(zip(names, stages, strict=False)))


TURNS = (
    turn(2, 502, 1043, 1321, 1498, 1512),
    turn(4, 503, 724, 866, 921, 934),
    turn(6, 501, 690, 742, 801, 813),
    turn(8, 504, 711, 790, 831, 842),
)

NO_WHISPER = Trouble(
    what="Whisper model base",
    detail="The Whisper model “base” is not on this machine, so nothing can be transcribed.",
    mend="voip-tui models pull whisper:base",
    model="whisper:base",
)


def booking(*more: DialogueLine, mode: str = "agent", activity: str = "listening") -> CallSnapshot:
    """The call on which the table is booked."""
    ada = call(1, "Ada Lovelace", ago_s=83, mode=mode, activity=activity, media=figures(-19, -100))
    return replace(ada, dialogue=(*talk(), *more), turns=TURNS)


def agents_at_work() -> list[CallSnapshot]:
    """Calls whose agents do everything that agents do."""
    hearing = said(9, state=LineState.HEARING, ago_s=1, confidence=None)
    rest = busy_day()[6:]
    at_work = [booking(hearing, activity="hearing")]
    for number, (name, mode, activity) in enumerate(
        (
            ("Grace Hopper", "agent", "speaking"),
            ("", "agent", "thinking"),
            ("Ludwig van Beethoven", "transcribe", "transcribing"),
            ("Hedy Lamarr", "agent", "paused"),
            ("Emmy Noether", "transcribe", "listening"),
        ),
        start=2,
    ):
        media = figures(-100 if activity in ("speaking", "thinking") else -22, -18 if activity == "speaking" else -100)
        at_work.append(call(number, name, codec=G722, mode=mode, activity=activity, ago_s=80 - 9 * number, media=media))
    troubled = call(7, "Alan Turing", mode="transcribe", activity="", ago_s=21, media=figures(-30, -100))
    return [
        *at_work,
        replace(troubled, trouble=NO_WHISPER),
        *(replace(old, call_id=str(20 + n)) for n, old in enumerate(rest[5:])),
    ]
