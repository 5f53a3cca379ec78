"""The command palette: every action by name, with the reason where one does not apply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Hits, Provider

from voip_tui.actions import ACTIONS

if TYPE_CHECKING:
    from voip_tui.screens.main import MainScreen


class ConsoleCommands(Provider):
    """Offers what applies now: the actions of the table, and each mode by name."""

    async def discover(self) -> Hits:
        """Everything that applies."""
        for title, explanation, run in self._commands():
            yield DiscoveryHit(title, run, help=explanation)

    async def search(self, query: str) -> Hits:
        """What applies and matches."""
        matcher = self.matcher(query)
        for title, explanation, run in self._commands():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), run, help=explanation)

    def _commands(self) -> Iterator[tuple[str, str, Callable[[], object]]]:
        main: MainScreen | None = getattr(self.app, "main", None)
        if main is None:
            return
        situation = main.situation
        for action in ACTIONS:
            if action.name != "command_palette" and action.why_not(situation) is None:
                yield (
                    f"{action.title}",
                    f"{action.explanation}  ({action.key_title})",
                    partial(main.run_action, action.name),
                )
                if action.name == "choose_mode":
                    for number, mode in enumerate(situation.modes, start=1):
                        yield (
                            f"Mode: {mode}",
                            f"Let {mode} handle the selected call.  ({number})",
                            partial(main.run_action, f"switch_mode({number})"),
                        )
