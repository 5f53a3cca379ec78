"""Whose turn it is to speak: pure rules, without a clock. What happens comes in with the time, what to do goes out.

                 speech                     text
 reply sounds ──────────► reply held ──────────────► reply cancelled, a new one begun to all that was said
       ▲                      │
       └──────────────────────┘ a cough, a word of assent, no text, or none in time

A reply is also held before its first packet, for as long as the caller may be adding a sentence to what it answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

TRANSCRIPT_S: Final = 8.0
"""So long a transcript is waited for after the caller stopped; one that comes later still counts."""
SPEECH_S: Final = 35.0
"""Speech of which nothing more is told for so long is over: an utterance has at most 29 s."""
SAME_END_S: Final = 0.1
"""An utterance belongs to a stop of speech if their ends differ by less."""

_NO_WORD: Final = re.compile(r"[^\w]+")
_DRAWN_OUT: Final = re.compile(r"(\w)\1{2,}")

# ---- what happens -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The caller began to speak at `at_s` on the media clock."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The caller stopped at `at_s` on the media clock; after a `fragment` no utterance follows."""

    at_s: float
    fragment: bool


@dataclass(frozen=True, slots=True)
class UtteranceTaken:
    """An utterance whose speech ends at `ended_s` on the media clock is being transcribed. Numbers count up."""

    number: int
    ended_s: float


@dataclass(frozen=True, slots=True)
class Transcribed:
    """An utterance's text; empty if nothing was said in it."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptLost:
    """An utterance will have no text."""

    number: int


@dataclass(frozen=True, slots=True)
class OpeningWanted:
    """The agent is to speak first."""


@dataclass(frozen=True, slots=True)
class ReplyAudible:
    """A reply's first packet went out."""

    reply: int


@dataclass(frozen=True, slots=True)
class AllWordsHeard:
    """Every word of a whole reply went out; what is left of it is silence."""

    reply: int


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """A reply is over, whole or for want of something."""

    reply: int


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened but that `Turns.deadline` came."""


Event = (
    SpeechStarted
    | SpeechStopped
    | UtteranceTaken
    | Transcribed
    | TranscriptLost
    | OpeningWanted
    | ReplyAudible
    | AllWordsHeard
    | ReplyFinished
    | TimePassed
)

# ---- what to do -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallerSaid:
    """An utterance's text belongs to the conversation."""

    utterance: int
    text: str


@dataclass(frozen=True, slots=True)
class BeginReply:
    """Answer all that was said since the last reply; `utterance` was the last of it."""

    reply: int
    utterance: int


@dataclass(frozen=True, slots=True)
class SayOpening:
    """Speak first."""

    reply: int


