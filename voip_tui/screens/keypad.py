"""The telephone keypad: what is pressed here goes out as tones on one call."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Vertical
from textual.widgets import Button, Label

from voip_tui.screens.modal import Modal

KEYS = "123456789*0#"
SHOWN = 24


class KeypadScreen(Modal[None]):
    """Twelve keys, by mouse or keyboard. Every one is handed to `press` at once."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,t", "close", "Close")]

    def __init__(self, peer: str, press: Callable[[str], None]) -> None:
        super().__init__()
        self._peer, self._press, self._pressed = peer, press, ""

    def compose(self) -> ComposeResult:
        """What was pressed, and the keys."""
        with Vertical(classes="dialogue", id="keypad"):
            yield Label(f"Keys to {self._peer}", classes="title", markup=False)
            yield Label("…", id="pressed", markup=False)
            with Grid():
                for number, key in enumerate(KEYS):
                    yield Button(key, id=f"key{number}", compact=True)
            yield Label("0-9 * #    esc closes", classes="quiet")

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A click presses."""
        self._send(KEYS[int((event.button.id or "key0").removeprefix("key"))])

    def on_key(self, event: events.Key) -> None:
        """So does the keyboard."""
        if event.character and event.character in KEYS:
            event.stop()
            self._send(event.character)

    def _send(self, key: str) -> None:
        self._pressed = (self._pressed + key)[-SHOWN:]
        self.query_one("#pressed", Label).update(self._pressed)
        self._press(key)

    def action_close(self) -> None:
        """Back to the calls."""
        self.dismiss(None)
