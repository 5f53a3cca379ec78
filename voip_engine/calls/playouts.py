"""Audio on its way to the caller, as the engine follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.media import protocol
from voip_engine.resample import StreamResampler


class CallPlayout:
    """One playout of a call (see modes.base.Playout and StreamedPlayout)."""

    def __init__(
        self,
        leg_id: int,
        playout_id: int,
        rate_hz: int,
        send: Callable[[protocol.AnyCommand], None],
        begun: Callable[[CallPlayout], None],
        *,
        streamed: bool = False,
    ) -> None:
        """`begun` is called before the first audio is sent; nobody else knows of the playout until then."""
        self.playout_id = playout_id
        self._leg_id = leg_id
        self._rate_hz = rate_hz
        self._send_command = send
        self._on_begun = begun
        self._begun = False
        self._held: list[protocol.Play] | None = None
        """What a playout that was paused before it began will begin with."""
        self._streamed = streamed
        self._resampler = StreamResampler(SAMPLE_RATE_HZ, rate_hz)
        self._heard_samples = 0
        self._told_samples = 0
        self._queued = 0
        self._finished = False
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()
        self.first_packet_at: float | None = None

    @property
    def heard(self) -> int:
        """Samples that really went out, at 16 kHz; exact once it paused or ended, a tenth of a second old before."""
        return min(round(self._heard_samples * SAMPLE_RATE_HZ / self._rate_hz), self._queued)

    @property
    def queued(self) -> int:
        """Samples given so far, at 16 kHz."""
        return self._queued

    @property
    def done(self) -> bool:
        """Whether it ended, whole or cut short."""
        return self._ended.is_set()

    def append(self, audio: Audio) -> None:
        """Add audio (float32, 16 kHz) behind what there is. Ignored once it is over."""
        if self.done or self._finished or len(audio) == 0:
            return
        self._queued += len(audio)
        self._play(self._resampler.push(audio), final=False)

    def finish(self) -> None:
        """Say that nothing more follows."""
        if self.done or self._finished:
            return
        self._finished = True
        if self._queued == 0:
            self.end(0)
        else:
            self._play(self._resampler.flush(), final=True)

    def play_whole(self, audio: Audio) -> None:
        """Give all of the audio at once."""
        self._queued = len(audio)
        self._finished = True
        whole = [self._resampler.push(audio), self._resampler.flush()]
        self._play(np.concatenate(whole), final=True)

    def stop(self) -> None:
        """Fade out and drop the rest."""
        if self._begun:
            self._send(protocol.StopPlayout)
        else:
            self.end(0)

    def pause(self) -> None:
        """Hold at the sample reached."""
        if self._begun:
            self._send(protocol.PausePlayout)
        elif self._held is None:
            self._held = []

    def resume(self) -> None:
        """Go on at that sample."""
        if self._begun:
            self._send(protocol.ResumePlayout)
            return
        held, self._held = self._held, None
        for play in held or ():
            self._begin(play)

    async def wait(self) -> int:
        """Wait for the end; returns the samples that went out, at 16 kHz."""
        await self._ended.wait()
        return self.heard

    async def progress(self) -> int:
        """Wait until more has been heard than when this was last asked, or the end; returns `heard`."""
        while self._heard_samples == self._told_samples and not self.done:
            self._changed.clear()
            await self._changed.wait()
        self._told_samples = self._heard_samples
        return self.heard

    def went_out(self, heard_samples: int, sent_s: float) -> None:
        """Note how far the media process is, in samples at the leg's rate."""
        self._heard_samples = max(self._heard_samples, heard_samples)
        if self.first_packet_at is None:
            self.first_packet_at = sent_s
        self._changed.set()

    def end(self, heard_samples: int) -> None:
        """Note that the media process is done with it, after `heard_samples` at the leg's rate."""
        self._heard_samples = heard_samples
        self._ended.set()
        self._changed.set()

    def abandon(self) -> None:
        """Note that the call is over: what is known to have been heard stays, and nothing more will be."""
        self.end(self._heard_samples)

    def _play(self, audio: Audio, *, final: bool) -> None:
        pcm = (np.clip(audio, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
        play = protocol.Play(
            self._leg_id, self.playout_id, pcm, final=final, rate_hz=self._rate_hz, progress=self._streamed
        )
        if self._held is not None:
            self._held.append(play)
        else:
            self._begin(play)

    def _begin(self, play: protocol.Play) -> None:
        if self.done:
            return
        if not self._begun:
            self._begun = True
            self._on_begun(self)
        self._send_command(play)

    def _send(self, command: Callable[[int, int], protocol.AnyCommand]) -> None:
        if not self.done:
            self._send_command(command(self._leg_id, self.playout_id))
