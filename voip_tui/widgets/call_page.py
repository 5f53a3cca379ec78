"""Everything about one call: who, how loud, what is said, how fast, how good, what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallSnapshot, CallState, Holder, MonitorState
from voip_tui import words
from voip_tui.doing import CONVERSING, converses
from voip_tui.history import CallHistory, CallView
from voip_tui.pulling import Pull
from voip_tui.security import protection
from voip_tui.theme import Palette, blend, style
from voip_tui.transcripts import other_side
from voip_tui.widgets.call_rows import state_colour
from voip_tui.widgets.dialogue import NAME_WIDTHS, Dialogue
from voip_tui.widgets.facts import Facts
from voip_tui.widgets.ladder import Ladder
from voip_tui.widgets.lines import Pieces, ends, strip_of
from voip_tui.widgets.log_lines import LogLines
from voip_tui.widgets.notes import CallNotes
from voip_tui.widgets.tabs import PageTabs, Pane
from voip_tui.widgets.trouble import TroubleBanner
from voip_tui.widgets.turns import TurnLine, Turns
from voip_tui.widgets.voice import VoiceMeters, VoiceWave

if TYPE_CHECKING:
    from voip_engine import SipTraceEntry

ReadTrace: TypeAlias = "Callable[[], Sequence[SipTraceEntry]]"
SHORT_BELOW_HEIGHT = 24
TALL_FROM_HEIGHT = 44
WAVE_FROM_HEIGHT = 34
"""From here on a dialogue leaves room for the wave."""
NARROW_BELOW_WIDTH = 100
FACTS_BESIDE_A_WAVE = 10
"""How many lines of facts, with those of the notes, leave room for the wave on a page of 21 lines (80x24)."""


class CallPage(Vertical):
    """The page of the selected call. It gets a view and the call's history, and passes them on to its parts.

    The lower part is one of several panes: the operator's choice, or else what the call is about.
    """

    def __init__(self, palette: Palette, *, language: str | None = None, id: str | None = None) -> None:
        super().__init__(id=id)
        self._language = language
        self._chosen: Pane | None = None
        self._trouble = TroubleBanner(palette)
        self._tabs = PageTabs(palette)
        self._dialogue = Dialogue(palette)
        self._turn = TurnLine(palette)
        self._turns = Turns(palette)
        self._title = PageTitle(palette)
        self._meters = VoiceMeters(palette)
        self._wave = VoiceWave(palette)
        self._notes = CallNotes(palette)
        self._controls = Controls(palette)
        self._facts = Facts(palette)
        self._log = LogLines(palette, empty="nothing has happened yet")
        self._ladder = Ladder(palette)
        self._parts = (
            self._title,
            self._notes,
            self._trouble,
            self._meters,
            self._wave,
            self._controls,
            self._tabs,
            self._dialogue,
            self._turn,
            self._turns,
            self._facts,
            self._log,
            self._ladder,
        )
        self._shown: tuple[CallView, CallHistory, tuple[str, ...], float, Pull | None, ReadTrace] | None = None

    def compose(self) -> ComposeResult:
        """The parts from top to bottom."""
        self._log.can_focus = False
        yield from self._parts

    def show(
        self,
        view: CallView,
        history: CallHistory,
        modes: tuple[str, ...],
        now: float,
        pull: Pull | None = None,
        trace: ReadTrace = tuple,
    ) -> None:
        """Show a call as it stands; each part draws only what differs.

        `pull` is of the model that the call lacks. `trace` gives its SIP messages; it is asked only where they are shown.
        """
        self._shown = view, history, modes, now, pull, trace
        call, pane = view.call, self.pane
        began_at = call.answered_at if call.answered_at is not None else call.created_at
        for known in Pane:
            self.set_class(known is pane, f"-{known.value}")
        self.set_class(bool(history.turns), "-replied")
        self._title.show(view, now)
        self._notes.show(call)
        self._trouble.show(call.trouble if call.state is not CallState.ENDED else None, pull)
        self._tabs.show(call, pane, following=self._dialogue.following)
        self._dialogue.show(
            call.call_id,
            history.dialogue,
            name=speaker_name(call),
            began_at=began_at,
            language=self._language,
            empty=empty_dialogue(call, modes),
        )
        self._turn.show(history.turns)
        self._turns.show(history.turns, history.dialogue, began_at)
        self._meters.show(view)
        self._wave.show(history.levels)
        self._controls.show(view, modes)
        self._facts.show(view.call, history)
        self.set_class(self._facts.lines + self._notes.display > FACTS_BESIDE_A_WAVE, "-crowded")
        self._log.show(history.lines)
        if pane is Pane.SIP:
            self._ladder.show(call.call_id, trace())

    @property
    def pane(self) -> Pane:
        """Which pane is in sight."""
        if self._chosen is not None:
            return self._chosen
        return Pane.DIALOGUE if self._shown is not None and converses(self._shown[0].call) else Pane.LINE

    def choose(self, pane: Pane) -> None:
        """Show this pane from now on, of whichever call."""
        self._chosen = pane
        self._show_again()
        # What was hidden knows its size only then.
        self.call_after_refresh(self._show_again)

    def scroll(self, pages: float) -> None:
        """Scroll what can be scrolled, by so many pages; down is positive, infinity goes to either end."""
        part: Dialogue | LogLines | Ladder = (
            self._dialogue if self.pane is Pane.DIALOGUE else self._ladder if self.pane is Pane.SIP else self._log
        )
        if pages == float("inf"):
            part.scroll_end(animate=False)
        else:
            step = pages * max(1, part.size.height - 1)
            part.scroll_to(y=max(0.0, part.scroll_offset.y + step), animate=False)

    def pulse(self) -> None:
        """Let what is under way move."""
        if self.display:
            self._dialogue.pulse()

    def on_resize(self, event: events.Resize) -> None:
        """Lay out anew for the new size."""
        height = event.size.height
        self.set_class(height < SHORT_BELOW_HEIGHT, "-short")
        self.set_class(height >= TALL_FROM_HEIGHT, "-tall")
        self.set_class(height >= WAVE_FROM_HEIGHT, "-wave")
        self.call_after_refresh(self._show_again)

    def _show_again(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)

    def repaint(self, palette: Palette) -> None:
        """Draw everything anew in other colours."""
        for part in self._parts:
            part.repaint(palette)


def speaker_name(call: CallSnapshot) -> str:
    """The other side's name where it is short, or their first one, or else `Caller`."""
    if words.identity(call)[0]:
        name = words.peer(call)
        for short in (name, name.split()[0] if name.split() else ""):
            if 0 < cell_len(short) <= NAME_WIDTHS[1]:
                return short
    return other_side(call)


