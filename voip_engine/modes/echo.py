"""Echo: the caller hears itself."""

from __future__ import annotations

from voip_engine.modes.base import VoiceLeg


class EchoMode:
    """Plays every utterance back to the caller."""

    name = "echo"

    async def run(self, leg: VoiceLeg) -> None:
        """Wait for an utterance, play it, wait for the next."""
        leg.activity("listening")
        async for utterance in leg.utterances():
            leg.activity("speaking")
            await leg.play(utterance.audio)
            leg.activity("listening")
