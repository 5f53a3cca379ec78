"""What a leg plays: exact samples through pause, stop and queueing."""

from __future__ import annotations

import numpy as np
import pytest

from voip_engine.media.playout import Ended, PlayoutQueue, Position

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


# ---- to the sample ---------------------------------------------------------------------------------------------------


def heard_samples(ear):
    """How much of the first playout was heard, found out by stopping it where it holds."""
    ear.queue.stop(1)
    return ear.ended[-1].heard_samples


def clean(frames):
    """What was heard, without the frames that fade out in front of a pause and without the pauses."""
    return np.concatenate([frame for frame in frames if frame is not None])


@pytest.mark.parametrize("chunk", [1, 80, 159, 160, 161, 333, 1000])
@pytest.mark.parametrize("paused_after", range(1, 8))
def test_a_pause_anywhere_between_chunks_loses_and_repeats_no_sample(ear, chunk, paused_after):
    # Large enough to outlast a fade's rounding, so that where a sample belongs can be told.
    said = (np.arange(1500) % 200 * 100 + 5000).astype("<i2")
    for at in range(0, len(said), chunk):
        ear.queue.play(1, said[at : at + chunk].tobytes(), 8000, at + chunk >= len(said))
    before = clean(ear.hear(paused_after))
    ear.queue.pause(1)
    fading = ear.hear()[0]
    assert ear.hear(3) == [None] * 3
    ear.queue.resume(1)
    after = clean(ear.hear(1))
    rest = ear.hear_all()
    assert np.array_equal(before, said[: len(before)])
    resumed = said[len(before) : len(before) + FRAME]
    assert np.allclose(fading[: len(resumed)], resumed * np.linspace(1, 0, len(resumed)), atol=1)
    assert np.allclose(after[: len(resumed)], resumed * np.linspace(0, 1, len(resumed)), atol=1)
    assert np.array_equal(rest[: len(said) - len(before) - FRAME], said[len(before) + FRAME :])
    assert ear.ended == [Ended(1, 1500, True, 8000)]


@pytest.mark.parametrize(("given_hz", "leg_hz"), [(16000, 8000), (8000, 16000), (8000, 8000)])
def test_a_stop_in_a_pause_says_how_much_was_heard(given_hz, leg_hz):
    for frames in range(1, 6):
        ear = Ear(leg_hz)
        ear.queue.play(1, ramp(given_hz // 4).tobytes(), given_hz, True)
        ear.hear(frames)
        ear.queue.pause(1)
        ear.hear(2)
        assert heard_samples(ear) == frames * given_hz // 50


@pytest.mark.parametrize(("given_hz", "leg_hz"), [(16000, 8000), (8000, 16000)])
def test_a_pause_at_another_rate_goes_on_where_it_was(given_hz, leg_hz):
    time_s = np.arange(given_hz) / given_hz
    said = (8000 * np.sin(2 * np.pi * 100 * time_s)).astype("<i2").tobytes()
    whole, paused = Ear(leg_hz), Ear(leg_hz)
    for ear in (whole, paused):
        for at in range(0, len(said), 1234):
            ear.queue.play(1, said[at : at + 1234], given_hz, at + 1234 >= len(said))
    known = clean(whole.hear(50))
    before = clean(paused.hear(7))
    paused.queue.pause(1)
    paused.hear(3)
    paused.queue.resume(1)
    paused.hear()
    after = paused.hear_all()
    frame = leg_hz // 50
    assert np.array_equal(before, known[: 7 * frame])
    assert np.array_equal(after[: len(known) - 8 * frame], known[8 * frame :])
    assert paused.ended == whole.ended == [Ended(1, given_hz, True, given_hz)]


def test_a_pause_before_the_beginning_holds_the_first_sample(ear):
    ear.queue.play(1, ramp(400).tobytes(), 8000, True)
    ear.queue.pause(1)
    assert ear.hear(3) == [None] * 3
    ear.queue.resume(1)
    assert np.array_equal(ear.hear_all()[:400], ramp(400))


def test_a_stream_that_is_paused_before_its_first_chunk_holds_it(ear):
    ear.queue.play(1, b"", 8000, False)
    ear.queue.pause(1)
    ear.queue.play(1, ramp(320).tobytes(), 8000, False)
    assert ear.hear(3) == [None] * 3
    ear.queue.resume(1)
    assert np.array_equal(ear.hear_all(), ramp(320))


def test_a_stream_that_runs_dry_goes_on_and_counts_right(ear):
    heard = []
    for at in range(0, 2000, 250):
        ear.queue.play(1, ramp(250, at).tobytes(), 8000, False)
        heard += [frame for frame in ear.hear(3) if frame is not None]
    ear.queue.play(1, b"", 8000, True)
    ear.hear()
    # A chunk is a frame and a part of one; the rest of that frame is silence.
    assert all(not frame[90:].any() for frame in heard[1::2])
    assert np.array_equal(
        np.concatenate(
            [np.concatenate((whole, part[:90])) for whole, part in zip(heard[::2], heard[1::2], strict=True)]
        ),
        ramp(2000, 0),
    )
    assert ear.ended == [Ended(1, 2000, True, 8000)]


def test_a_pause_of_a_stream_that_ran_dry_holds_what_comes(ear):
    ear.queue.play(1, ramp(160).tobytes(), 8000, False)
    ear.hear(2)
    ear.queue.pause(1)
    ear.queue.play(1, ramp(160, 161).tobytes(), 8000, True)
    assert ear.hear(2) == [None] * 2
    ear.queue.resume(1)
    ear.hear_all()
    assert ear.ended == [Ended(1, 320, True, 8000)]


def test_half_a_sample_of_room_does_not_hold_up_the_queue():
    ear = Ear(16000)
    ear.queue.play(1, ramp(161).tobytes(), 16000, True)
    ear.queue.play(2, ramp(800).tobytes(), 8000, True)
    ear.hear_all()
    assert ear.ended == [Ended(1, 161, True, 16000), Ended(2, 800, True, 8000)]


def test_positions_are_told_of_playouts_that_want_it_alone(ear):
    ear.queue.play(1, ramp(320).tobytes(), 8000, True)
    assert (ear.queue.reports_progress, ear.queue.position) == (False, None)
    ear.queue.play(2, ramp(8000).tobytes(), 8000, True, progress=True)
    assert ear.queue.reports_progress
    ear.hear(2)
    assert ear.queue.position == Position(2, 0, 8000, False)
    for frames in range(1, 10):
        ear.hear()
        assert ear.queue.position == Position(2, frames * 160, 8000, False)
    ear.queue.pause(2)
    assert ear.queue.position == Position(2, 1440, 8000, False)
    ear.hear()
    assert ear.queue.position == Position(2, 1440, 8000, True)
