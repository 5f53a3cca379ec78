from __future__ import annotations

import pytest
from support.still_dialogue import CUT_REPLY, NO_WHISPER, REPLY, said, turn
from support.still_engine import NOON

from voip_engine.events import ModeTroubled, ReplyEnded, TranscriptAdded, TranscriptLost
from voip_engine.snapshots import LineState
from voip_tui.happenings import SPEECH_EVENTS, log_line

TOOK = turn(2, 500, 710, 790, 830, 842)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (TranscriptAdded(NOON, "1", said(1, "Four of us.")), "Caller: “Four of us.” (93 % sure)"),
        (TranscriptLost(NOON, "1", "The machine is behind."), "Not transcribed: The machine is behind."),
        (ReplyEnded(NOON, "1", said(2, REPLY), TOOK), f"Agent: “{REPLY}”, after 0.84 s"),
        (
            ReplyEnded(NOON, "1", said(4, CUT_REPLY, LineState.CUT, heard_characters=15), None),
            "Agent, cut off: “We have a table…”",
        ),
        (
            ReplyEnded(NOON, "1", said(4, CUT_REPLY, LineState.CUT), None),
            "Agent was cut off before a word was heard",
        ),
        (
            ModeTroubled(NOON, "1", NO_WHISPER),
            f"{NO_WHISPER.detail} Mended by: voip-tui models pull whisper:base",
        ),
    ],
)
def test_what_is_said_of_speech(event: object, text: str) -> None:
    assert log_line(event).text == text


def test_the_other_side_of_our_own_call_is_no_caller() -> None:
    heard = TranscriptAdded(NOON, "1", said(1, "Yes?", confidence=None))
    assert log_line(heard, other_side="Callee").text == "Callee: “Yes?”"


def test_transcripts_do_not_drown_the_log_of_all_calls() -> None:
    assert issubclass(TranscriptAdded, SPEECH_EVENTS)
    assert issubclass(ReplyEnded, SPEECH_EVENTS)
    assert not issubclass(ModeTroubled, SPEECH_EVENTS)
