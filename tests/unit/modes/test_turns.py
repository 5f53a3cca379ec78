from __future__ import annotations

import pytest

from voip_engine.modes.turns import (
    AllWordsHeard,
    BeginReply,
    CallerSaid,
    CancelReply,
    Effect,
    Event,
    Hold,
    OpeningWanted,
    ReplyAudible,
    ReplyFinished,
    Resume,
    Rules,
    SayIdlePrompt,
    SayOpening,
    SpeechStarted,
    SpeechStopped,
    TimePassed,
    Transcribed,
    TranscriptLost,
    Turns,
    UtteranceTaken,
    backchannel_words,
    is_backchannel,
)

WORDS = backchannel_words(["mhm", "mm-hmm", "yes", "i see", "d'accord", "hmm"])


class Played:
    """Turns under a clock that moves a tenth of a second an event."""

    def __init__(self, **rules: object) -> None:
        self.turns = Turns(Rules(**{"backchannels": WORDS, **rules}), 0.0)  # type: ignore[arg-type]
        self.now = 0.0
        self.number = 0

    def tell(self, *events: Event) -> list[Effect]:
        effects: list[Effect] = []
        for event in events:
            self.now += 0.1
            effects += self.turns.receive(event, self.now)
        return effects

    def speak(self) -> list[Effect]:
        return self.tell(SpeechStarted(self.now))

    def stop(self) -> list[Effect]:
        self.number += 1
        at_s = self.now
        return self.tell(SpeechStopped(at_s, False), UtteranceTaken(self.number, at_s))

    def say(self, text: str) -> list[Effect]:
        return self.speak() + self.stop() + self.tell(Transcribed(self.number, text))

    def wait(self, seconds: float) -> list[Effect]:
        self.now += seconds
        return self.turns.receive(TimePassed(), self.now)


def answering(**rules: object) -> Played:
    """The agent's first reply, number 1, is heard."""
    played = Played(**rules)
    played.say("Hello there.")
    played.tell(ReplyAudible(1))
    return played


def test_what_is_said_is_answered() -> None:
    assert Played().say("Are you open?") == [CallerSaid(1, "Are you open?"), BeginReply(1, 1)]


def test_a_listed_word_is_an_answer_while_the_agent_is_silent() -> None:
    assert Played().say("Yes.") == [CallerSaid(1, "Yes."), BeginReply(1, 1)]


def test_speech_holds_the_reply_and_a_text_cancels_it() -> None:
    played = answering()
    assert played.speak() == [Hold(1)]
    assert played.stop() == []
    assert played.tell(Transcribed(2, "But when?")) == [CallerSaid(2, "But when?"), CancelReply(1), BeginReply(2, 2)]


@pytest.mark.parametrize("text", ["Mhm.", "mm-hmm, yes", "", "I see. Yes!", "Mmmm-hmmmm", "D’accord."])
def test_a_listed_word_or_nothing_lets_the_reply_go_on(text: str) -> None:
    played = answering()
    assert played.say(text) == [Hold(1), Resume(1)]


def test_a_fragment_lets_the_reply_go_on() -> None:
    played = answering()
    assert played.tell(SpeechStarted(2.0), SpeechStopped(2.2, True)) == [Hold(1), Resume(1)]


def test_a_lost_transcript_lets_the_reply_go_on() -> None:
    played = answering()
    assert played.speak() + played.stop() + played.tell(TranscriptLost(2)) == [Hold(1), Resume(1)]


def test_a_transcript_that_does_not_come_lets_the_reply_go_on_and_still_counts_when_it_comes() -> None:
    played = answering()
    assert played.speak() + played.stop() == [Hold(1)]
    assert played.wait(7.5) == []
    assert played.wait(1.0) == [Resume(1)]
    assert played.tell(Transcribed(2, "Stop.")) == [CallerSaid(2, "Stop."), CancelReply(1), BeginReply(2, 2)]


def test_an_utterance_that_does_not_come_lets_the_reply_go_on() -> None:
    played = answering()
    played.tell(SpeechStarted(2.0), SpeechStopped(3.0, False))
    assert played.wait(9.0) == [Resume(1)]


def test_an_utterance_may_come_before_the_stop_is_told() -> None:
    played = answering()
    played.speak()
    played.tell(UtteranceTaken(2, 5.0), SpeechStopped(5.0, False))
    assert played.tell(Transcribed(2, "")) == [Resume(1)]


def test_a_sentence_added_before_the_reply_is_heard_gets_one_reply_to_both() -> None:
    played = Played()
    played.say("I want a table.")
    assert played.speak() == [Hold(1)]
    assert played.stop() == []
    assert played.tell(Transcribed(2, "For two.")) == [CallerSaid(2, "For two."), CancelReply(1), BeginReply(2, 2)]


def test_no_reply_begins_while_the_caller_goes_on() -> None:
    played = Played()
    played.speak()
    played.stop()
    assert played.speak() == []
    assert played.tell(Transcribed(1, "I want a table.")) == [CallerSaid(1, "I want a table.")]
    assert played.tell(SpeechStopped(9.0, True)) == [BeginReply(1, 1)]


def test_a_reply_to_several_utterances_waits_for_all_their_texts() -> None:
    played = Played()
    played.speak()
    played.stop()
    played.speak()
    played.stop()
    assert played.tell(Transcribed(1, "One.")) == [CallerSaid(1, "One.")]
    assert played.tell(Transcribed(2, "Two.")) == [CallerSaid(2, "Two."), BeginReply(1, 2)]


