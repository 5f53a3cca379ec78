"""Silence: the line is held, nothing is said."""

from __future__ import annotations

from voip_engine.modes.base import VoiceLeg


class SilenceMode:
    """Holds the line without a word, for an operator who listens in or decides later."""

    name = "silence"

    async def run(self, leg: VoiceLeg) -> None:
        """Wait for the end of the call."""
        leg.activity("holding")
        await leg.until_hung_up()
