"""What was said on a call, line by line as it grows, and how long each reply took.

Lines are frozen; a change replaces one. Snapshots share them, so that a call on which nothing is said costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from msgspec.structs import replace

from voip_engine import events
from voip_engine.modes.base import Stage, Utterance
from voip_engine.snapshots import DialogueLine, LineState, Speaker, TurnSnapshot
from voip_engine.speech.base import Transcript

LINES_KEPT: Final = 200
TURNS_KEPT: Final = 100

_MODE_STATES: Final = (LineState.THINKING, LineState.SPEAKING, LineState.PAUSED)


class Dialogue:
    """The lines of one call. Of more than 200 the oldest are forgotten."""

    def __init__(self, call_id: str, publish: Callable[[events.AnyEvent], None]) -> None:
        self._call_id = call_id
        self._publish = publish
        self._lines: dict[int, DialogueLine] = {}
        self._turns: dict[int, TurnSnapshot] = {}
        self._next_number = 1
        self._hearing: int | None = None
        self._snapshot: tuple[DialogueLine, ...] | None = ()
        self._turn_snapshot: tuple[TurnSnapshot, ...] | None = ()

    @property
    def lines(self) -> tuple[DialogueLine, ...]:
        """The lines as they stand, the oldest first."""
        if self._snapshot is None:
            self._snapshot = tuple(self._lines.values())
        return self._snapshot

    @property
    def turns(self) -> tuple[TurnSnapshot, ...]:
        """The replies' timings, the oldest first."""
        if self._turn_snapshot is None:
            self._turn_snapshot = tuple(self._turns.values())
        return self._turn_snapshot

    # ---- the caller ---------------------------------------------------------------------------------------------------

    def caller_started(self, media_s: float) -> None:
        """The caller begins to say something that will be transcribed."""
        self.caller_unheard()
        self._hearing = self._add(Speaker.CALLER, LineState.HEARING, media_s)

    def caller_unheard(self) -> None:
        """What the caller said, or is saying, will not be transcribed."""
        if self._hearing is not None:
            self._remove(self._hearing)
            self._hearing = None

    def transcribing(self, utterance: Utterance) -> int:
        """An utterance is on its way to be transcribed; returns its line's number."""
        number, self._hearing = self._hearing, None
        if number is None:
            number = self._add(Speaker.CALLER, LineState.TRANSCRIBING, utterance.started_s)
        ended_at = time.time()
        started_at = min(self._lines[number].started_at, ended_at - utterance.duration_s)
        self._change(
            number,
            state=LineState.TRANSCRIBING,
            started_at=started_at,
            ended_at=ended_at,
            media_s=utterance.started_s,
        )
        return number

    def transcribed(self, number: int, transcript: Transcript) -> None:
        """The text is there, or there is nothing in it that was said."""
        if not transcript.text:
            self._remove(number)
            return
        line = self._change(
            number,
            state=LineState.HEARD,
            text=transcript.text,
            confidence=transcript.confidence,
            language=transcript.language,
        )
        if line is not None:
            self._publish(events.TranscriptAdded(time.time(), self._call_id, line))

    def lost(self, number: int, reason: str) -> None:
        """The text will never come."""
        self._change(number, state=LineState.LOST, detail=reason)
        self._publish(events.TranscriptLost(time.time(), self._call_id, reason))

    # ---- the agent ----------------------------------------------------------------------------------------------------

    def begin_reply(self, utterance: Utterance | None = None) -> DialogueReply:
        """Begin a line of the agent's."""
        number = self._add(Speaker.AGENT, LineState.THINKING, utterance.ended_s if utterance else 0.0)
        if utterance is not None:
            endpoint_ms = (utterance.endpoint_at - utterance.speech_ended_at) * 1000
            self._turns[number] = TurnSnapshot(number=number, endpoint_ms=endpoint_ms)
            self._turn_snapshot = None
        return DialogueReply(self, number, utterance.speech_ended_at if utterance else None)

    def end_replies(self) -> None:
        """End what a mode left unfinished when it was switched off."""
        for line in self.lines:
            if line.state in _MODE_STATES:
                self._end_reply(line.number, cut=True)

    def _end_reply(self, number: int, *, cut: bool) -> None:
        line = self._lines.get(number)
        if line is None or line.state not in _MODE_STATES:
            return
        heard = line.heard_characters if cut else len(line.text)
        state = LineState.CUT if cut else LineState.SPOKEN
        ended = self._change(number, state=state, ended_at=time.time(), heard_characters=heard)
        if ended is not None:
            self._publish(events.ReplyEnded(time.time(), self._call_id, ended, self._turns.get(number)))

    def _discard_reply(self, number: int) -> None:
        self._remove(number)
        if self._turns.pop(number, None) is not None:
            self._turn_snapshot = None

    def _reached(self, number: int, stage: Stage, elapsed_ms: float) -> None:
        turn = self._turns.get(number)
        field = f"{stage}_ms"
        if turn is not None and getattr(turn, field) is None:
            changes: dict[str, Any] = {field: elapsed_ms}
            self._turns[number] = replace(turn, **changes)
            self._turn_snapshot = None

    # ---- lines --------------------------------------------------------------------------------------------------------

    def _add(self, speaker: Speaker, state: LineState, media_s: float) -> int:
        number = self._next_number
        self._next_number += 1
        self._lines[number] = DialogueLine(
            number=number, speaker=speaker, state=state, started_at=time.time(), media_s=media_s
        )
        if len(self._lines) > LINES_KEPT:
            del self._lines[next(iter(self._lines))]
        if len(self._turns) > TURNS_KEPT:
            del self._turns[next(iter(self._turns))]
        self._snapshot = None
        return number

    def _change(self, number: int, **changes: Any) -> DialogueLine | None:
        line = self._lines.get(number)
        if line is None:
            return None
        changed = replace(line, **changes)
        if changed != line:
            self._lines[number] = changed
            self._snapshot = None
        return changed

    def _remove(self, number: int) -> None:
        if self._lines.pop(number, None) is not None:
            self._snapshot = None


