"""The waterfall of replies: how long each stage of each turn took, as stacked bars, and what is usual on this call."""

from __future__ import annotations

from collections.abc import Sequence

from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import DialogueLine, TurnSnapshot
from voip_tui import words
from voip_tui.theme import Palette, blend, style
from voip_tui.waterfall import STAGES, Parts, Usual, parts_of, seconds, usual
from voip_tui.widgets.lines import Pieces, ends, strip_of

LABEL_WIDTH = 9
TOTAL_WIDTH = 9
COLUMN_WIDTHS = (10, 14)
MOST_BARS = 100
SHORTEST_SCALE_MS = 1000.0
"""A bar of the whole width stands for this at least, so that quick replies look quick."""


def stage_colours(palette: Palette) -> tuple[str, ...]:
    """A colour for each stage: waiting, hearing, thinking, speaking, sending. None of them is a judgement's."""
    return (
        blend(palette.background, palette.text, 0.45),
        palette.caller,
        palette.accent,
        palette.ours,
        blend(palette.ours, palette.text, 0.6),
    )


class TurnLine(Widget):
    """The latest reply and what is usual, in one line."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._turns: Sequence[TurnSnapshot] = ()
        self._usual: tuple[Usual, Usual] | None = None

    def show(self, turns: Sequence[TurnSnapshot]) -> None:
        """Show the last of these turns; draws only when they differ."""
        if turns is not self._turns:
            self._turns, self._usual = turns, (usual(turns, 50), usual(turns, 95))
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """`reply 0.84 s  ▏endpoint 500 · text 210 · …    p50 0.84 s  p95 1.20 s`."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.surface)
        if not self._turns or self._usual is None:
            return Strip.blank(width, ground)
        plain = style(palette.text, palette.surface)
        turn = self._turns[-1]
        left: Pieces = [
            (" reply ", ground),
            (seconds(turn.first_packet_ms), style(palette.text, palette.surface, bold=True)),
            ("  ▏", ground),
        ]
        figures = ((" p50 ", self._usual[0].total), ("  p95 ", self._usual[1].total))
        right: Pieces = []
        for label, total in figures:
            right += [(label, ground), (seconds(total), plain)]
        right.append((" ", ground))
        room = width - sum(len(text) for text, _ in (*left, *right)) - 1
        short = sum(len(text) for text, _ in self._stages(parts_of(turn), letters=False)) > room
        return ends([*left, *self._stages(parts_of(turn), letters=short)], right, width, ground)

    def _stages(self, parts: Parts, *, letters: bool) -> Pieces:
        palette = self.palette
        ground = style(palette.muted, palette.surface)
        pieces: Pieces = []
        for stage, colour, part in zip(STAGES, stage_colours(palette), parts, strict=True):
            if part is not None:
                name = style(blend(colour, palette.text, 0.2), palette.surface)
                pieces += [(" · " if pieces and not letters else "  " if pieces else "", ground)]
                pieces += [(stage.letter if letters else stage.title, name), (f" {part:.0f}", ground)]
        return pieces


class Turns(Widget):
    """A table of what each stage usually takes, and a bar for each of the last turns, the latest first."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._turns: tuple[TurnSnapshot, ...] = ()
        self._starts: dict[int, str] = {}
        self._usual: tuple[tuple[str, Usual], ...] = ()

    def show(self, turns: tuple[TurnSnapshot, ...], dialogue: Sequence[DialogueLine], began_at: float) -> None:
        """Show these turns; the dialogue says when each was. Draws only when they differ."""
        if turns is self._turns:
            return
        self._turns = turns
        shown = {turn.number for turn in turns[-MOST_BARS:]}
        self._starts = {
            line.number: words.duration(line.started_at - began_at) for line in dialogue if line.number in shown
        }
        self._usual = (("p50", usual(turns, 50)), ("p95", usual(turns, 95)))
        self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The heading with its colours, two lines of percentiles, an empty one, and the bars."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        if not self._turns:
            text = (
                "  No replies yet: how long each one takes will stand here."
                if y == min(1, self.size.height - 1)
                else ""
            )
            return strip_of([(text, ground)], width, ground)
        if y == 0:
            return strip_of(self._heading(), width, ground)
        if y <= len(self._usual):
            return strip_of(self._percentiles(*self._usual[y - 1]), width, ground)
        place = len(self._turns) - 1 - (y - len(self._usual) - 2)
        if y == len(self._usual) + 1 or place < max(0, len(self._turns) - MOST_BARS):
            return Strip.blank(width, ground)
        return strip_of(self._bar(self._turns[place]), width, ground)

    @property
    def _column_width(self) -> int:
        shared = (self.size.width - LABEL_WIDTH - TOTAL_WIDTH - 1) // len(STAGES)
        return min(COLUMN_WIDTHS[1], max(COLUMN_WIDTHS[0], shared))

    def _heading(self) -> Pieces:
        palette = self.palette
        ground = style(palette.muted, palette.background)
        pieces: Pieces = [
            (" " * LABEL_WIDTH, ground),
            (words.fit("reply", TOTAL_WIDTH - 2, right=True) + "  ", ground),
        ]
        for stage, colour in zip(STAGES, stage_colours(palette), strict=True):
            gap = self._column_width - len(stage.title) - 4
            pieces += [
                (" " * gap, ground),
                (f" {stage.letter} ", style(palette.background, colour, bold=True)),
                (f" {stage.title}", ground),
            ]
        return pieces

    def _percentiles(self, label: str, figures: Usual) -> Pieces:
        palette = self.palette
        ground, plain = style(palette.muted, palette.background), style(palette.text, palette.background)
        pieces: Pieces = [
            (f" {label:<{LABEL_WIDTH - 1}}", ground),
            (f"{seconds(figures.total):>{TOTAL_WIDTH - 2}}  ", style(palette.text, palette.background, bold=True)),
        ]
        for part in figures.stages:
            figure = "—" if part is None else f"{part:.0f}"
            pieces += [(f"{figure:>{self._column_width - 3}}", plain), (" ms" if part is not None else "   ", ground)]
        return pieces

    def _bar(self, turn: TurnSnapshot) -> Pieces:
        palette = self.palette
        ground = style(palette.muted, palette.background)
        pieces: Pieces = [
            (f" {self._starts.get(turn.number, ''):>{LABEL_WIDTH - 2}} ", ground),
            (f"{seconds(turn.first_packet_ms):>{TOTAL_WIDTH - 2}}  ", style(palette.text, palette.background)),
        ]
        parts = parts_of(turn)
        room = self.size.width - LABEL_WIDTH - TOTAL_WIDTH - 2
        longest = max(sum(part or 0.0 for part in parts_of(known)) for known in self._turns[-self.size.height :])
        scale = room / max(SHORTEST_SCALE_MS, longest)
        passed = 0.0
        drawn = 0
        for stage, colour, part in zip(STAGES, stage_colours(palette), parts, strict=True):
            if part is None:
                continue
            passed += part
            # Each stage that was reached gets a cell, so that none vanishes; the next ones make up for it.
            end = min(room, max(drawn + 1, round(passed * scale)))
            pieces.append((label_in(stage.letter, part, end - drawn), style(palette.background, colour)))
            drawn = end
        return pieces


def label_in(letter: str, part_ms: float, cells: int) -> str:
    """What fits into a piece of a bar: letter and figure, the figure, the letter, or nothing."""
    for text in (f" {letter} {part_ms:.0f} ", f" {part_ms:.0f} ", f"{part_ms:.0f} ", letter):
        if len(text) <= cells:
            return text.ljust(cells)
    return ""
