"""A password that nothing prints by accident."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn


class Secret:
    """Holds a password. `str`, `repr`, formatting, pickling and msgspec never show it; `reveal` does.

    An empty secret is false: it stands for "there is no password, and none shall be asked for".
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The password itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "***"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is never pickled or copied")
