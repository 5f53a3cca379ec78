"""A password that nothing prints by accident."""

from __future__ import annotations

from hmac import compare_digest
from typing import NoReturn

PASSWORD_IN_ADDRESS = (
    "An address that is called holds no password: leave out what stands between the name and the @, the colon too."
)
"""What is said of an address that `holds_password`; it repeats nothing of it."""


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


def holds_password(address: str) -> bool:
    """Whether an address as it was typed, well formed or not, has a password before its host: `sip:bob:secret@host`."""
    wanted = address.strip()
    scheme, colon, rest = wanted.partition(":")
    user, at, _ = (rest if colon and scheme.lower() in ("sip", "sips", "tel") else wanted).partition("@")
    return bool(at) and ":" in user
