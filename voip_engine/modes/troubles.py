"""What a mode lacks, said on the call's page one thing at a time."""

from __future__ import annotations

from typing import Literal

from voip_engine.modes.base import VoiceLeg
from voip_engine.speech.base import SpeechError

Part = Literal["hearing", "voice", "model"]

_ORDER: tuple[Part, ...] = ("hearing", "voice", "model")


class Troubles:
    """The parts that fail, the most important first: who cannot hear need not think."""

    def __init__(self, leg: VoiceLeg) -> None:
        self._leg = leg
        self._errors: dict[Part, SpeechError] = {}
        self._said: SpeechError | None = None
        leg.troubled(None)

    def failed(self, part: Part, error: SpeechError) -> None:
        """A part does not work."""
        self._errors[part] = error
        self._say()

    def works(self, part: Part) -> None:
        """A part works, perhaps again."""
        if self._errors.pop(part, None) is not None:
            self._say()

    def _say(self) -> None:
        first = next((self._errors[part] for part in _ORDER if part in self._errors), None)
        if first is not self._said:
            self._said = first
            self._leg.troubled(first)
