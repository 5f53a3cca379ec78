"""Say: one text is said, then the call is hung up."""

from __future__ import annotations

import asyncio
from typing import Final

from voip_engine.modes.base import VoiceLeg
from voip_engine.modes.heard import Pace
from voip_engine.modes.replying import Replying, whole_text
from voip_engine.modes.troubles import Troubles
from voip_engine.modes.voices import HeldVoice
from voip_engine.speech.base import SpeechError

BEFORE_HANGING_UP_S: Final = 0.5
"""So that the last word is played out at the far end, whose jitter buffer is behind."""


class SayMode:
    """Says a text and hangs up. An instance serves one call; afterwards it tells how that went."""

    name = "say"

    def __init__(self, text: str, voice: str | None = None) -> None:
        """`voice`: a name or a file; without it the call's own."""
        self.error: SpeechError | None = None
        """What kept the text, or a part of it, from being said."""
        self.complete = False
        """Whether all of the text went out."""
        self.over = asyncio.Event()
        """Set when it is known, before the call is hung up."""
        self._text = text
        self._voice = voice

    async def run(self, leg: VoiceLeg) -> None:
        """Say the text to its last sample and hang up; at once, if there is no voice."""
        troubles = Troubles(leg)
        held = HeldVoice(leg, troubles)
        try:
            await self._say(leg, held, troubles)
        finally:
            self.over.set()
            await held.close()
        await leg.hang_up()

    async def _say(self, leg: VoiceLeg, held: HeldVoice, troubles: Troubles) -> None:
        leg.activity("thinking")
        voice = await held.get(self._voice)
        if voice is None:
            self.error = held.error
            return
        listener = _Listener(leg, troubles)
        reply = Replying(leg, listener, Pace())
        await reply.run(voice, lambda: whole_text(self._text))
        self.error, self.complete = listener.error, reply.complete
        if self.complete:
            self.over.set()
            await asyncio.sleep(BEFORE_HANGING_UP_S)


class _Listener:
    """Follows the one reply (replying.ReplyObserver)."""

    def __init__(self, leg: VoiceLeg, troubles: Troubles) -> None:
        self.error: SpeechError | None = None
        self._leg = leg
        self._troubles = troubles

    def reply_audible(self) -> None:
        """Its first packet went out."""
        self._leg.activity("speaking")

    def reply_heard(self, text: str) -> None:
        """So much of it was heard by now."""

    def all_words_heard(self) -> None:
        """What is left is silence."""

    def thinking_failed(self, error: SpeechError) -> None:
        """The text is there already: nothing can fail."""

    def thinking_works(self) -> None:
        """The text is there."""

    def speaking_failed(self, error: SpeechError) -> None:
        """A clause could not be spoken."""
        self.error = error
        self._troubles.failed("voice", error)

    def speaking_works(self) -> None:
        """The voice speaks."""
