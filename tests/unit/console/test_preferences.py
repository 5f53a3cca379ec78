from __future__ import annotations

import pytest

from voip_engine import SettingsError
from voip_tui.preferences import Preferences


def test_what_is_not_said_is_as_it_comes() -> None:
    assert Preferences.parse({}) == Preferences("night", True)
    assert Preferences.parse({"remember_dialled": False}) == Preferences(remember_dialled=False)
    assert Preferences.parse({"theme": "day", "bell": False}) == Preferences("day", False)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"colour": "red"}, "no setting 'colour'"),
        ({"theme": 3}, "theme is not"),
        ({"bell": "yes"}, "bell is neither"),
        ({"remember_dialled": 0}, "remember_dialled is neither"),
    ],
)
def test_what_cannot_be_used_is_said(table: dict[str, object], reason: str) -> None:
    with pytest.raises(SettingsError, match=reason):
        Preferences.parse(table)
