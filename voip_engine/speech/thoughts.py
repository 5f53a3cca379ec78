"""Takes a model's thoughts out of its reply, where it writes them between tags into the text.

Servers that know a model's tags send thoughts apart from the text. Those that don't leave them in, split over pieces as
the tokens happen to fall.
"""

from __future__ import annotations

import re

_NAMES = ("think", "thinking", "thought", "reasoning")
_TAG = re.compile(rf"<(/?)(?:{'|'.join(_NAMES)})\s{{0,3}}>", re.IGNORECASE)
_BEGINNING = re.compile(r"</?([a-z]*)\s{0,3}", re.IGNORECASE)


class ThoughtFilter:
    """Passes on what stands outside `<think>…</think>`, piece by piece; a thought that never ends hides the rest.

    A closing tag without an opening one vanishes alone: what stood before it has been passed on.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._spoke = False

    def feed(self, piece: str) -> str:
        """The text that became certain through this piece."""
        text = self._held + piece
        spoken: list[str] = []
        position = 0
        for tag in _TAG.finditer(text):
            if not self._thinking:
                spoken.append(text[position : tag.start()])
            self._thinking = not tag[1]
            position = tag.end()
        rest = text[position:]
        certain = len(rest) - _uncertain(rest)
        self._held = rest[certain:]
        if not self._thinking:
            spoken.append(rest[:certain])
        return self._passed("".join(spoken))

    def finish(self) -> str:
        """What was held back because it might have become a tag."""
        held, self._held = self._held, ""
        return "" if self._thinking else self._passed(held)

    def _passed(self, text: str) -> str:
        """Without the blank lines between a thought and the first word."""
        if not self._spoke:
            text = text.lstrip()
            self._spoke = bool(text)
        return text


def _uncertain(text: str) -> int:
    """How many characters at the end may yet become a tag."""
    start = text.rfind("<")
    if start < 0:
        return 0
    beginning = _BEGINNING.fullmatch(text, start)
    if beginning is None:
        return 0
    word = beginning[1].lower()
    complete = not text[-1].isspace()
    if word in _NAMES or (complete and any(name.startswith(word) for name in _NAMES)):
        return len(text) - start
    return 0
