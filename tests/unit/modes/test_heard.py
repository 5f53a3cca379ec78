from __future__ import annotations

import numpy as np
from support.telephone import SECOND, tone

from voip_engine.audio import Audio
from voip_engine.modes.heard import HeardText, Pace
from voip_engine.modes.spoken import speakable


def silence(seconds: float) -> Audio:
    return np.zeros(int(seconds * SECOND), np.float32)


def add(heard: HeardText, reply: str, text: str, audio: Audio, *, whole: bool = True) -> None:
    start = reply.index(text)
    heard.begin_clause(text, start, start + len(text)).add(audio)
    if whole:
        heard.end_clause()


def reply(*clauses: tuple[str, Audio]) -> tuple[str, HeardText]:
    text = " ".join(clause for clause, _ in clauses)
    heard = HeardText(Pace(), speakable)
    for clause, audio in clauses:
        add(heard, text, clause, audio)
    return text, heard


def test_nothing_went_out_nothing_was_heard() -> None:
    _, heard = reply(("One two three.", tone(1)))
    assert heard.heard(0).text == ""
    assert heard.heard(0).characters == 0


def test_all_went_out_all_was_heard() -> None:
    text, heard = reply(("One two three.", tone(1)), ("Four five.", tone(1)))
    assert heard.heard(2 * SECOND).text == text
    assert heard.heard(2 * SECOND).characters == len(text)
    assert heard.all_heard(2 * SECOND)


def test_a_word_counts_when_more_than_half_of_it_went_out() -> None:
    _, heard = reply(("noon noon noon noon", tone(4)))
    assert heard.heard(int(1.4 * SECOND)).text == "noon"
    assert heard.heard(int(1.6 * SECOND)).text == "noon noon"


def test_silence_before_behind_and_between_shifts_nothing() -> None:
    pause = np.concatenate([silence(1), tone(1), silence(2), tone(1), silence(1)])
    _, heard = reply(("noon, noon", pause))
    assert heard.heard(int(0.99 * SECOND)).text == ""
    assert heard.heard(int(1.6 * SECOND)).text == "noon,"
    assert heard.heard(int(3.9 * SECOND)).text == "noon,"
    assert heard.heard(int(4.6 * SECOND)).text == "noon, noon"
    assert heard.all_heard(int(4.6 * SECOND))


def test_what_is_not_spoken_takes_no_time() -> None:
    text = "**noon** 😀 (https://example.org) noon"
    _, heard = reply((text, tone(2)))
    said = speakable(text)
    assert heard.heard(SECOND * 2).text == text
    assert heard.heard(int(0.1 * SECOND)).text == ""
    assert "noon" in said


def test_a_clause_that_was_never_spoken_was_not_heard() -> None:
    text = "One two. Three four. Five six."
    heard = HeardText(Pace(), speakable)
    add(heard, text, "One two.", tone(1))
    add(heard, text, "Five six.", tone(1))
    assert heard.heard(2 * SECOND).text == "One two. Five six."
    assert heard.heard(2 * SECOND).characters == len(text)


def test_of_a_clause_that_is_still_being_made_the_pace_says_how_much_was_heard() -> None:
    pace = Pace()
    clause = "noon noon noon noon noon noon noon noon"
    heard = HeardText(pace, speakable)
    add(heard, clause, clause, tone(8))
    for _ in range(20):
        HeardText(pace, speakable).begin_clause(clause, 0, len(clause))
        add(HeardText(pace, speakable), clause, clause, tone(8))
    growing = HeardText(pace, speakable)
    add(growing, clause, clause, tone(3), whole=False)
    assert growing.heard(3 * SECOND).text.count("noon") == 3
    assert not growing.all_heard(3 * SECOND)


def test_scripts_without_spaces_are_cut_between_characters() -> None:
    _, heard = reply(("今日は天気がいいですね。", tone(2.2)))
    assert 3 <= len(heard.heard(SECOND).text) <= 7
