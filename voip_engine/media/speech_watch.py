"""Who of a bank's legs speaks, and what they said.

::

    levels ─────────────────────────────► endpointing ─┐
                                                       ├─► speech started, stopped ─► utterances
    audio ─► windows ─► model ─► scores ► endpointing ─┘

It runs on the media clock: a frame that never came is silence, so an utterance ends even if the caller's line dies. Positions
count the bank's samples; they become seconds of a leg's life in reports alone.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio
from voip_engine.media.capture import BYTES_A_SAMPLE, Capture
from voip_engine.media.endpointing import (
    LONGEST_LEADING_S,
    Endpointing,
    is_fragment,
    rules_of,
    utterance_begin,
    utterance_end,
)
from voip_engine.media.loudness import LastLoud
from voip_engine.media.protocol import (
    AnyReport,
    SpeechStarted,
    SpeechStopped,
    UtteranceHeard,
    VoiceActivitySettings,
)
from voip_engine.media.windows import Judge, WindowCutter

FRAME_S: Final = 0.02
_LATEST_ONSET_S: Final = 0.7
"""Speech is found this long after its onset at most: the onset itself, and the model's time."""
_LATE_S: Final = 0.25
"""So late the model is with an end at most."""
_INT16_SCALE: Final = np.float32(32767)


@dataclass(slots=True)
class _Watched:
    leg_id: int
    row: int
    opened_frame: int
    seated: int
    """The position where the leg came."""
    settings: VoiceActivitySettings
    utterances: bool = False
    capture: Capture | None = None
    begun: int = 0
    """Where the present speech began."""
    given: int = 0
    """Up to where audio has been given away in utterances."""
    divided: bool = False
    """Whether a part of the present utterance was given away because it is so long."""


