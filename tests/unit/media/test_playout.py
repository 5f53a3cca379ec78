"""What a leg plays: exact samples through pause, stop and queueing."""

from __future__ import annotations

import numpy as np
import pytest

from voip_engine.media.playout import Ended, PlayoutQueue

FRAME = 160


class Ear:
    """Hears a queue: int16 samples, one frame a call."""

    def __init__(self, rate_hz=8000):
        self.ended: list[Ended] = []
        self.queue = PlayoutQueue(rate_hz, self.ended.append)

    def hear(self, frames=1):
        frames_heard = [self.queue.next_frame() for _ in range(frames)]
        return [None if frame is None else np.frombuffer(frame, "<i2") for frame in frames_heard]

    def hear_all(self, limit=1000):
        heard = []
        for _ in range(limit):
            frame = self.queue.next_frame()
            if frame is None:
                break
            heard.append(np.frombuffer(frame, "<i2"))
        return np.concatenate(heard) if heard else np.zeros(0, np.int16)


@pytest.fixture
def ear():
    return Ear()


def ramp(samples, start=1):
    return np.arange(start, start + samples, dtype="<i2")


def test_plays_every_sample_and_pads_the_last_frame(ear):
    ear.queue.play(1, ramp(400).tobytes(), 8000, True)
    heard = ear.hear_all()
    assert np.array_equal(heard[:400], ramp(400))
    assert len(heard) == 480
    assert not heard[400:].any()
    assert ear.ended == [Ended(1, 400, True, 8000)]


def test_queued_playouts_join_without_a_gap(ear):
    ear.queue.play(1, ramp(100).tobytes(), 8000, True)
    ear.queue.play(2, ramp(220, 101).tobytes(), 8000, True)
    assert np.array_equal(ear.hear_all(), ramp(320))
    assert [ended.playout_id for ended in ear.ended] == [1, 2]


def test_chunks_append_and_the_last_one_ends(ear):
    ear.queue.play(1, ramp(100).tobytes(), 8000, False)
    assert ear.hear()[0] is not None
    assert ear.hear() == [None]
    assert ear.ended == []
    ear.queue.play(1, ramp(160, 101).tobytes(), 8000, False)
    assert np.array_equal(ear.hear()[0], ramp(160, 101))
    ear.queue.play(1, b"", 8000, True)
    ear.hear()
    assert ear.ended == [Ended(1, 260, True, 8000)]


def test_pause_and_resume_lose_and_repeat_nothing(ear):
    loud = np.full(1600, 1000, "<i2")
    ear.queue.play(1, loud.tobytes(), 8000, True)
    ear.hear(3)
    ear.queue.pause(1)
    fading = ear.hear()[0]
    assert fading[0] == 1000
    assert abs(fading[-1]) < 10
    assert ear.hear(5) == [None] * 5
    ear.queue.resume(1)
    back = ear.hear()[0]
    assert abs(back[0]) < 10
    assert back[-1] == 1000
    ear.hear_all()
    assert ear.ended == [Ended(1, 1600, True, 8000)]


def test_resuming_before_the_pause_was_heard_is_no_pause(ear):
    ear.queue.play(1, ramp(800).tobytes(), 8000, True)
    ear.hear()
    ear.queue.pause(1)
    ear.queue.resume(1)
    assert np.array_equal(ear.hear_all(), ramp(640, 161))


def test_stop_fades_out_within_one_frame(ear):
    ear.queue.play(1, np.full(8000, 1000, "<i2").tobytes(), 8000, True)
    ear.queue.play(2, ramp(160).tobytes(), 8000, True)
    ear.hear(2)
    ear.queue.stop(1)
    fading = ear.hear()[0]
    assert fading[0] == 1000
    assert abs(fading[-1]) < 10
    assert ear.ended == [Ended(1, 480, False, 8000)]
    assert np.array_equal(ear.hear()[0], ramp(160))


def test_stopping_what_waits_or_pauses_drops_it_at_once(ear):
    ear.queue.play(1, ramp(800).tobytes(), 8000, True)
    ear.queue.play(2, ramp(800).tobytes(), 8000, True)
    ear.queue.stop(2)
    assert ear.ended == [Ended(2, 0, False, 8000)]
    ear.hear()
    ear.queue.pause(1)
    ear.hear(2)
    ear.queue.stop(1)
    assert ear.ended[1:] == [Ended(1, 160, False, 8000)]
    assert not ear.queue.active


def test_a_paused_head_holds_the_queue(ear):
    ear.queue.play(1, ramp(800).tobytes(), 8000, True)
    ear.queue.play(2, ramp(800).tobytes(), 8000, True)
    ear.queue.pause(1)
    assert ear.hear(3) == [None] * 3


@pytest.mark.parametrize(("given_hz", "leg_hz"), [(16000, 8000), (8000, 16000)])
def test_another_rate_is_converted_and_counted_as_given(given_hz, leg_hz):
    ear = Ear(leg_hz)
    time_s = np.arange(given_hz) / given_hz
    ear.queue.play(1, (8000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2").tobytes(), given_hz, True)
    heard = ear.hear_all().astype(float)
    assert abs(len(heard) - leg_hz) <= leg_hz // 50
    spectrum = np.abs(np.fft.rfft(heard[:leg_hz]))
    assert spectrum.argmax() == 440
    assert ear.ended == [Ended(1, given_hz, True, given_hz)]


def test_the_rate_may_change_in_the_middle(ear):
    ear.queue.play(1, ramp(1600).tobytes(), 8000, True)
    ear.hear(5)
    ear.queue.set_rate(16000)
    assert len(ear.hear()[0]) == 320
    ear.hear_all()
    assert ear.ended == [Ended(1, 1600, True, 8000)]


def test_closing_ends_everything(ear):
    ear.queue.play(1, ramp(800).tobytes(), 8000, True)
    ear.queue.play(2, ramp(800).tobytes(), 8000, False)
    ear.hear()
    ear.queue.stop_all()
    assert ear.ended == [Ended(1, 160, False, 8000), Ended(2, 0, False, 8000)]
    assert ear.hear() == [None]


def test_empty_and_odd_audio(ear):
    ear.queue.play(1, b"", 8000, True)
    assert ear.hear() == [None]
    ear.queue.play(2, b"\x01\x02\x03", 8000, True)
    ear.hear_all()
    assert ear.ended == [Ended(1, 0, True, 8000), Ended(2, 1, True, 8000)]
