from __future__ import annotations

import numpy as np
import pytest

from voip_engine.calls.dialogue import LINES_KEPT, Dialogue
from voip_engine.events import AnyEvent, ReplyEnded, TranscriptAdded, TranscriptLost
from voip_engine.modes.base import Utterance
from voip_engine.snapshots import LineState, Speaker
from voip_engine.speech.base import Transcript

QUESTION = Utterance(np.zeros(16_000, np.float32), 3.0, ended_s=3.7, speech_ended_at=100.0, endpoint_at=100.5)


@pytest.fixture
def published() -> list[AnyEvent]:
    return []


@pytest.fixture
def dialogue(published: list[AnyEvent]) -> Dialogue:
    return Dialogue("7", published.append)


def text(words: str) -> Transcript:
    return Transcript(words, confidence=0.9, language="en", busy_s=0.2, waited_s=0.0)


def test_a_line_of_the_callers_grows_from_hearing_to_heard(dialogue: Dialogue, published: list[AnyEvent]) -> None:
    states = []
    dialogue.caller_started(3.2)
    states.append(dialogue.lines[0].state)
    number = dialogue.transcribing(QUESTION)
    states.append(dialogue.lines[0].state)
    dialogue.transcribed(number, text("Are you open?"))
    (line,) = dialogue.lines
    assert [*states, line.state] == [LineState.HEARING, LineState.TRANSCRIBING, LineState.HEARD]
    assert (line.speaker, line.text, line.confidence, line.language) == (Speaker.CALLER, "Are you open?", 0.9, "en")
    assert line.media_s == 3.0
    (event,) = published
    assert isinstance(event, TranscriptAdded)
    assert event.line == line


def test_what_was_no_speech_leaves_no_line(dialogue: Dialogue, published: list[AnyEvent]) -> None:
    dialogue.caller_started(3.2)
    dialogue.caller_unheard()
    assert dialogue.lines == ()
    dialogue.transcribed(dialogue.transcribing(QUESTION), text(""))
    assert dialogue.lines == ()
    assert published == []


def test_a_lost_utterance_says_why(dialogue: Dialogue, published: list[AnyEvent]) -> None:
    dialogue.lost(dialogue.transcribing(QUESTION), "Too many were waiting.")
    (line,) = dialogue.lines
    assert (line.state, line.detail) == (LineState.LOST, "Too many were waiting.")
    assert isinstance(published[0], TranscriptLost)


def test_a_reply_lights_up_as_it_is_heard_and_is_cut_there(dialogue: Dialogue, published: list[AnyEvent]) -> None:
    reply = dialogue.begin_reply(QUESTION)
    assert dialogue.lines[0].state is LineState.THINKING
    reply.reached("text", 100.75)
    reply.add("We are open ")
    reply.reached("first_token", 101.0)
    reply.add("until nine.")
    reply.reached("first_audio", 101.25)
    reply.reached("first_packet", 101.5)
    reply.reached("first_packet", 109.0)
    reply.heard(11)
    reply.heard(6)  # how fast the voice speaks was not known before
    assert (dialogue.lines[0].state, dialogue.lines[0].heard_characters) == (LineState.SPEAKING, 6)
    reply.pause(True)
    assert dialogue.lines[0].state is LineState.PAUSED
    reply.end(cut=True)
    (line,), (turn,) = dialogue.lines, dialogue.turns
    assert (line.state, line.text, line.heard_characters) == (LineState.CUT, "We are open until nine.", 6)
    assert (turn.endpoint_ms, turn.text_ms, turn.first_token_ms) == (500, 750, 1000)
    assert (turn.first_audio_ms, turn.first_packet_ms) == (1250, 1500)
    (event,) = published
    assert event == ReplyEnded(event.at, "7", line, turn)


def test_a_whole_reply_was_heard_to_its_end(dialogue: Dialogue) -> None:
    reply = dialogue.begin_reply()
    reply.add("Hello.")
    reply.reached("first_packet", 5.0)
    reply.end(cut=False)
    assert (dialogue.lines[0].state, dialogue.lines[0].heard_characters) == (LineState.SPOKEN, 6)
    assert dialogue.turns == ()


def test_a_discarded_reply_was_never_there(dialogue: Dialogue, published: list[AnyEvent]) -> None:
    reply = dialogue.begin_reply(QUESTION)
    reply.add("Well")
    reply.discard()
    reply.end(cut=True)
    assert (dialogue.lines, dialogue.turns, published) == ((), (), [])


def test_switching_off_a_mode_ends_its_replies(dialogue: Dialogue) -> None:
    dialogue.begin_reply(QUESTION).add("Never heard")
    dialogue.end_replies()
    assert (dialogue.lines[0].state, dialogue.lines[0].heard_characters) == (LineState.CUT, 0)


def test_what_is_kept_is_bounded_and_unchanged_lines_are_shared(dialogue: Dialogue) -> None:
    for _ in range(LINES_KEPT + 50):
        dialogue.transcribed(dialogue.transcribing(QUESTION), text("Yes."))
    assert len(dialogue.lines) == LINES_KEPT
    assert dialogue.lines[-1].number == LINES_KEPT + 50
    assert dialogue.lines is dialogue.lines
