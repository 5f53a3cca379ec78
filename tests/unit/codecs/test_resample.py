import numpy as np
import pytest

from voip_engine.resample import resample

RATES = [(16_000, 8_000), (8_000, 16_000), (24_000, 16_000), (16_000, 48_000), (44_100, 16_000), (16_000, 44_100)]


def burst(rate_hz: int, samples: int) -> np.ndarray:
    """A short 700 Hz burst around 0.25 s."""
    at = np.arange(samples) / rate_hz
    return (np.exp(-(((at - 0.25) / 0.003) ** 2)) * np.sin(2 * np.pi * 700 * at)).astype(np.float32)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_nothing_moves_and_the_length_is_exact(from_hz, to_hz) -> None:
    samples = from_hz // 2 + 7
    resampled = resample(burst(from_hz, samples), from_hz, to_hz)
    assert (resampled.size, resampled.dtype) == (round(samples * to_hz / from_hz), np.float32)
    expected = burst(to_hz, resampled.size)
    assert np.argmax(np.correlate(resampled, expected, "full")) == expected.size - 1
    np.testing.assert_allclose(resampled, expected, atol=1e-4)


def test_what_the_new_rate_cannot_hold_does_not_fold_back() -> None:
    tone = np.sin(2 * np.pi * 6_000 * np.arange(16_000) / 16_000).astype(np.float32)
    folded = resample(tone, 16_000, 8_000)[200:-200]
    assert 20 * np.log10(np.std(folded) / np.std(tone)) < -90


def test_the_telephone_band_passes_whole() -> None:
    tone = np.sin(2 * np.pi * 3_400 * np.arange(16_000) / 16_000).astype(np.float32)
    assert 20 * np.log10(np.std(resample(tone, 16_000, 8_000)[200:-200]) / np.std(tone)) > -0.5


@pytest.mark.parametrize("samples", [0, 1, 2, 5, 31, 127, 128, 129])
@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_short_signals_keep_their_level(samples, from_hz, to_hz) -> None:
    resampled = resample(np.full(samples, 0.5, np.float32), from_hz, to_hz)
    assert resampled.size == round(samples * to_hz / from_hz)
    np.testing.assert_allclose(resampled, 0.5, atol=1e-3)


def test_equal_rates_give_the_signal_itself() -> None:
    signal = burst(16_000, 8_000)
    assert resample(signal, 16_000, 16_000) is signal
