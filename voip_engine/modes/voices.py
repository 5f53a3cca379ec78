"""The voice a mode holds on its call."""

from __future__ import annotations

import asyncio

from voip_engine.modes.base import VoiceLeg
from voip_engine.modes.troubles import Troubles
from voip_engine.speech.base import ModelMissing, SpeechError, Voice


class HeldVoice:
    """Opened at the first `get`, tried again at later ones while the machine is at capacity, released by `close`."""

    def __init__(self, leg: VoiceLeg, troubles: Troubles) -> None:
        self._leg = leg
        self._troubles = troubles
        self.error: SpeechError | None = None
        """Why there is none."""
        self._opening: asyncio.Task[Voice | None] | None = None

    async def get(self, name: str | None = None) -> Voice | None:
        """The voice, by default the one that the agent's settings name; None if it cannot be had now, which is said."""
        opening = self._opening
        if opening is None or (
            opening.done() and opening.result() is None and not isinstance(self.error, ModelMissing)
        ):
            self._opening = opening = asyncio.create_task(self._open(name or self._leg.agent.voice))
        return await asyncio.shield(opening)

    async def close(self) -> None:
        """Release it, or break off its opening."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
        if not opening.cancelled() and (voice := opening.result()) is not None:
            await voice.release()

    async def _open(self, name: str) -> Voice | None:
        try:
            voice = await self._leg.services.synthesizer.open_voice(self._leg.call_id, name)
        except SpeechError as error:
            self.error = error
            self._troubles.failed("voice", error)
            return None
        self._troubles.works("voice")
        return voice
