"""One call as a row of the table: small values, so that what differs from the last row can be told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voip_engine.snapshots import CallSnapshot, CallState, MonitorState
from voip_tui import words
from voip_tui.doing import TROUBLED, converses, doing, early_media_heard
from voip_tui.history import CallView
from voip_tui.security import protection
from voip_tui.widgets.meter import eighths
from voip_tui.widgets.table_columns import Columns


@dataclass(frozen=True, slots=True)
class Word:
    """A cell of text. `role` names a colour of the palette."""

    text: str
    role: str = "text"
    bold: bool = False
    right: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A cell with a level meter, in eighths of a character cell."""

    filled: int
    peak: int


Cell = Word | Bar
Row = tuple[tuple[Cell, int], ...]
"""Cells with their widths, from left to right."""


STATE_ROLES = {
    CallState.INCOMING: "accent",
    CallState.CALLING: "muted",
    CallState.RINGING: "accent",
    CallState.CONNECTED: "text",
    CallState.ENDED: "muted",
}

MONITOR_SIGNS = {
    MonitorState.OFF: Word(" "),
    MonitorState.STARTING: Word("♪", "muted"),
    MonitorState.ON: Word("♪", "accent", bold=True),
    MonitorState.FAILED: Word("♪", "bad"),
}

GAP: tuple[Cell, int] = (Word(""), 1)


def row_of(view: CallView, now: float, layout: Columns) -> Row:
    """One call as cells."""
    call = view.call
    over = call.state is CallState.ENDED
    name_role = "muted" if over else "text"
    arrow_role = "faint" if over else "caller" if words.direction_arrow(call) == "↙" else "ours"
    if call.state is CallState.CONNECTED:
        middle = tuple(_media(view, layout))
    else:
        sentence = Word(_situation(view), "text" if call.state is CallState.INCOMING else "muted")
        middle = (GAP, (sentence, layout.media)) if layout.media else ()
    return (
        (Word(words.direction_arrow(call), arrow_role), 2),
        (Word(words.peer(call), name_role, bold=not over), layout.peer),
        GAP,
        (_state(call, state_colour(call), layout), layout.state),
        *middle,
        GAP,
        (Word(words.duration(words.length(call, now), short=layout.time < 7), name_role, right=True), layout.time),
        GAP,
        (MONITOR_SIGNS[call.monitor] if not over else MONITOR_SIGNS[MonitorState.OFF], 1),
    )


def _media(view: CallView, layout: Columns) -> Iterator[tuple[Cell, int]]:
    """The columns from the mode to the jitter, as far as there are any, each after its gap."""
    call = view.call
    shield = protection(call)
    if layout.mode:
        yield from (GAP, (Word(words.clean(call.mode)), layout.mode))
    if layout.codec:
        yield from (GAP, (Word(words.codec(call.codec, short=layout.codec < 7), "muted"), layout.codec))
        yield Word(shield.sign, shield.role), layout.sign
    if layout.meter:
        yield from (GAP, (_bar(view.level_in_dbfs, view.peak_in_dbfs, layout.meter), layout.meter))
        yield from (GAP, (_bar(view.level_out_dbfs, view.peak_out_dbfs, layout.meter), layout.meter))
    media = call.media
    if media.silent_s and layout.jitter:  # how long nothing has been heard: then the figures are old
        room = layout.loss + 1 + layout.jitter
        yield from (GAP, (Word(_silence(media.silent_s, room), "bad", right=True), room))
        return
    loss, jitter = words.percent(media.loss_percent), words.milliseconds(media.jitter_ms)
    if layout.loss:
        yield from (GAP, (Word(loss, loss_role(media.loss_percent), right=True), layout.loss))
    if layout.jitter:
        yield from (GAP, (Word(jitter, jitter_role(media.jitter_ms), right=True), layout.jitter))


def _silence(seconds: float, room: int) -> str:
    """How long nothing has been heard, in as many words as fit."""
    spellings = (f"no audio {seconds:.0f} s", f"quiet {seconds:.0f} s", f"quiet {words.duration(seconds, short=True)}")
    return next((spelling for spelling in spellings if len(spelling) <= room), "no audio")


def state_colour(call: CallSnapshot) -> str:
    """The role of the colour in which a call's state is written."""
    if call.state is CallState.CONNECTED and words.state(call) == "transfer":
        return "accent"
    return "fair" if call.on_hold and call.state is not CallState.ENDED else STATE_ROLES[call.state]


def _state(call: CallSnapshot, role: str, layout: Columns) -> Word:
    """Where the call stands; of one whose mode converses, what it is doing: then it is connected."""
    if call.media.silent_s and call.state is CallState.CONNECTED and not layout.jitter:
        return Word("no audio", "bad")
    if call.state is CallState.CONNECTED and words.state(call) == str(CallState.CONNECTED.value):
        if call.trouble is not None:
            return Word(str(TROUBLED), TROUBLED.role, bold=True)
        if converses(call) and (busy := doing(call)) is not None:
            return Word(str(busy), busy.role)
    return Word(words.state(call), role, bold=call.state is CallState.INCOMING)


def loss_role(percent: float) -> str:
    """Loss is unremarkable under 1 %, heard from there on, and a nuisance from 3 %."""
    return "muted" if percent < 1 else "fair" if percent < 3 else "bad"


def jitter_role(jitter_ms: float) -> str:
    """Jitter under 20 ms is unremarkable; from 40 ms on buffers cannot hide it."""
    return "muted" if jitter_ms < 20 else "fair" if jitter_ms < 40 else "bad"


def _bar(level_dbfs: float, peak_dbfs: float, cells: int) -> Bar:
    return Bar(eighths(level_dbfs, cells), eighths(peak_dbfs, cells))


def _situation(view: CallView) -> str:
    """A sentence where a call without media has room for one."""
    match view.call.state:
        case CallState.INCOMING:
            return "wants to talk: a answers, r rejects"
        case CallState.CALLING:
            return "no answer yet"
        case CallState.RINGING:
            return "it rings, with early media" if early_media_heard(view.call) else "it rings"
    return words.clean(view.call.end_reason) or "over"
