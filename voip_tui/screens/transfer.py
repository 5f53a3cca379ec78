"""The form that sends the other side of a call on to somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from voip_engine.snapshots import CallSnapshot, CallState
from voip_tui import words
from voip_tui.dialled import AddressError, complete_address
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette

SUGGESTION = "enter transfers, ↑ ↓ or tab move"


@dataclass(frozen=True, slots=True)
class TransferRequest:
    """Where to: a whole SIP URI, or the id of another call whose other side takes over."""

    address: str = ""
    call_id: str = ""


class TransferScreen(Modal[TransferRequest | None]):
    """Asks for an address, or for one of the other calls that are up. Calls come and go while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, palette: Palette, call: CallSnapshot, others: Sequence[CallSnapshot], now: float) -> None:
        super().__init__()
        self._palette, self._call, self._others, self._now = palette, call, tuple(others), now

    def compose(self) -> ComposeResult:
        """The form from top to bottom."""
        with Vertical(classes="dialogue", id="transfer"):
            yield Label(f"Transfer {words.peer(self._call)}", classes="title", markup=False)
            yield Input(placeholder="100, or sip:bob@pbx.example", id="address", compact=True)
            yield Label(SUGGESTION, id="problem", markup=False)
            yield Label("or connect with", classes="quiet heading")
            yield OptionList(compact=True)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Transfer", id="transfer-now", variant="primary", compact=True)

    def _line(self, other: CallSnapshot) -> Content:
        lasted = words.duration(words.length(other, self._now))
        said = f"{words.direction_arrow(other)} {words.peer(other)}"
        return Content.assemble(f" {said}", (f"  {words.state(other, whole=True)}  {lasted}", self._palette.muted))

    def on_mount(self) -> None:
        """The address is typed first."""
        self._list()
        self.query_one("#address").focus()

    def follow(self, calls: Sequence[CallSnapshot]) -> None:
        """Take in how all calls stand now: who has hung up is no longer offered, and it is said."""
        now = {call.call_id: call for call in calls}
        gone = [now.get(known.call_id, known) for known in self._others if not _is_up(now.get(known.call_id))]
        own = now.get(self._call.call_id, self._call)
        if own.state is CallState.ENDED and own.state is not self._call.state:
            self._say(f"{words.gone(own)} There is nobody to transfer.", wrong=True)
        elif gone:
            self._say(" ".join(words.gone(call) for call in gone), wrong=True)
        self._call = own
        others = tuple(call for call in calls if _is_up(call) and call.call_id != own.call_id)
        changed = [call.call_id for call in others] != [call.call_id for call in self._others]
        self._others = others
        if changed:
            self._list()

    def _list(self) -> None:
        """List the other calls anew; the cursor stays on its call, or goes."""
        options = self.query_one(OptionList)
        chosen = options.highlighted_option.id if options.highlighted_option is not None else None
        options.clear_options()
        options.add_options(Option(self._line(other), id=other.call_id) for other in self._others)
        ids = [other.call_id for other in self._others]
        options.highlighted = ids.index(chosen) if chosen in ids else None
        for part in (options, *self.query(".heading")):
            part.display = bool(self._others)
        if options.has_focus and not self._others:
            self.query_one("#address").focus()

    def _say(self, problem: str, *, wrong: bool = False) -> None:
        label = self.query_one("#problem", Label)
        label.set_class(wrong, "wrong")
        label.update(problem or SUGGESTION)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say where the other side will be sent while it is typed."""
        if not event.value.strip():
            self._say("")
            return
        try:
            whole = complete_address(event.value, self._call.account)
        except AddressError as error:
            self._say(str(error))
        else:
            self._say(f"transfers to {whole}" if whole != event.value.strip() else "")

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Whoever comes to the list begins at its first call."""
        if isinstance(event.widget, OptionList) and event.widget.highlighted is None:
            event.widget.highlighted = 0

    def on_input_submitted(self) -> None:
        """Enter in the address transfers."""
        self._transfer()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """So does the button; the other one closes."""
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self._transfer()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Another call is chosen: its other side takes over."""
        if event.option_id is not None and self._is_possible():
            self.dismiss(TransferRequest(call_id=event.option_id))

    def _is_possible(self) -> bool:
        if self._call.state is CallState.ENDED:
            self._say(f"{words.gone(self._call)} There is nobody to transfer.", wrong=True)
        return self._call.state is not CallState.ENDED

    def _transfer(self) -> None:
        if not self._is_possible():
            return
        try:
            address = complete_address(self.query_one("#address", Input).value, self._call.account)
        except AddressError as error:
            self._say(str(error), wrong=True)
            self.query_one("#address").focus()
            return
        self.dismiss(TransferRequest(address=address))

    def action_cancel(self) -> None:
        """Send nobody anywhere."""
        self.dismiss(None)


def _is_up(call: CallSnapshot | None) -> bool:
    return call is not None and call.state is CallState.CONNECTED
