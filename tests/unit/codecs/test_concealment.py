from itertools import pairwise

import numpy as np
import pytest

from voip_engine.codecs.concealment import HISTORY_S, Concealer, conceal, resume
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.resample import resample

RATES = (8_000, 16_000)


def tone(rate_hz: int, frequency_hz: float, seconds: float) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def voiced(rate_hz: int, pitch_hz: float, seconds: float) -> np.ndarray:
    """A buzz of ten harmonics, as a vowel is."""
    return np.sum([tone(rate_hz, pitch_hz * order, seconds) / order for order in range(1, 11)], axis=0) * 0.3


def largest_step(audio: np.ndarray) -> float:
    return float(np.abs(np.diff(audio)).max())


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("pitch_hz", [72, 110, 163.7, 250, 390])
def test_a_vowel_goes_on_in_its_pitch(rate_hz, pitch_hz) -> None:
    signal = voiced(rate_hz, pitch_hz, 0.3)
    gap = round(0.1 * rate_hz)
    filled = conceal(signal[:gap], rate_hz // 100, 0, rate_hz)
    truth = signal[gap : gap + rate_hz // 100]
    assert np.corrcoef(filled, truth)[0, 1] > 0.95


@pytest.mark.parametrize("rate_hz", RATES)
def test_it_fades_to_silence_within_60_ms(rate_hz) -> None:
    history = tone(rate_hz, 200, HISTORY_S)
    filled = conceal(history, rate_hz // 10, 0, rate_hz)
    levels = [float(np.std(part)) for part in np.split(filled, 10)]
    assert levels[0] == pytest.approx(np.std(history), rel=0.05)
    assert all(later < earlier for earlier, later in pairwise(levels[1:7]))
    assert not filled[round(0.06 * rate_hz) :].any()


def test_piece_by_piece_gives_the_same_as_at_once() -> None:
    history = voiced(8_000, 130, HISTORY_S)
    pieces = [conceal(history, 37, done, 8_000) for done in range(0, 370, 37)]
    np.testing.assert_array_equal(np.concatenate(pieces), conceal(history, 370, 0, 8_000))


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("lost", [1, 2, 5])
def test_speech_has_no_click_where_frames_are_missing(rate_hz, lost) -> None:
    """No step at a seam or within a gap is larger than the speech's own steps nearby."""
    frame = rate_hz // 50
    for sentence in SENTENCES:
        speech = resample(load_speech(sentence.name), 16_000, rate_hz)
        concealer, played = Concealer(rate_hz), []
        frames = [speech[at : at + frame] for at in range(0, speech.size - frame, frame)]
        missing = [at % 12 >= 12 - lost for at in range(len(frames))]
        for good, gone in zip(frames, missing, strict=True):
            played.append(concealer.conceal(frame) if gone else concealer.good(good))
        for at in (at for at, gone in enumerate(missing) if gone and at > 3):
            seams = np.concatenate(played[at - 1 : at + 2])
            own = speech[max(0, at - lost - 3) * frame : (at + lost + 2) * frame]
            assert largest_step(seams) <= 1.5 * largest_step(own)


@pytest.mark.parametrize("rate_hz", RATES)
def test_speech_returns_smoothly_after_a_long_gap(rate_hz) -> None:
    signal = tone(rate_hz, 200, 1.0)
    frame = rate_hz // 50
    concealer = Concealer(rate_hz)
    concealer.good(signal[:frame])
    concealer.good(signal[frame : 2 * frame])
    for _ in range(10):
        last = concealer.conceal(frame)
    # A quarter of a period later the tone stands at its peak: unblended, that is a step from 0 to 0.5.
    returned = concealer.good(signal[rate_hz // 800 :][:frame])
    assert largest_step(np.concatenate((last, returned))) < 1.2 * largest_step(signal)
    np.testing.assert_array_equal(returned[frame // 2 :], signal[rate_hz // 800 :][frame // 2 : frame])


def test_frames_that_arrive_are_played_untouched() -> None:
    concealer = Concealer(8_000)
    for at in range(50):
        frame = tone(8_000, 300 + at, 0.02)
        assert concealer.good(frame) is frame


@pytest.mark.parametrize("known", [0, 1, 160, 239])
def test_too_little_history_gives_silence(known) -> None:
    assert not conceal(np.ones(known, np.float32), 160, 0, 8_000).any()
    assert not conceal(np.zeros(400, np.float32), 160, 0, 8_000).any()


def test_the_frame_that_resumes_is_not_written_to() -> None:
    frame = tone(8_000, 300, 0.02)
    kept = frame.copy()
    merged = resume(tone(8_000, 200, HISTORY_S), frame, 160, 8_000)
    assert merged.dtype == np.float32
    np.testing.assert_array_equal(frame, kept)