def empty_dialogue(call: CallSnapshot, modes: tuple[str, ...]) -> str:
    """What stands where a dialogue will be."""
    who = other_side(call).lower()
    if call.state is CallState.ENDED:
        return "Nothing was said."
    if call.state is not CallState.CONNECTED:
        return "The dialogue begins when the call is answered."
    if call.mode == "transcribe":
        return f"Nothing said yet. What the {who} says will appear here."
    if call.mode == "agent":
        return f"Nothing said yet. What the {who} and the agent say will appear here."
    keys = [f"{modes.index(mode) + 1} for {mode}" for mode in CONVERSING if mode in modes[:9]]
    return f"Nothing said yet: press {' or '.join(keys)}." if keys else "Nothing said yet."


class PageTitle(Widget):
    """Who is on the line, and how the call stands."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._view: CallView | None = None
        self._drawn: tuple[object, ...] = ()
        self._seconds = 0.0

    def show(self, view: CallView, now: float) -> None:
        """Show this call; draws once a second at most, or when a word differs."""
        call = view.call
        drawn = (
            words.identity(call),
            words.peer(call),
            words.state(call, whole=True),
            call.end_reason,
            call.security,
            int(words.length(call, now)),
        )
        if drawn != self._drawn:
            self._view, self._drawn, self._seconds = view, drawn, words.length(call, now)
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One bar across the page."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.surface)
        if self._view is None:
            return Strip.blank(width, ground)
        call = self._view.call
        name, address = words.peer(call), words.bare_uri(words.identity(call)[1])
        arrow = palette.caller if words.direction_arrow(call) == "↙" else palette.ours
        left: Pieces = [
            (f" {words.direction_arrow(call)} ", style(arrow, palette.surface, bold=True)),
            (name, style(palette.text, palette.surface, bold=True)),
            (f"  {address}" if address != name else "", ground),
        ]
        role, shield = state_colour(call), protection(call)
        said = call.end_reason if call.state is CallState.ENDED and call.end_reason else words.state(call, whole=True)
        right: Pieces = []
        if shield.word and call.state is not CallState.ENDED:
            right.append((f" {shield.sign} {shield.word} ", style(getattr(palette, shield.role), palette.surface)))
        right += [
            (f" {words.clean(said)}", style(getattr(palette, role), palette.surface)),
            (f"  {words.duration(self._seconds)} ", style(palette.text, palette.surface, bold=True)),
        ]
        return ends(left, right, width, ground)


class Controls(Widget):
    """The modes, listening and hold, as buttons that say how things stand."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._drawn: tuple[object, ...] = ()
        self._view: CallView | None = None
        self._modes: tuple[str, ...] = ()

    def show(self, view: CallView, modes: tuple[str, ...]) -> None:
        """Show this call's switches; draws only when one differs."""
        call = view.call
        drawn = (call.state, call.mode, call.monitor, call.held_by, modes)
        if drawn != self._drawn:
            self._drawn, self._view, self._modes = drawn, view, modes
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The switches in the middle one of three lines, in the lower one of two."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        if self._view is None or y != self.size.height // 2:
            return Strip.blank(width, ground)
        call = self._view.call
        if call.state is CallState.ENDED:
            pieces: Pieces = [(" over      " if width >= NARROW_BELOW_WIDTH else " ", ground)]
            for key, word, action in (("c", "call back", "call_back"), ("w", "save as text", "save_dialogue")):
                pieces += self._button(key, word, False, _click(action))
            pieces += self._button("tab", "other panes", False, _click("next_pane"))
            return strip_of(pieces, width, ground)
        pieces = [(" mode      " if width >= NARROW_BELOW_WIDTH else " ", ground)]
        for number, mode in enumerate(self._modes, start=1):
            click = Style.from_meta({"@click": f"screen.switch_mode({number})"})
            pieces += self._button(f"{number}", words.clean(mode), mode == call.mode, click)
        pieces.append(("   " if width >= NARROW_BELOW_WIDTH else " ", ground))
        listening = call.monitor in (MonitorState.ON, MonitorState.STARTING)
        pieces += self._button("l", "on speakers" if listening else "listen", listening, _click("monitor"))
        holding = call.held_by in (Holder.US, Holder.BOTH)
        pieces += self._button("h", "on hold" if holding else "hold", holding, _click("hold"))
        return strip_of(pieces, width, ground)

    def _button(self, key: str, word: str, on: bool, click: Style) -> Pieces:
        palette = self.palette
        back = blend(palette.background, palette.accent, 0.30) if on else palette.track
        return [
            (f" {key} ", style(palette.accent, back, bold=True) + click),
            (f"{word} ", style(palette.text if on else palette.muted, back, bold=on) + click),
            (" ", style(palette.text, palette.background)),
        ]


