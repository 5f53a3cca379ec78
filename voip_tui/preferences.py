"""The `[console]` table of the settings file: how the console looks and sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voip_engine import SettingsError


@dataclass(frozen=True, slots=True)
class Preferences:
    """`theme` is `night`, `day` or any of Textual's own; `bell` whether the terminal rings when somebody calls.

    `remember_dialled` is whether the addresses dialled lately are kept in a file.
    """

    theme: str = "night"
    bell: bool = True
    remember_dialled: bool = True

    @classmethod
    def parse(cls, table: Mapping[str, object]) -> Preferences:
        """Read the table. Raises SettingsError for what it cannot use; whether a theme exists is seen later."""
        unknown = sorted(table.keys() - {"theme", "bell", "remember_dialled"})
        if unknown:
            raise SettingsError(f"[console] has no setting {unknown[0]!r}; there are theme, bell and remember_dialled.")
        theme, bell = table.get("theme", "night"), table.get("bell", True)
        if not isinstance(theme, str):
            raise SettingsError('[console] theme is not the name of a theme. Example: theme = "day"')
        if not isinstance(bell, bool):
            raise SettingsError("[console] bell is neither true nor false. Example: bell = false")
        remember = table.get("remember_dialled", True)
        if not isinstance(remember, bool):
            raise SettingsError(
                "[console] remember_dialled is neither true nor false. Example: remember_dialled = false"
            )
        return cls(theme, bell, remember)
