"""What all dialogues are: a screen over the calls that goes away once."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen

Result = TypeVar("Result")


class Modal(ModalScreen[Result]):
    """A dialogue that gives one result, however many keys come in before it is gone.

    A terminal may hand over several keys in one read. They are all on their way to the dialogue when the first of them
    dismisses it; what the others ask for then must neither answer again nor close whatever is below.
    """

    def dismiss(self, result: Result | None = None) -> AwaitComplete:
        """Give the result and go; nothing happens when the dialogue is no longer the one on top."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
