import numpy as np
import pytest

from voip_engine.demo.speech import LEVEL_DBFS, SENTENCES, load_speech


@pytest.mark.parametrize("name", [sentence.name for sentence in SENTENCES])
def test_a_sentence_has_speech_of_the_promised_length_and_level(name) -> None:
    audio = load_speech(name)
    assert audio.dtype == np.float32
    assert 2 <= audio.size / 16_000 <= 4
    assert np.abs(audio).max() <= 1
    assert 20 * np.log10(np.sqrt(np.mean(audio**2))) == pytest.approx(LEVEL_DBFS, abs=0.1)
    # Most of a voice's energy lies below 4 kHz.
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    assert spectrum[: spectrum.size // 2].sum() > 0.9 * spectrum.sum()


def test_four_callers_say_two_sentences_each() -> None:
    callers = [sentence.caller for sentence in SENTENCES]
    assert {callers.count(caller) for caller in callers} == {2}
    assert len(set(callers)) == 4


def test_an_unknown_sentence_is_named() -> None:
    with pytest.raises(KeyError, match="nobody_nothing"):
        load_speech("nobody_nothing")
