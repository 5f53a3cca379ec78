"""The form that places a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Label, OptionList
from textual.widgets.option_list import Option

from voip_tui import words
from voip_tui.dialled import AddressError, complete_address
from voip_tui.screens.modal import Modal
from voip_tui.theme import Palette
from voip_tui.widgets.choice import Choice

HISTORY_SHOWN = 5
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class DialRequest:
    """What to dial: a whole SIP URI, from which account (None for a direct call), and what handles the call."""

    address: str
    account: str | None
    mode: str | None


class DialScreen(Modal[None]):
    """Asks for an address, an account and a mode. What cannot be dialled is said under the address as it is typed.

    `place` is told what to dial, and then either dismisses the form or refuses.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel"),
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(
        self,
        palette: Palette,
        *,
        accounts: tuple[str, ...],
        modes: tuple[str, ...],
        mode: str | None,
        history: tuple[str, ...],
        place: Callable[[DialRequest], object],
        address: str = "",
        account: str | None = None,
    ) -> None:
        super().__init__()
        self._begin_with = address
        direct = len(accounts) if address else 0
        self._from = accounts.index(account) if account in accounts else direct
        self._place, self._placing = place, False
        self._palette, self._accounts, self._modes, self._history = palette, accounts, modes, history[:HISTORY_SHOWN]
        self._mode = mode

    def compose(self) -> ComposeResult:
        """The form from top to bottom."""
        with Vertical(classes="dialogue", id="dial"):
            yield Label("Dial", classes="title")
            yield Input(self._begin_with, placeholder="sip:bob@192.0.2.7:5060", id="address", compact=True)
            yield Label("", id="problem", markup=False)
            if self._accounts:
                with Horizontal(classes="field"):
                    yield Label("from")
                    names = tuple(words.bare_uri(account) for account in self._accounts)
                    yield Choice(self._palette, (*names, DIRECT), index=self._from, id="account")
            if self._modes:
                with Horizontal(classes="field"):
                    yield Label("mode")
                    index = self._modes.index(self._mode) if self._mode in self._modes else 0
                    yield Choice(self._palette, self._modes, index=index, id="mode")
            if self._history:
                yield Label("dialled before", classes="quiet heading")
                yield OptionList(
                    *(Option(words.clean(address)) for address in self._history), compact=True, markup=False
                )
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button("Dial", id="dial-now", variant="primary", compact=True)

    def on_mount(self) -> None:
        """The address is typed first."""
        if self._history:
            self.query_one(OptionList).highlighted = None
        self.query_one("#address").focus()
        self._say("")

    @property
    def _account(self) -> str | None:
        if not self._accounts:
            return None
        index = self.query_one("#account", Choice).index
        return self._accounts[index] if index < len(self._accounts) else None

    def _say(self, problem: str, *, wrong: bool = False) -> None:
        label = self.query_one("#problem", Label)
        label.set_class(wrong, "wrong")
        label.update(problem or "enter dials, ↑ ↓ or tab move, ← → choose")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what will be dialled while it is typed."""
        if not event.value.strip():
            self._say("")
            return
        try:
            whole = complete_address(event.value, self._account)
        except AddressError as error:
            self._say(str(error))
        else:
            self._say(f"dials {whole}" if whole != event.value.strip() else "")

    def on_input_submitted(self) -> None:
        """Enter in the address dials."""
        self._dial()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """So does the button; the other one closes."""
        if event.button.id == "cancel":
            self.dismiss(None)
        else:
            self._dial()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """An address of before is taken over, to be dialled with another enter."""
        address = self.query_one("#address", Input)
        address.value = self._history[event.option_index]
        address.focus()
        address.cursor_position = len(address.value)

    def _dial(self) -> None:
        if self._placing:
            return
        account = self._account
        try:
            address = complete_address(self.query_one("#address", Input).value, account)
        except AddressError as error:
            self._say(str(error), wrong=True)
            self.query_one("#address").focus()
            return
        mode = self.query_one("#mode", Choice).value if self._modes else None
        self._placing = True
        self._say(f"dialling {address} …")
        self._place(DialRequest(address, account, mode))

    def refuse(self, reason: str) -> None:
        """Say why it was not dialled, and let the operator mend it."""
        self._placing = False
        self._say(reason, wrong=True)
        self.query_one("#address").focus()

    def action_cancel(self) -> None:
        """Dial nobody."""
        self.dismiss(None)