class DialogueReply:
    """One reply of the agent's as its mode writes it (modes.base.Reply)."""

    def __init__(self, dialogue: Dialogue, number: int, speech_ended_at: float | None) -> None:
        self._dialogue = dialogue
        self._number = number
        self._speech_ended_at = speech_ended_at

    def add(self, text: str) -> None:
        """Append to the text."""
        line = self._dialogue._lines.get(self._number)
        if line is not None:
            self._dialogue._change(self._number, text=line.text + text)

    def heard(self, characters: int) -> None:
        """So much of the text was heard by now, as far as is known: more audio of a clause may show that it was less."""
        line = self._dialogue._lines.get(self._number)
        if line is not None and characters != line.heard_characters and line.state in _MODE_STATES:
            self._dialogue._change(self._number, heard_characters=min(characters, len(line.text)))
            if line.state is LineState.THINKING:
                self._dialogue._change(self._number, state=LineState.SPEAKING)

    def pause(self, paused: bool) -> None:
        """The reply is held, or goes on."""
        line = self._dialogue._lines.get(self._number)
        if line is not None and line.state in (LineState.SPEAKING, LineState.PAUSED):
            self._dialogue._change(self._number, state=LineState.PAUSED if paused else LineState.SPEAKING)

    def reached(self, stage: Stage, at: float) -> None:
        """Note when a stage was reached, on `time.monotonic`; only the first time counts."""
        if self._speech_ended_at is not None:
            self._dialogue._reached(self._number, stage, (at - self._speech_ended_at) * 1000)
        if stage == "first_packet":
            self._dialogue._change(self._number, state=LineState.SPEAKING)

    def end(self, *, cut: bool) -> None:
        """All of it was heard, or it was cut where `heard` says."""
        self._dialogue._end_reply(self._number, cut=cut)

    def discard(self) -> None:
        """Take the line back."""
        self._dialogue._discard_reply(self._number)