class SpeechWatch:
    """Voice activity and utterances of one bank. Without a judge, loudness decides for all legs."""

    def __init__(self, rate_hz: int, rows: int, report: Callable[[AnyReport], None], judge: Judge | None) -> None:
        self._rate_hz = rate_hz
        self._samples = rate_hz // 50
        self._report = report
        self._by_energy = Endpointing(rows)
        self._by_model = Endpointing(rows)
        self._windows = WindowCutter(rate_hz, rows, judge) if judge is not None else None
        self._last_loud = LastLoud(rows)
        self._watched: dict[int, _Watched] = {}
        self._recorded: set[int] = set()
        """Rows whose utterances are wanted."""
        self._captures: dict[int, tuple[Callable[[bytes], None], slice]] = {}
        """By row: where the speech of those who speak is added, and which part of all rows' audio it is."""
        self._history: deque[bytes] = deque(maxlen=round((LONGEST_LEADING_S + _LATEST_ONSET_S) / FRAME_S))
        self._due: dict[int, list[tuple[int, Capture]]] = {}
        """Utterances by the position at which they are as long as they may be."""
        self._late = round(_LATE_S * rate_hz)
        self._position = 0
        self._frame_number = 0

    @property
    def all_speaking(self) -> list[bool]:
        """Who speaks, by row."""
        speaking: list[bool] = (self._by_energy.all_speaking | self._by_model.all_speaking).tolist()
        return speaking

    def take_unjudged(self) -> int:
        """Give how many windows the model was too late for, since the last call."""
        if self._windows is None:
            return 0
        count, self._windows.unjudged = self._windows.unjudged, 0
        return count

    def grow(self, rows: int) -> None:
        """Make room for more rows."""
        self._by_energy.grow(rows)
        self._by_model.grow(rows)
        self._last_loud.grow(rows)
        if self._windows is not None:
            self._windows.grow(rows)

    def listen(
        self, row: int, leg_id: int, opened_frame: int, settings: VoiceActivitySettings | None, utterances: bool
    ) -> None:
        """Watch a row for speech, go on with other settings, or stop to.

        Speech that is going on goes on: its utterance is given if utterances are wanted in the end, whatever came between.
        """
        watched = self._watched.get(row)
        if settings is None:
            self.leave(row)
            return
        if watched is None:
            watched = self._watched[row] = _Watched(leg_id, row, opened_frame, self._position, settings)
        elif watched.settings == settings and watched.utterances == utterances:
            return
        watched.settings, watched.utterances = settings, utterances
        if utterances:
            self._recorded.add(row)
        else:
            self._recorded.discard(row)
        by_model = settings.detector == "silero" and self._windows is not None
        chosen, other = (self._by_model, self._by_energy) if by_model else (self._by_energy, self._by_model)
        if self._windows is not None:
            if by_model:
                if row not in self._windows:
                    self._last_loud.begin(row)
                self._windows.add(row, settings.threshold_rms, self._position)
            else:
                self._windows.remove(row)
        chosen.watch(row, rules_of(settings, self._rate_hz, energy=not by_model))
        if other.leave(row):
            chosen.take_over(row)
        if utterances and chosen.speaking(row) and watched.capture is None:
            self._begin_capture(watched)
        elif watched.capture is not None:
            self._plan_division(watched)

    def leave(self, row: int) -> None:
        """Watch a row no longer: speech that is going on ends here."""
        watched = self._watched.pop(row, None)
        if watched is None:
            return
        self._recorded.discard(row)
        if self._windows is not None:
            self._windows.remove(row)
        spoke = [endpointing.leave(row) for endpointing in (self._by_energy, self._by_model)]
        if any(spoke):
            self._end_speech(watched, self._position)

    # ---- every tick --------------------------------------------------------------------------------------------------

    def hear(self, heard: Audio, mean_square: NDArray[np.float32], frame_number: int) -> None:
        """Take a tick's audio, shape (rows, samples), and its mean squares, shape (rows,)."""
        begin = self._position
        self._position = end = begin + self._samples
        self._frame_number = frame_number
        if self._recorded or self._captures:
            pcm = (np.clip(heard, -1, 1) * _INT16_SCALE).astype("<i2").tobytes()
            self._history.append(pcm)
            for append, cut in self._captures.values():
                append(pcm[cut])
        elif self._history:
            self._history.clear()  # what comes next would not follow on it
        self._happened(*self._by_energy.step(mean_square, begin, end))
        if self._windows is not None and self._windows.busy:
            self._last_loud.hear(mean_square, end)
            for verdict in self._windows.verdicts(end):
                latest = np.maximum(self._last_loud.positions, verdict.begin - self._late)
                self._happened(*self._by_model.step(verdict.scores, verdict.begin, verdict.end, latest))
            self._happened([], self._by_model.expire(end, self._last_loud.positions))
            self._windows.feed(heard, end)
        for row, capture in self._due.pop(end, ()):
            self._divide(row, capture)

    def _happened(self, begun: list[tuple[int, int]], ended: list[tuple[int, int]]) -> None:
        for row, position in begun:
            watched = self._watched[row]
            watched.begun = position
            watched.divided = False
            self._report(SpeechStarted(watched.leg_id, self._at_s(watched, position), time.monotonic()))
            if watched.utterances:
                self._begin_capture(watched)
        for row, position in ended:
            self._end_speech(self._watched[row], position)

    def _begin_capture(self, watched: _Watched) -> None:
        row, size = watched.row, self._samples * BYTES_A_SAMPLE
        begin = max(utterance_begin(watched.settings, self._rate_hz, watched.begun), watched.seated, watched.given)
        wanted = min(-(-(self._position - begin) // self._samples), len(self._history))
        recent = list(self._history)[len(self._history) - wanted :]
        known = [pcm[row * size : (row + 1) * size] for pcm in recent]
        known = [pcm for pcm in known if len(pcm) == size]  # rows that the bank didn't have yet
        watched.capture = Capture(known, self._position - len(known) * self._samples, begin)
        self._captures[row] = (watched.capture.append, slice(row * size, (row + 1) * size))
        self._plan_division(watched)

    def _end_speech(self, watched: _Watched, position: int) -> None:
        position = max(position, watched.begun)
        settings, capture = watched.settings, watched.capture
        watched.capture = None
        self._captures.pop(watched.row, None)
        pcm, begin = b"", position
        # The rest of a divided utterance is given however short it is, so that nothing is lost; unless nobody speaks in it.
        fragment = not watched.divided and is_fragment(settings, self._rate_hz, watched.begun, position)
        if capture is not None:
            begin = capture.position
            fragment = fragment or begin >= position
            pcm = capture.take(utterance_end(settings, self._rate_hz, position))
        stopped_s = self._at_s(watched, position)
        self._report(SpeechStopped(watched.leg_id, stopped_s, time.monotonic(), fragment))
        if pcm and watched.utterances and not fragment:
            watched.given = begin + len(pcm) // BYTES_A_SAMPLE
            self._report_utterance(watched, begin, position, pcm, split=False)

    def _plan_division(self, watched: _Watched) -> None:
        """Note the tick at whose end the utterance is as long as it may be."""
        capture = watched.capture
        assert capture is not None
        longest = max(self._samples, round(watched.settings.longest_utterance_s * self._rate_hz))
        ticks = max(1, (capture.position + longest - self._position) // self._samples)
        self._due.setdefault(self._position + ticks * self._samples, []).append((watched.row, capture))

    def _divide(self, row: int, capture: Capture) -> None:
        watched = self._watched.get(row)
        if watched is None or watched.capture is not capture:
            return  # it has ended
        longest = max(self._samples, round(watched.settings.longest_utterance_s * self._rate_hz))
        if self._position + self._samples - capture.position <= longest:
            return  # planned before it was divided, or before more was allowed
        begin = capture.position
        pcm = capture.take()
        watched.divided = True
        watched.given = capture.position
        if watched.utterances:
            self._report_utterance(watched, begin, self._position, pcm, split=True)
        self._plan_division(watched)

    def _report_utterance(self, watched: _Watched, begin: int, ended: int, pcm: bytes, *, split: bool) -> None:
        started_s, ended_s = self._at_s(watched, begin), self._at_s(watched, ended)
        silent_s = (self._position - ended) / self._rate_hz
        self._report(
            UtteranceHeard(
                watched.leg_id, started_s, ended_s, time.monotonic(), pcm, self._rate_hz, split=split, silent_s=silent_s
            )
        )

    def _at_s(self, watched: _Watched, position: int) -> float:
        """A position as seconds since the leg was opened."""
        present_s = (self._frame_number + 1 - watched.opened_frame) * FRAME_S
        return present_s - (self._position - position) / self._rate_hz