class Welcome(Widget):
    """What to do while there are no calls."""

    def __init__(self, palette: Palette, *, demo: bool) -> None:
        super().__init__()
        self.palette = palette
        self._demo = demo
        self._listening: tuple[str, ...] | None = None
        self._any_before = False

    def show(self, listening: tuple[str, ...] | None, *, any_before: bool) -> None:
        """Say where calls can come in, None while the engine starts; `any_before` is whether there have been calls."""
        if (listening, any_before) != (self._listening, self._any_before):
            self._listening, self._any_before = listening, any_before
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A few lines in the middle."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.background)
        lines = self._lines()
        number = y - max(0, (self.size.height - len(lines)) // 2 - 1)
        if not 0 <= number < len(lines):
            return Strip.blank(width, ground)
        longest = max(sum(len(text) for text, _ in line) for line in lines)
        return strip_of([(" " * max(0, (width - longest) // 2), ground), *lines[number]], width, ground)

    def _lines(self) -> list[Pieces]:
        palette = self.palette
        quiet, plain = style(palette.muted, palette.background), style(palette.text, palette.background)
        key = style(palette.accent, palette.background, bold=True)
        if self._listening is None:
            return [[("Starting …", quiet)]]
        lines: list[Pieces] = [
            [(f"No calls {'now' if self._any_before else 'yet'}", style(palette.text, palette.background, bold=True))],
            [],
        ]
        if self._demo:
            lines += [[("Callers come in a moment.", quiet)], []]
        elif self._listening:
            lines.append([("Call this address from any SIP phone:", quiet)])
            lines += [[("    ", quiet), (dialable(address), plain)] for address in self._listening]
            lines.append([])
        lines += [
            [("d", key + _click("dial")), ("  dials somebody", quiet)],
            [("?", key + _click("show_help")), ("  shows every key", quiet)],
        ]
        if not self._demo:
            lines += [[], [("voip-tui demo", plain), (" brings callers of its own", quiet)]]
        return lines


def dialable(address: str) -> str:
    """`sip:127.0.0.1:5060;transport=tcp` for the bound address `tcp:127.0.0.1:5060`."""
    transport, _, place = address.partition(":")
    return f"sip:{words.clean(place)}" + ("" if transport == "udp" else f";transport={words.clean(transport)}")


def _click(action: str) -> Style:
    return Style.from_meta({"@click": f"screen.{action}"})
