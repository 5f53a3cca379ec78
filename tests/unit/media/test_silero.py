"""The voice activity model: in batches, in a thread, and when it can't be had."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from support.listening import sentence

from voip_engine.media.silero import JudgeThread, Silero, SileroUnavailable
from voip_engine.media.windows import Windows


def windows_of(audio, rate_hz, rows=(0,), fresh=()):
    """The windows of a signal, the same in every row."""
    window, context = 256 * rate_hz // 8000, 32 * rate_hz // 8000
    padded = np.concatenate([np.zeros(context, np.float32), audio])
    for at in range(0, len(audio) - window + 1, window):
        cut = np.tile(padded[at : at + context + window], (len(rows), 1))
        yield Windows(rate_hz, np.array(rows, np.intp), cut, fresh if at == 0 else (), at, at + window)


def probabilities(model, windows):
    judged = []
    for one in windows:
        model.submit(one)
        judged.append(one.probabilities)
    return np.array(judged)


@pytest.mark.parametrize("rate_hz", [8000, 16_000])
def test_rows_of_a_batch_are_judged_as_if_alone(rate_hz):
    audio = sentence("mia_echo", rate_hz)
    alone = probabilities(Silero(), windows_of(audio, rate_hz))[:, 0]
    together = probabilities(Silero(), windows_of(audio, rate_hz, rows=(5, 2, 40)))
    assert alone.max() > 0.9
    assert np.allclose(together, alone[:, None], atol=1e-4)


def test_a_fresh_row_remembers_nothing():
    audio = sentence("ben_coffee", 8000)
    model = Silero()
    first = probabilities(model, windows_of(audio, 8000))
    again = probabilities(model, windows_of(audio, 8000, fresh=(0,)))
    assert np.allclose(first, again, atol=1e-5)


def test_abandoned_windows_are_not_judged_but_their_rows_are_fresh():
    audio = sentence("ben_coffee", 8000)
    model = Silero()
    first = probabilities(model, windows_of(audio, 8000))
    given_up = next(windows_of(audio, 8000, fresh=(0,)))
    given_up.abandoned = True
    assert model.submit(given_up)
    assert given_up.probabilities is None
    again = probabilities(model, windows_of(audio, 8000))
    assert np.allclose(first, again, atol=1e-5)


def test_a_model_that_cannot_be_loaded_is_said_in_one_line(tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"nonsense")
    for path in (broken, tmp_path / "missing.onnx"):
        with pytest.raises(SileroUnavailable, match="loudness decides") as raised:
            Silero(path)
        assert "\n" not in str(raised.value)


def test_the_model_comes_with_the_package():
    assert (files("voip_engine.media") / "silero_vad.onnx").is_file()


class Held:
    """A model that judges when it is let."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.judged = threading.Semaphore(0)
        self.error: Exception | None = None

    def submit(self, windows) -> bool:
        assert self.may.wait(10)
        if self.error is not None:
            raise self.error
        windows.probabilities = np.ones(len(windows.rows), np.float32)
        self.judged.release()
        return True


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def judge(held):
    judge = JudgeThread(held)
    yield judge
    held.may.set()
    judge.close()


WINDOWS = Windows(8000, np.zeros(1, np.intp), np.zeros((1, 288), np.float32), (), 0, 256)


def test_a_thread_that_is_behind_refuses_more(judge, held):
    waiting = [replace(WINDOWS) for _ in range(20)]
    taken = [judge.submit(one) for one in waiting]
    assert taken == [True] * 8 + [False] * 12
    held.may.set()
    for _ in range(8):
        assert held.judged.acquire(timeout=10)
    assert [one.probabilities is not None for one in waiting] == taken


def test_a_model_that_breaks_down_is_said_once_and_refuses_all(judge, held, capfd):
    held.error = RuntimeError("out of memory")
    assert judge.submit(replace(WINDOWS))
    held.may.set()
    judge.close()
    assert not judge.submit(replace(WINDOWS))
    assert capfd.readouterr().err.splitlines() == [
        "Voice activity by the model has ended, so loudness decides who speaks: out of memory"
    ]


@pytest.mark.parametrize(
    "code",
    [
        "from voip_engine.media.silero import Silero; Silero()",
        "import voip_engine.speech.whisper_worker, onnxruntime, faster_whisper",
    ],
)
def test_nothing_is_kept_for_its_maker(tmp_path, code):
    subprocess.run([sys.executable, "-c", code], check=True, env={"HOME": str(tmp_path)}, timeout=60)
    assert not [path for path in tmp_path.rglob("*") if "microsoft" in str(path).lower()]
