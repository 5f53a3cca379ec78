"""From a leg's jitter buffer to frames of audio: decoding, concealment, and the small changes of pace that adapt the delay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from voip_engine.audio import Audio
from voip_engine.codecs import concealment, g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, CodecError, FrameDecoder, create_decoder
from voip_engine.media.rate import convert
from voip_engine.rtp.jitter import Due, JitterBuffer
from voip_engine.sdp.plan import CodecName, PayloadType

G711: Final = ("PCMA", "PCMU")
_CONCEALED_MS: Final = 60
"""Concealment has faded to silence by then; from there on a gap is a pause, not a loss."""


class FrameSource:
    """The receiving side's audio of one leg, 20 ms at a time.

    G.711 streams that are in order never get here: `lane.HearLane` plays those, and gives them back when something happens.
    """

    __slots__ = (
        "_codecs",
        "_decoders",
        "_gap_history",
        "_gap_samples",
        "_held",
        "_held_samples",
        "_history",
        "_is_quiet",
        "_may_search",
        "_rate_hz",
        "_samples",
        "concealed_ms",
        "jitter",
        "malformed",
    )

    def __init__(
        self,
        rate_hz: int,
        jitter: JitterBuffer,
        history: Callable[[], Audio],
        is_quiet: Callable[[], bool],
        may_search: Callable[[], bool],
    ) -> None:
        """`history` gives what the leg heard last, `is_quiet` whether it was near silence.

        `may_search` is asked before a gap is concealed with a search for the pitch; without time for that, more simply.
        """
        self._rate_hz = rate_hz
        self._samples = rate_hz // 50
        self._history = history
        self._is_quiet = is_quiet
        self._may_search = may_search
        self._codecs: dict[int, PayloadType] = {}
        self._decoders: dict[CodecName, FrameDecoder] = {}
        self._held: list[Audio] = []
        self._held_samples = 0
        self._gap_samples = 0
        self._gap_history: Audio | None = None
        self.jitter = jitter
        self.concealed_ms = 0
        self.malformed = 0

    def set_codecs(self, codecs: dict[int, PayloadType]) -> None:
        """Take the payload types that may come, with decoders for those codecs that need one."""
        self._codecs = codecs
        wanted = {payload_type.codec for payload_type in codecs.values() if payload_type.codec not in G711}
        for codec in set(self._decoders) - wanted:
            self._decoders.pop(codec).close()
        for codec in wanted - set(self._decoders):
            self._decoders[codec] = create_decoder(codec)

    def restart(self) -> None:
        """Begin anew with another source: old decoder state and audio are dropped."""
        codecs = self._codecs
        self.close()
        self.set_codecs(codecs)

    @property
    def in_gap(self) -> bool:
        """Whether the last frame was made up, so that the next one has to be blended in."""
        return self._gap_samples > 0

    def close(self) -> None:
        """Give back the decoders' memory."""
        self.set_codecs({})
        self._held.clear()
        self._held_samples = 0
        self._gap_samples = 0
        self._gap_history = None

    def frame(self) -> Audio | None:
        """Give the next 20 ms, shape (rate_hz // 50,), or None for silence."""
        jitter = self.jitter
        if jitter.scarce and self._is_quiet():
            jitter.stretched()
            return self._with_noise_of_history()
        if jitter.surplus and len(jitter) >= 2 and (jitter.overdue or self._is_quiet()):
            return self._shortened_frame()
        return self._pull()

    def _pull(self) -> Audio | None:
        samples = self._samples
        sounding = self._held_samples > 0
        while self._held_samples < samples:
            due = self.jitter.take()
            audio = self._make_up() if due is None else self._decoded(due)
            sounding = sounding or audio is not None
            if audio is None and not self._held and due is None and self.jitter.gap * 50 == self._clock_rate_hz():
                return None
            if audio is None:
                audio = np.zeros(self._gap_in_samples() if due is None else 0, np.float32)
            self._held.append(audio)
            self._held_samples += audio.size
        frame = self._cut(samples)
        return frame if sounding else None

    def _cut(self, samples: int) -> Audio:
        held = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        rest = held[samples:]
        self._held = [rest] if rest.size else []
        self._held_samples = rest.size
        self.jitter.held_back = rest.size * self._clock_rate_hz() // self._rate_hz
        return held[:samples]

    def _clock_rate_hz(self) -> int:
        return self.jitter.clock_rate_hz

    def _gap_in_samples(self) -> int:
        return self.jitter.gap * self._rate_hz // self._clock_rate_hz()

    # ---- decoding ----------------------------------------------------------------------------------------------------

    def _decoded(self, due: Due) -> Audio | None:
        number, payload, duration, _ = due
        payload_type = self._codecs.get(number)
        if payload_type is None:  # the plan changed while the packet waited
            return self._silence(duration)
        codec = payload_type.codec
        rate_hz = AUDIO_RATE_HZ[codec]
        if codec == "PCMU" or codec == "PCMA":
            codes = np.frombuffer(payload, np.uint8)
            audio = g711.decode(codec, codes)
        else:
            try:
                audio = self._decoders[codec].decode(payload)
            except CodecError:
                self.malformed += 1
                return self._silence(duration)
        audio = convert(audio, rate_hz, self._rate_hz)
        if self._gap_samples:
            if codec in G711 and self._gap_history is not None and self._may_search():
                audio = concealment.resume(self._gap_history, audio, self._gap_samples, self._rate_hz)
            self._gap_samples = 0
            self._gap_history = None
        return audio

    def _silence(self, duration: int) -> Audio:
        return np.zeros(duration * self._rate_hz // self._clock_rate_hz(), np.float32)

    def _make_up(self) -> Audio | None:
        """Audio for the gap that the jitter buffer has just told of, or None once a gap is nothing but silence."""
        if not self.jitter.missing:
            return None
        samples = self._gap_in_samples()
        already_ms = self._gap_samples * 1000 // self._rate_hz
        if already_ms >= _CONCEALED_MS:
            return None
        self.concealed_ms += samples * 1000 // self._rate_hz
        audio = self._concealed(samples)
        self._gap_samples += samples
        return audio

    def _concealed(self, samples: int) -> Audio:
        for codec, decoder in self._decoders.items():
            wanted = samples * AUDIO_RATE_HZ[codec] // self._rate_hz
            behind = self.jitter.peek()
            if behind is not None and self._codecs[behind[0]].codec == codec:
                try:
                    made = decoder.recover(behind[1], wanted)
                except CodecError:
                    made = decoder.conceal(wanted)
            else:
                made = decoder.conceal(wanted)
            return convert(made, AUDIO_RATE_HZ[codec], self._rate_hz)
        if self._gap_history is None:
            self._gap_history = np.concatenate([self._history(), *self._held])
        if not self._may_search():
            return _repeated(self._gap_history, samples, self._gap_samples, self._rate_hz)
        return concealment.conceal(self._gap_history, samples, self._gap_samples, self._rate_hz)

    # ---- pace --------------------------------------------------------------------------------------------------------

    def _with_noise_of_history(self) -> Audio:
        """A frame that wasn't sent: the near-silence heard last once more, backwards so that nothing steps."""
        return self._history()[: -self._samples - 1 : -1].copy()

    def _shortened_frame(self) -> Audio | None:
        """Two frames in the time of one, the first fading into the second."""
        first, second = self._pull(), self._pull()
        self.jitter.shortened()
        if first is None or second is None:
            return second
        weight = np.linspace(1, 0, self._samples, dtype=np.float32)
        return first * weight + second * (1 - weight)


def _repeated(history: Audio, samples: int, already_made: int, rate_hz: int) -> Audio:
    """The end of what was heard, backwards so that nothing steps, fading to silence."""
    backwards: Audio = history[::-1][:samples]
    start_ms = already_made * 1000 / rate_hz
    end_ms = start_ms + samples * 1000 / rate_hz
    start, end = (max(0.0, 1 - at_ms / _CONCEALED_MS) for at_ms in (start_ms, end_ms))
    return backwards * np.linspace(start, end, backwards.size, dtype=np.float32)
