"""What is special about a call, in one line: who it really is, who sent it here, where it is being sent."""

from __future__ import annotations

from collections.abc import Iterator

from textual.strip import Strip
from textual.widget import Widget

from voip_engine.snapshots import CallSnapshot, CallState, Holder, TransferState
from voip_tui import words
from voip_tui.doing import early_media_heard
from voip_tui.theme import Palette, style
from voip_tui.widgets.lines import Pieces, strip_of

Note = tuple[str, str]
"""A sentence and the role of its colour."""


class CallNotes(Widget):
    """One line, there only while there is something to say."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.palette = palette
        self._notes: tuple[Note, ...] = ()

    def show(self, call: CallSnapshot) -> None:
        """Show what is special about this call; draws only when a word differs."""
        notes = tuple(notes_of(call))
        if notes != self._notes:
            self._notes = notes
            self.display = bool(notes)
            self.refresh()

    def repaint(self, palette: Palette) -> None:
        """Draw anew in other colours."""
        self.palette = palette
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The sentences one after the other, the most pressing first."""
        palette, width = self.palette, self.size.width
        ground = style(palette.muted, palette.surface)
        pieces: Pieces = [("   ", ground)]
        for number, (text, role) in enumerate(self._notes):
            pieces += [("  ·  " if number else "", ground), (text, style(getattr(palette, role), palette.surface))]
        return strip_of(pieces, width, ground)


def notes_of(call: CallSnapshot) -> Iterator[Note]:
    """What is to be said of a call beyond its state."""
    if call.transfer is not None:
        failed = call.transfer.state is TransferState.FAILED
        yield f"→ {words.transfer(call.transfer)}", "fair" if failed else "accent"
    if call.state is CallState.CONNECTED and call.on_hold and call.mode != "silence":
        # RFC 3264 §8.4: whoever holds may go on sending, and is heard; nothing goes out while the other side holds.
        heard = call.held_by is Holder.US
        yield (
            ("what we play is heard there, as music on hold" if heard else "what we play waits: nothing is sent"),
            "fair",
        )
    if early_media_heard(call):
        yield "early media is heard", "accent"
    if call.asserted_uri:
        name, address = words.clean(call.peer_name), words.bare_uri(call.peer_uri)
        own = name or address
        differs = own not in (words.peer(call), words.bare_uri(call.asserted_uri))
        yield f"identified by the network{f', calls itself {own}' if differs else ''}", "muted"
    if call.referred_by:
        yield f"sent here by {words.bare_uri(call.referred_by)}", "muted"
