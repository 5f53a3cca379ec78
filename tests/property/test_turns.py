from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from voip_engine.modes import turns
from voip_engine.modes.turns import Rules, Turns, backchannel_words

EVENTS = st.sampled_from(
    [
        *("start", "stop", "cough", "take", "text", "assent", "nothing", "lost", "late", "opening"),
        *("audible", "words", "finished", "stale", "wait", "long"),
    ]
)
RULES = st.builds(
    Rules,
    interruptible=st.booleans(),
    backchannels=st.just(backchannel_words(["mhm"])),
    idle_s=st.none() | st.just(5.0),
)


class Watched:
    """Turns whose effects are checked one by one."""

    def __init__(self, rules: Rules) -> None:
        self.turns = Turns(rules, 0.0)
        self.now = 0.0
        self.reply: int | None = None
        self.held = False
        self.begun = 0
        self.taken: list[int] = []
        self.number = 0

    def tell(self, event: turns.Event) -> None:
        for effect in self.turns.receive(event, self.now):
            match effect:
                case turns.BeginReply(reply) | turns.SayOpening(reply) | turns.SayIdlePrompt(reply):
                    assert self.reply is None, "two replies at once"
                    assert reply > self.begun, "a reply begun twice"
                    self.reply, self.begun, self.held = reply, reply, False
                case turns.Hold(reply):
                    assert reply == self.reply
                    assert not self.held
                    self.held = True
                case turns.Resume(reply):
                    assert reply == self.reply, "a cancelled reply goes on"
                    assert self.held
                    self.held = False
                case turns.CancelReply(reply):
                    assert reply == self.reply
                    self.reply = None
                case turns.CallerSaid():
                    pass
        if self.reply is not None and self.held:
            assert self.turns.deadline is not None, "held, and nothing is waited for"

    def happen(self, name: str) -> None:
        self.now += 0.3
        match name:
            case "start":
                self.tell(turns.SpeechStarted(self.now))
            case "stop" | "cough":
                self.tell(turns.SpeechStopped(self.now, name == "cough"))
            case "take":
                self.number += 1
                self.taken.append(self.number)
                self.tell(turns.UtteranceTaken(self.number, self.now))
            case "text" | "assent" | "nothing" | "lost" | "late":
                number = 999 if name == "late" or not self.taken else self.taken.pop(0)
                text = {"assent": "mhm", "nothing": ""}.get(name, "But when?")
                self.tell(turns.TranscriptLost(number) if name == "lost" else turns.Transcribed(number, text))
            case "opening":
                self.tell(turns.OpeningWanted())
            case "audible" | "words" | "finished" | "stale":
                reply = self.reply if name != "stale" and self.reply is not None else max(0, self.begun - 1)
                over = {"audible": turns.ReplyAudible(reply), "words": turns.AllWordsHeard(reply)}
                if name == "finished" and reply == self.reply:
                    self.reply = None
                self.tell(over.get(name, turns.ReplyFinished(reply)))
            case "wait" | "long":
                self.now += 3.0 if name == "wait" else 40.0
                self.tell(turns.TimePassed())


@settings(max_examples=300, deadline=None)
@given(RULES, st.lists(EVENTS, max_size=40))
def test_never_two_replies_never_held_for_ever_never_back_to_a_cancelled_one(rules: Rules, events: list[str]) -> None:
    watched = Watched(rules)
    for event in events:
        watched.happen(event)
    for _ in range(4):  # then nothing happens any more but time
        deadline = watched.turns.deadline
        if deadline is None:
            break
        watched.now = max(watched.now, deadline)
        watched.tell(turns.TimePassed())
    assert watched.reply is None or not watched.held


@settings(max_examples=200, deadline=None)
@given(RULES, st.lists(EVENTS, max_size=40))
def test_all_that_was_said_is_answered_in_the_end(rules: Rules, events: list[str]) -> None:
    watched = Watched(rules)
    for event in events:
        watched.happen(event)
    watched.happen("long")
    if watched.reply is not None:
        watched.happen("finished")
        if watched.reply is not None:
            watched.happen("finished")
    begun = watched.begun
    watched.happen("text")
    watched.happen("long")
    assert watched.begun == begun + 1