@dataclass(frozen=True, slots=True)
class SayIdlePrompt:
    """Nobody has spoken for long."""

    reply: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Pause the reply where it is, or don't let it begin to sound."""

    reply: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Let the reply go on, or begin, at that sample."""

    reply: int


@dataclass(frozen=True, slots=True)
class CancelReply:
    """Stop the reply for good: model, synthesis and playout."""

    reply: int


Effect = CallerSaid | BeginReply | SayOpening | SayIdlePrompt | Hold | Resume | CancelReply

# ---- rules ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rules:
    """What can be set. `idle_s` None: nothing is said into silence. `backchannels` as `normalized_words` gives them."""

    interruptible: bool = True
    backchannels: frozenset[tuple[str, ...]] = frozenset()
    idle_s: float | None = None


def normalized_words(text: str) -> tuple[str, ...]:
    """The words of a text without case, punctuation and drawn-out letters: `Mmm-hmmm!` gives `mm`, `hmm`."""
    letters = _NO_WORD.sub(" ", text.casefold().replace("'", "").replace("’", ""))
    return tuple(_DRAWN_OUT.sub(r"\1\1", letters).split())


def backchannel_words(phrases: Iterable[str]) -> frozenset[tuple[str, ...]]:
    """Listed words and phrases, as `is_backchannel` compares them."""
    return frozenset(filter(None, map(normalized_words, phrases)))


def is_backchannel(text: str, backchannels: frozenset[tuple[str, ...]]) -> bool:
    """Whether a text consists of listed words and phrases only. An empty text does not."""
    words = normalized_words(text)
    longest = max(map(len, backchannels), default=0)
    reachable = {0}
    for end in range(1, len(words) + 1):
        if any(end - size in reachable and words[end - size : end] in backchannels for size in range(1, longest + 1)):
            reachable.add(end)
    return bool(words) and len(words) in reachable


@dataclass(slots=True)
class _Reply:
    number: int
    opening: bool = False
    audible: bool = False
    held: bool = False
    all_heard: bool = False


@dataclass(slots=True)
class _Caller:
    """What the caller is doing. Times `…_s` are on the media clock, `since` and `news_at` are `now`s."""

    speaking: bool = False
    onset_s: float = 0.0
    over_reply: bool = False
    """The speech began while the agent was heard."""
    noise: bool = False
    """The speech that goes on held nothing so far."""
    news_at: float = 0.0
    stopped_s: float | None = None
    """Where speech ended whose utterance has not come."""
    taken_s: float = float("-inf")
    """Where the speech of the last utterance ended."""
    transcribing: dict[int, tuple[float, bool]] = field(default_factory=dict)
    """By utterance: where it ended, and whether it began while the agent was heard."""

    @property
    def waited_for(self) -> bool:
        """Whether a text may still come of what was said."""
        return self.stopped_s is not None or bool(self.transcribing)

    @property
    def busy(self) -> bool:
        """Whether it is not known yet what the caller says or said."""
        return self.waited_for or (self.speaking and not self.noise)


class Turns:
    """One call's turn-taking. There is at most one reply at a time, and it is held only while `deadline` is set.

    `rules` may be replaced at any time.
    """

    def __init__(self, rules: Rules, now: float) -> None:
        self.rules = rules
        self._caller = _Caller(news_at=now)
        self._reply: _Reply | None = None
        self._next_reply = 1
        self._unanswered: int | None = None
        self._quiet_since: float | None = now
        self._prompted = False

    @property
    def activity(self) -> str:
        """What goes on, in a word."""
        reply, caller = self._reply, self._caller
        if reply is not None and reply.audible:
            return "paused" if reply.held else "speaking"
        if caller.speaking and not caller.noise:
            return "hearing"
        if caller.waited_for:
            return "transcribing"
        return "thinking" if reply is not None else "listening"

    @property
    def deadline(self) -> float | None:
        """When `TimePassed` is due, if nothing else happens before."""
        if self._caller.busy:
            return self._caller.news_at + (SPEECH_S if self._caller.speaking else TRANSCRIPT_S)
        if self._quiet_since is None or self._prompted or self.rules.idle_s is None:
            return None
        return self._quiet_since + self.rules.idle_s

    def receive(self, event: Event, now: float) -> list[Effect]:
        """Take what happened at `now`; gives what to do, in order. What is told of replies that are over is ignored."""
        effects: list[Effect] = []
        match event:
            case SpeechStarted() | SpeechStopped() | UtteranceTaken():
                self._hear(event, now)
            case Transcribed(number, text):
                effects += self._understand(number, text)
            case TranscriptLost(number):
                self._understand(number, "")
            case OpeningWanted():
                if self._reply is None:
                    effects.append(SayOpening(self._new_reply(opening=True)))
            case TimePassed():
                effects += self._wait_no_longer(now)
            case _:
                self._follow(event)
        effects += self._settle()
        quiet = self._reply is None and self._unanswered is None and not self._caller.busy
        self._quiet_since = (now if self._quiet_since is None else self._quiet_since) if quiet else None
        return effects

    # ---- the caller ---------------------------------------------------------------------------------------------------

    def _hear(self, event: SpeechStarted | SpeechStopped | UtteranceTaken, now: float) -> None:
        caller = self._caller
        caller.news_at = now
        match event:
            case SpeechStarted(at_s):
                caller.speaking, caller.noise, caller.onset_s = True, False, at_s
                caller.over_reply = self._reply is not None and self._reply.audible
            case SpeechStopped(at_s, fragment):
                caller.speaking = caller.noise = False
                if not fragment and at_s > caller.taken_s + SAME_END_S:
                    caller.stopped_s = at_s
            case UtteranceTaken(number, ended_s):
                caller.transcribing[number] = (ended_s, caller.over_reply)
                caller.taken_s = ended_s
                if caller.stopped_s is not None and caller.stopped_s <= ended_s + SAME_END_S:
                    caller.stopped_s = None

    def _understand(self, number: int, text: str) -> list[Effect]:
        caller, reply = self._caller, self._reply
        ended_s, over_reply = caller.transcribing.pop(number, (float("-inf"), False))
        if not text.strip():
            # Half a minute of sound without a word, and it goes on: nobody speaks, whatever the detector says.
            caller.noise = caller.noise or (caller.speaking and caller.onset_s < ended_s)
            return []
        talked_over = over_reply if reply is None else (over_reply or reply.audible) and not reply.all_heard
        if talked_over and is_backchannel(text, self.rules.backchannels):
            return []
        self._unanswered = number
        self._prompted = False
        return [CallerSaid(number, text)]

    def _wait_no_longer(self, now: float) -> list[Effect]:
        if self.deadline is None or now < self.deadline:
            return []
        if self._caller.busy:
            self._caller.speaking = False
            self._caller.stopped_s = None
            self._caller.transcribing.clear()
            return []
        self._prompted = True
        return [SayIdlePrompt(self._new_reply())]

    # ---- the agent ----------------------------------------------------------------------------------------------------

    def _follow(self, event: Event) -> None:
        reply = self._reply
        match event:
            case ReplyAudible(number) if reply is not None and number == reply.number:
                reply.audible = True
            case AllWordsHeard(number) if reply is not None and number == reply.number:
                reply.all_heard = True
            case ReplyFinished(number) if reply is not None and number == reply.number:
                self._reply = None
                # Who spoke on to the end of the reply, or stopped it at its end, has answered it.
                caller = self._caller
                caller.over_reply = False
                if reply.held:
                    caller.transcribing = {key: (ended_s, False) for key, (ended_s, _) in caller.transcribing.items()}
            case _:
                pass

    def _settle(self) -> list[Effect]:
        """Bring the reply in line with what the caller does."""
        effects: list[Effect] = []
        reply = self._reply
        if reply is not None and self._unanswered is not None:
            if reply.opening and not reply.audible:
                self._unanswered = None  # "Hello?" before the greeting: the greeting answers it
            elif self.rules.interruptible or not reply.audible:
                effects.append(CancelReply(reply.number))
                self._reply = reply = None
        if reply is None and self._unanswered is not None and not self._caller.busy:
            effects.append(BeginReply(self._new_reply(), self._unanswered))
            self._unanswered = None
            return effects
        if reply is not None:
            hold = self._caller.busy and (self.rules.interruptible or not reply.audible)
            if hold != reply.held:
                effects.append(Hold(reply.number) if hold else Resume(reply.number))
                reply.held = hold
        return effects

    def _new_reply(self, *, opening: bool = False) -> int:
        self._reply = _Reply(self._next_reply, opening)
        self._next_reply += 1
        return self._reply.number
