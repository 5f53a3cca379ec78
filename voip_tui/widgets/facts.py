"""What was negotiated on a call and what its packets are doing, as label and figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallSnapshot, CallState
from voip_tui import words
from voip_tui.history import CallHistory
from voip_tui.quality import line_quality
from voip_tui.security import protection
from voip_tui.theme import Palette, blend, style
from voip_tui.widgets.call_rows import jitter_role, loss_role
from voip_tui.widgets.lines import Pieces, strip_of
from voip_tui.widgets.meter import sparkline

LABEL_WIDTH = 11
THREE_COLUMNS_FROM = 108
GRAPH_CELLS = 60
GRAPH_AFTER = 9
"""Cells for the figure before its graph."""
LOSS_CEILING_PERCENT = 2.0
JITTER_CEILING_MS = 10.0
"""What fills a graph's cell at least; larger values make the whole graph lower."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A label, its figure, and a little graph behind it."""

    label: str
    value: str
    role: str = "text"
    graph: str = ""


class Facts(Widget):
    """Facts in two columns, in three where there is room."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._columns: list[list[Fact]] = []

    def show(self, call: CallSnapshot, history: CallHistory) -> None:
        """Show a call's facts; draws only the lines on which one differs."""
        columns = facts_of(call, history, self.size.width)
        if [len(column) for column in columns] != [len(column) for column in self._columns]:
            lines, self._columns = self.lines, columns
            self.refresh(layout=self.lines != lines)
            return
        changed = {
            line
            for before, after in zip(self._columns, columns, strict=True)
            for line, (old, new) in enumerate(zip(before, after, strict=True))
            if old != new
        }
        self._columns = columns
        if changed:
            self.refresh(*(Region(0, line, self.size.width, 1) for line in changed))

    @property
    def lines(self) -> int:
        """How many lines the longest column has."""
        return max((len(column) for column in self._columns), default=0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are facts, and what is too long for one."""
        return self.lines

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One fact of every column."""
        palette, width = self.palette, self.size.width
        ground = style(palette.text, palette.background)
        if not self._columns:
            return Strip.blank(width, ground)
        share = width // len(self._columns)
        parts = []
        for number, column in enumerate(self._columns):
            room = share if number + 1 < len(self._columns) else width - share * number
            parts.append(strip_of(_pieces(column[y], room, palette) if y < len(column) else [], room, ground))
        return Strip.join(parts)


def _pieces(fact: Fact, room: int, palette: Palette) -> Pieces:
    label = style(palette.muted, palette.background)
    value_width = GRAPH_AFTER if fact.graph else _value_width(room)
    pieces: Pieces = [
        (" " + words.fit(fact.label, LABEL_WIDTH), label),
        (words.fit(fact.value, value_width), style(getattr(palette, fact.role), palette.background)),
    ]
    if fact.graph:
        graph = fact.graph[-max(1, room - LABEL_WIDTH - GRAPH_AFTER - 4) :]
        colour = palette.muted if fact.role == "text" else blend(palette.background, getattr(palette, fact.role), 0.7)
        pieces.append((graph, style(colour, palette.background)))
    return pieces


def _value_width(room: int) -> int:
    return room - LABEL_WIDTH - 3


def _wrapped(column: list[Fact], room: int) -> list[Fact]:
    """The facts of a column `room` cells wide; what is too long for a line goes on below."""
    lines: list[Fact] = []
    for fact in column:
        rest = replace(fact)
        while not fact.graph and cell_len(rest.value) > max(8, _value_width(room)):
            head = words.head(rest.value, max(8, _value_width(room)))
            lines.append(replace(rest, value=head))
            rest = replace(rest, label="", value=rest.value[len(head) :])
        lines.append(rest)
    return lines


def facts_of(call: CallSnapshot, history: CallHistory, width: int) -> list[list[Fact]]:
    """The columns of facts for a page of `width` cells."""
    line, packets, route = _line(call, history), _packets(call, history), _route(call)
    if width >= THREE_COLUMNS_FROM:
        return [_wrapped(column, width // 3) for column in (line, route, packets)]
    figures = call.media
    short = [
        Fact("packets", f"{figures.received_packets:,} in, {figures.sent_packets:,} out"),
        Fact(
            "",
            f"{figures.lost_packets:,} lost, {figures.late_packets:,} late, {figures.duplicate_packets:,} twice",
            "muted",
        ),
    ]
    return [_wrapped(column, width // 2) for column in ([*line, *short], [*route, *_identity(call)])]


def _line(call: CallSnapshot, history: CallHistory) -> list[Fact]:
    media = call.media
    quality = Fact("quality", "—", "muted")
    if call.codec is not None and call.state is CallState.CONNECTED and media.received_packets and not media.silent_s:
        estimate = line_quality(media, call.codec)
        role = "good" if estimate.rating >= 80 else "fair" if estimate.rating >= 60 else "bad"
        quality = Fact("quality", f"{estimate.mos:.1f} {estimate.word}", role)
    if media.silent_s:
        quality = Fact("quality", f"no audio for {media.silent_s:.0f} s", "bad")
    loss, jitter = loss_role(media.loss_percent), jitter_role(media.jitter_ms)
    far = f"{words.percent(media.remote_loss_percent)} loss, {words.milliseconds(media.remote_jitter_ms)} jitter"
    return [
        quality,
        Fact(
            "loss",
            words.percent(media.loss_percent),
            "text" if loss == "muted" else loss,
            _graph(history.loss, LOSS_CEILING_PERCENT),
        ),
        Fact(
            "jitter",
            words.milliseconds(media.jitter_ms),
            "text" if jitter == "muted" else jitter,
            _graph(history.jitter, JITTER_CEILING_MS),
        ),
        Fact("round trip", words.milliseconds(media.round_trip_ms)),
        Fact("buffer", words.milliseconds(media.buffer_ms)),
        Fact(
            "they hear",
            far if media.remote_loss_percent is not None else "no report yet",
            "text" if media.remote_loss_percent is not None else "muted",
        ),
        Fact("concealed", f"{media.concealed_ms / 1000:.2f} s" if media.concealed_ms else "nothing"),
    ]


def _graph(values: Sequence[float], ceiling: float) -> str:
    return sparkline(values, GRAPH_CELLS, max(ceiling, *values)) if values else ""


def _packets(call: CallSnapshot, history: CallHistory) -> list[Fact]:
    media = call.media
    return [
        Fact("received", f"{media.received_packets:,}"),
        Fact("sent", f"{media.sent_packets:,}"),
        Fact("lost", f"{media.lost_packets:,}"),
        Fact("late", f"{media.late_packets:,}, {media.duplicate_packets:,} twice"),
        Fact("not taken", f"{media.rejected_packets:,}"),
        *([Fact("", history.not_taken, "muted")] if history.not_taken else []),
        *_identity(call),
    ]


def _identity(call: CallSnapshot) -> list[Fact]:
    return [
        Fact("account", words.bare_uri(call.account) if call.account else "none, a direct call"),
        Fact("call id", words.clean(call.sip_call_id), "muted"),
    ]


def _route(call: CallSnapshot) -> list[Fact]:
    codec, shield = call.codec, protection(call)
    return [
        Fact("codec", f"{words.codec(codec)}, {words.rate(codec.audio_rate_hz)} audio" if codec else "none yet"),
        Fact(
            "payload",
            f"{codec.payload_type} · {words.rate(codec.clock_rate_hz)} clock · {codec.packet_ms} ms" if codec else "—",
        ),
        Fact("encryption", shield.detail if codec else "—", "fair" if shield.role == "fair" else "text"),
        Fact("signalling", f"{words.clean(call.transport)} {words.clean(call.remote_signalling)}".strip() or "—"),
        Fact("RTP here", words.clean(call.local_rtp) or "—"),
        Fact("RTP there", words.clean(call.remote_rtp) or "—"),
        Fact("address", words.clean(words.identity(call)[1])),
    ]
