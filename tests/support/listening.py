"""A bank's speech watch in simulated time, fed with signals instead of packets, and sounds that are no speech."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.demo.speech import load_speech
from voip_engine.media.protocol import SpeechStarted, SpeechStopped, UtteranceHeard, VoiceActivitySettings
from voip_engine.media.speech_watch import SpeechWatch
from voip_engine.resample import resample

SILERO = VoiceActivitySettings(detector="silero")
ENERGY = VoiceActivitySettings(detector="energy")


class Listener:
    """Rows 0 to `rows` - 1, all opened at once; a row's leg has the row's number plus 100."""

    def __init__(self, rate_hz: int, judge, rows: int = 1) -> None:
        self.rate_hz, self.samples, self.rows = rate_hz, rate_hz // 50, rows
        self.reports: list = []
        self.known_s: list[float] = []
        """When each report came, on the media clock."""
        self.ticks = 0
        self.watch = SpeechWatch(rate_hz, rows, self._report, judge)

    def _report(self, report) -> None:
        self.reports.append(report)
        self.known_s.append(self.ticks / 50)

    def listen(self, settings=SILERO, *, row: int = 0, utterances: bool = True, **changes) -> None:
        settings = replace(settings, **changes) if changes else settings
        self.watch.listen(row, row + 100, 0, settings, utterances)

    def hear(self, *signals) -> None:
        """One signal a row, as long as the first."""
        matrix = np.zeros((self.rows, len(signals[0]) // self.samples * self.samples), np.float32)
        for row, signal in enumerate(signals):
            matrix[row] = signal[: matrix.shape[1]]
        for at in range(0, matrix.shape[1], self.samples):
            frame = np.ascontiguousarray(matrix[:, at : at + self.samples])
            self.ticks += 1
            self.watch.hear(frame, np.einsum("ij,ij->i", frame, frame) / self.samples, self.ticks - 1)

    def of(self, kind, row: int = 0) -> list:
        return [report for report in self.reports if isinstance(report, kind) and report.leg_id == row + 100]

    def started(self, row: int = 0) -> list[SpeechStarted]:
        return self.of(SpeechStarted, row)

    def stopped(self, row: int = 0) -> list[SpeechStopped]:
        return self.of(SpeechStopped, row)

    def heard(self, row: int = 0) -> list[UtteranceHeard]:
        return self.of(UtteranceHeard, row)


def sentence(name: str, rate_hz: int):
    """A bundled sentence; speech begins about 50 ms after its start and ends about 100 ms before its end."""
    return resample(load_speech(name), SAMPLE_RATE_HZ, rate_hz)


def silence(seconds: float, rate_hz: int):
    return np.zeros(round(seconds * rate_hz), np.float32)


def not_speech(seconds: float, rate_hz: int) -> dict:
    """Sounds of a telephone line on which nobody speaks."""
    chance = np.random.default_rng(5)
    count = round(seconds * rate_hz)
    time_s = np.arange(count) / rate_hz
    hum = 0.05 * sum(np.sin(2 * np.pi * 50 * k * time_s) / k for k in range(1, 9))
    beat_s = 0.4
    beat = (time_s // beat_s).astype(int)
    roots = 220 * 2 ** (chance.choice([0, 2, 4, 5, 7, 9, 11, 12], beat.max() + 1) / 12)
    phase = 2 * np.pi * np.cumsum(roots[beat]) / rate_hz
    chord = sum(np.sin(phase * interval * k) / k for interval in (1, 1.26, 1.5) for k in (1, 2, 3))
    music = 0.08 * chord * np.exp(-3 * (time_s % beat_s))
    clicks = np.zeros(count)
    clicks[:: rate_hz // 2] = 0.9
    sounds = {
        "silence": np.zeros(count),
        "hum": hum,
        "noise": chance.normal(0, 0.03, count),
        "music": music,
        "clicks": clicks,
    }
    return {name: sound.astype(np.float32) for name, sound in sounds.items()}
