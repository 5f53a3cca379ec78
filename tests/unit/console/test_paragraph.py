from __future__ import annotations

import pytest
from support.still_dialogue import CUT_REPLY, REPLY, said

from voip_engine.snapshots import LineState
from voip_tui.widgets.paragraph import Paragraph, paragraph


def made(line: object, *, language: str = "en", width: int = 60) -> Paragraph:
    return paragraph(line, width, language=language, apart=False)


def looks(shown: Paragraph) -> list[tuple[str, str, bool]]:
    return [(text, look.role, look.struck) for row in range(shown.rows) for text, look in shown.pieces(row)]


def notes(shown: Paragraph) -> list[str]:
    return [note.text for note in shown.notes]


@pytest.mark.parametrize(
    ("state", "number", "word"),
    [
        (LineState.HEARING, 1, "hearing"),
        (LineState.TRANSCRIBING, 1, "transcribing"),
        (LineState.THINKING, 2, "thinking"),
    ],
)
def test_what_is_under_way_moves(state: LineState, number: int, word: str) -> None:
    shown = made(said(number, state=state))
    assert notes(shown) == [word]
    assert shown.dots
    assert shown.rows == 1


def test_text_lights_up_as_it_is_heard() -> None:
    shown = made(said(2, REPLY, LineState.SPEAKING, heard_characters=10))
    assert looks(shown)[:2] == [(REPLY[:10], "text", False), (REPLY[10:59], "muted", False)]


def test_what_was_cut_is_struck_out_over_all_rows() -> None:
    shown = made(said(2, CUT_REPLY, LineState.CUT, heard_characters=48))
    heard, *rest = looks(shown)
    assert heard == (CUT_REPLY[:48], "text", False)
    assert all(struck and role == "muted" for _, role, struck in rest)
    assert "".join(text for text, _, _ in rest).split() == CUT_REPLY[48:].split()
    assert notes(shown) == ["cut off"]
    assert notes(made(said(2, REPLY, LineState.CUT))) == ["not heard"]


def test_a_held_reply_says_so() -> None:
    assert notes(made(said(2, REPLY, LineState.PAUSED, heard_characters=5))) == ["‖ paused"]


def test_doubtful_words_are_dimmed_with_their_figure() -> None:
    assert looks(made(said(1, "The window one.", confidence=0.41))) == [("The window one.", "muted", False)]
    assert notes(made(said(1, "The window one.", confidence=0.41))) == ["41 % sure"]
    assert notes(made(said(1, "The window one.", confidence=0.9))) == []


def test_another_language_than_expected_is_named() -> None:
    assert notes(made(said(1, "Guten Tag", language="de"))) == ["de"]
    assert notes(made(said(1, "Guten Tag", language="de"), language="de")) == []


def test_what_was_lost_says_why() -> None:
    shown = made(said(1, state=LineState.LOST, detail="Transcription is 20 s behind."))
    assert looks(shown) == [("Transcription is 20 s behind.", "fair", False)]


def test_a_note_without_room_gets_a_row_of_its_own() -> None:
    text = "a" * 60
    assert made(said(1, text, confidence=0.1)).rows == 2
    assert made(said(1, text[:40], confidence=0.1)).rows == 1


def test_nothing_said_on_a_call_controls_the_terminal() -> None:
    shown = made(said(2, "one\ntwo\x1b[2J\u202ethree", LineState.SPEAKING, heard_characters=4))
    text = "".join(text for text, _, _ in looks(shown))
    assert text.isprintable()
    assert text.startswith("one two")