def test_a_cough_after_a_cough_keeps_the_reply_held_until_the_second_is_known() -> None:
    played = answering()
    played.speak()
    played.stop()
    played.speak()
    assert played.tell(Transcribed(2, "")) == []
    played.stop()
    assert played.tell(Transcribed(3, "mhm")) == [Resume(1)]


def test_half_a_minute_of_noise_does_not_hold_the_reply_any_longer() -> None:
    played = answering()
    played.tell(SpeechStarted(1.0))
    played.tell(UtteranceTaken(2, 29.0))
    assert played.tell(Transcribed(2, "")) == [Resume(1)]
    assert played.tell(SpeechStopped(40.0, True)) == []


def test_speech_whose_end_is_never_told_does_not_hold_the_reply_for_ever() -> None:
    played = answering()
    played.speak()
    assert played.wait(34) == []
    assert played.wait(2) == [Resume(1)]


def test_an_agent_that_may_not_be_interrupted_answers_when_it_is_through() -> None:
    played = answering(interruptible=False)
    assert played.say("But when?") == [CallerSaid(2, "But when?")]
    assert played.tell(ReplyFinished(1)) == [BeginReply(2, 2)]


def test_assent_to_an_agent_that_may_not_be_interrupted_is_no_answer_even_if_its_text_comes_late() -> None:
    played = answering(interruptible=False)
    played.speak()
    played.stop()
    played.tell(ReplyFinished(1))
    assert played.tell(Transcribed(2, "mhm")) == []


def test_yes_at_the_very_end_of_a_question_is_an_answer() -> None:
    played = answering()
    played.speak()
    played.stop()
    played.tell(AllWordsHeard(1))
    assert played.tell(Transcribed(2, "Yes.")) == [CallerSaid(2, "Yes."), CancelReply(1), BeginReply(2, 2)]


def test_yes_to_a_reply_that_ended_while_it_was_said_is_an_answer() -> None:
    played = answering()
    played.speak()
    played.tell(ReplyFinished(1))
    played.stop()
    assert played.tell(Transcribed(2, "Yes.")) == [CallerSaid(2, "Yes."), BeginReply(2, 2)]


def test_the_opening_is_said_and_answers_what_was_said_before_it() -> None:
    played = Played()
    assert played.tell(OpeningWanted()) == [SayOpening(1)]
    assert played.say("Hello?") == [Hold(1), CallerSaid(1, "Hello?"), Resume(1)]
    played.tell(ReplyAudible(1))
    assert played.tell(ReplyFinished(1)) == []


def test_the_opening_waits_for_a_caller_who_speaks() -> None:
    played = Played()
    played.speak()
    assert played.tell(OpeningWanted()) == [SayOpening(1), Hold(1)]


def test_into_silence_a_prompt_is_said_once() -> None:
    played = Played(idle_s=10.0)
    assert played.turns.deadline == 10.0
    assert played.wait(9.9) == []
    assert played.wait(0.1) == [SayIdlePrompt(1)]
    played.tell(ReplyAudible(1), ReplyFinished(1))
    assert played.turns.deadline is None
    assert played.wait(60) == []


def test_after_something_was_said_a_silence_counts_anew_from_the_end_of_the_reply() -> None:
    played = Played(idle_s=10.0)
    played.wait(10)
    played.tell(ReplyFinished(1))
    played.say("I am here.")
    played.tell(ReplyAudible(2))
    assert played.wait(30) == []
    played.tell(ReplyFinished(2))
    assert played.turns.deadline == pytest.approx(played.now + 10)
    assert played.wait(10) == [SayIdlePrompt(3)]


def test_no_prompt_while_the_caller_speaks_or_is_transcribed() -> None:
    played = Played(idle_s=3.0)
    played.speak()
    assert played.wait(4) == []
    played.stop()
    assert played.wait(4) == []
    played.tell(Transcribed(1, ""))
    assert played.wait(2.9) == []
    assert played.wait(0.2) == [SayIdlePrompt(1)]


def test_what_is_told_of_a_cancelled_reply_changes_nothing() -> None:
    played = answering()
    played.say("But when?")
    assert played.tell(ReplyAudible(1), AllWordsHeard(1), ReplyFinished(1)) == []
    assert played.turns.activity == "thinking"


def test_activity_in_a_word() -> None:
    played = Played()
    words = [played.turns.activity]
    for step in (
        lambda: played.speak(),
        lambda: played.stop(),
        lambda: played.tell(Transcribed(1, "Hello.")),
        lambda: played.tell(ReplyAudible(1)),
        lambda: played.speak(),
        lambda: played.tell(SpeechStopped(5.0, True)),
        lambda: played.tell(ReplyFinished(1)),
    ):
        step()
        words.append(played.turns.activity)
    assert words == ["listening", "hearing", "transcribing", "thinking", "speaking", "paused", "speaking", "listening"]


@pytest.mark.parametrize(
    ("text", "assent"),
    [
        ("Mhm", True),
        ("I see", True),
        ("I", False),
        ("see", False),
        ("yes I see mhm", True),
        ("yes but", False),
        ("", False),
        ("…", False),
        ("Hmmmm.", True),
    ],
)
def test_backchannels_are_texts_of_listed_phrases_only(text: str, assent: bool) -> None:
    assert is_backchannel(text, WORDS) is assent
