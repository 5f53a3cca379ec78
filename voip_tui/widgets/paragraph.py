"""One line of a dialogue, wrapped, with what is to be said about it: how sure, in which language, how far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from voip_engine.snapshots import DialogueLine, LineState, Speaker
from voip_tui import words
from voip_tui.wrapping import Span, wrap

UNSURE_BELOW = 0.6
"""Mean probability of a token under which a transcript is shown as doubtful, with its figure."""
DOTS_CELLS = 4


@dataclass(frozen=True, slots=True)
class Note:
    """A remark after the text. `dots` move behind it while something is under way."""

    text: str
    role: str
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How a part of the text is drawn; `role` names a colour of the palette."""

    role: str
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A dialogue line in rows. `apart`: an empty row stands before it. `language`: the caller's, up to here."""

    line: DialogueLine
    text: str
    spans: tuple[Span, ...]
    notes: tuple[Note, ...]
    rows: int
    apart: bool
    language: str

    @property
    def height(self) -> int:
        """Rows with the empty one before."""
        return self.rows + self.apart

    @property
    def dots(self) -> bool:
        """Whether anything moves in it."""
        return any(note.dots for note in self.notes)

    def pieces(self, row: int) -> Iterator[tuple[str, Look]]:
        """The text of a row, cut where it changes its look."""
        if row >= len(self.spans):
            return
        start, end = self.spans[row]
        border, before, after = _looks(self.line)
        place = min(end, max(start, border))
        if place > start:
            yield self.text[start:place], before
        if end > place:
            yield self.text[place:end], after


def paragraph(line: DialogueLine, width: int, *, language: str, apart: bool) -> Paragraph:
    """Wrap a line to `width` cells. `language` is the one that is expected of the caller."""
    text = words.one_line(line.text).rstrip()
    if line.state is LineState.LOST:
        text = words.one_line(line.detail) or "This was not transcribed."
    notes = tuple(_notes(line, text, language))
    spans = wrap(text, width) if text else ()
    rows = len(spans)
    if notes:
        needed = sum(cell_len(note.text) + 2 + DOTS_CELLS * note.dots for note in notes) - 2
        used = cell_len(text[slice(*spans[-1])]) + 2 if spans else 0
        rows += not spans or used + needed > width
    heard = line.language if line.speaker is Speaker.CALLER and line.language else language
    return Paragraph(line, text, spans, notes, max(1, rows), apart, heard)


def _looks(line: DialogueLine) -> tuple[int, Look, Look]:
    """Up to which character the text looks one way, and how it looks before and after."""
    match line.state:
        case LineState.LOST:
            return 0, Look("fair"), Look("fair")
        case LineState.SPEAKING | LineState.PAUSED | LineState.THINKING:
            return line.heard_characters, Look("text"), Look("muted")
        case LineState.CUT:
            return line.heard_characters, Look("text"), Look("muted", struck=True)
    doubtful = line.confidence is not None and line.confidence < UNSURE_BELOW
    return len(line.text), Look("muted" if doubtful else "text"), Look("text")


def _notes(line: DialogueLine, text: str, language: str) -> Iterator[Note]:
    match line.state:
        case LineState.HEARING:
            yield Note("hearing", "caller", dots=True)
        case LineState.TRANSCRIBING:
            yield Note("transcribing", "muted", dots=True)
        case LineState.THINKING:
            yield Note("thinking", "accent", dots=True)
        case LineState.PAUSED:
            yield Note("‖ paused", "ours")
        case LineState.CUT:
            yield Note("cut off" if line.heard_characters else "not heard", "muted")
        case LineState.HEARD:
            if not text:
                yield Note("no words", "muted")
            if line.confidence is not None and line.confidence < UNSURE_BELOW:
                yield Note(f"{line.confidence * 100:.0f} % sure", "fair")
            if line.language and line.language != language:
                yield Note(words.clean(line.language), "accent")
