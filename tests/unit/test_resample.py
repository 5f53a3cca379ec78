from __future__ import annotations

import numpy as np
import pytest

from voip_engine.demo.speech import load_speech
from voip_engine.resample import StreamResampler, resample

SPEECH = load_speech("ben_saturday")


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16_000, 8_000), (24_000, 16_000), (8_000, 16_000), (16_000, 16_000)])
@pytest.mark.parametrize("piece", [160, 999, 48_000])
def test_a_stream_comes_out_as_the_whole_signal_does(from_hz: int, to_hz: int, piece: int) -> None:
    stream = StreamResampler(from_hz, to_hz)
    pieces = [stream.push(SPEECH[start : start + piece]) for start in range(0, SPEECH.size, piece)]
    joined = np.concatenate([*pieces, stream.flush()])
    whole = resample(SPEECH, from_hz, to_hz)
    assert joined.size == whole.size
    assert np.abs(joined - whole).max() < 1e-3


@pytest.mark.parametrize("samples", [0, 1, 20, 130])
def test_a_stream_of_almost_nothing_keeps_its_length(samples: int) -> None:
    stream = StreamResampler(16_000, 8_000)
    assert stream.push(SPEECH[:samples]).size + stream.flush().size == round(samples / 2)
