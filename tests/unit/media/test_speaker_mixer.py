import numpy as np
import pytest

from voip_engine.media.monitor_packet import MonitorPacket
from voip_engine.media.speaker_mixer import LONGEST_S, SOURCE_SILENT_S, Mixer

RATE_HZ = 16_000
FRAME = 320
MEDIA, OTHER = ("127.0.0.1", 4000), ("127.0.0.1", 5000)


def packet(sequence: int, caller: float = 0.5, ours: float = 0.25, rate_hz: int = RATE_HZ) -> MonitorPacket:
    samples = rate_hz // 50
    return MonitorPacket(
        sequence,
        rate_hz,
        np.full(samples, round(caller * 32768), np.int16),
        np.full(samples, round(ours * 32768), np.int16),
    )


def fed(mixer: Mixer, count: int, **values: float) -> Mixer:
    for sequence in range(count):
        assert mixer.feed(packet(sequence, **values), MEDIA, sequence * 0.02)
    return mixer


def test_split_has_the_caller_left_and_our_side_right() -> None:
    output = fed(Mixer(RATE_HZ, 1.0, "split"), 5).read(FRAME)
    np.testing.assert_allclose(output, np.tile([0.5, 0.25], (FRAME, 1)), atol=1e-3)


def test_mixed_has_both_on_both_and_never_exceeds_full_scale() -> None:
    output = fed(Mixer(RATE_HZ, 1.0, "mixed"), 5).read(FRAME)
    np.testing.assert_allclose(output, 0.75, atol=1e-3)
    loud = fed(Mixer(RATE_HZ, 1.0, "mixed"), 5, caller=0.9, ours=0.9).read(FRAME)
    assert loud.max() == 1.0


def test_a_new_volume_is_reached_without_a_step() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 8)
    mixer.volume = 0.5
    moving, settled = mixer.read(FRAME)[:, 0], mixer.read(FRAME)[:, 0]
    assert np.abs(np.diff(moving)).max() < 0.01
    np.testing.assert_allclose(settled, 0.25, atol=1e-3)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_packets_come_out_at_the_card_s_rate(rate_hz: int) -> None:
    mixer = Mixer(48_000, 1.0, "split")
    for sequence in range(8):
        mixer.feed(packet(sequence, rate_hz=rate_hz), MEDIA, sequence * 0.02)
    played = np.concatenate([mixer.read(960) for _ in range(8)])
    # All eight frames but the few samples that the filter still holds.
    assert np.count_nonzero(played[:, 0]) == pytest.approx(8 * 960, abs=200)
    assert np.median(played[:6000, 0]) == pytest.approx(0.5, abs=1e-3)


def test_nothing_plays_until_some_packets_have_been_collected() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 2)
    assert not mixer.read(FRAME).any()


def test_running_dry_gives_silence_and_collects_again() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 5)
    assert mixer.read(6 * FRAME)[-100:].max() == 0
    mixer.feed(packet(5), MEDIA, 0.1)
    assert not mixer.read(FRAME).any()


def test_what_waits_is_bounded() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 500)
    assert np.count_nonzero(mixer.read(RATE_HZ)[:, 0]) <= LONGEST_S * RATE_HZ


def test_late_and_repeated_packets_are_ignored() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 5)
    assert not mixer.feed(packet(4), MEDIA, 0.1)
    assert not mixer.feed(packet(2), MEDIA, 0.1)
    assert mixer.feed(packet(9), MEDIA, 0.1)


def test_the_sequence_may_wrap_and_may_begin_anew() -> None:
    mixer = Mixer(RATE_HZ, 1.0, "split")
    assert mixer.feed(packet(2**32 - 1), MEDIA, 0.0)
    assert mixer.feed(packet(0), MEDIA, 0.02)
    assert mixer.feed(packet(5000), MEDIA, 0.04)
    assert mixer.feed(packet(0), MEDIA, 0.06)


def test_a_second_source_is_heard_only_after_the_first_has_been_silent() -> None:
    mixer = fed(Mixer(RATE_HZ, 1.0, "split"), 3)
    assert not mixer.feed(packet(0), OTHER, 0.06)
    assert not mixer.feed(packet(1), OTHER, 0.04 + SOURCE_SILENT_S - 0.01)
    assert mixer.feed(packet(2), OTHER, 0.04 + SOURCE_SILENT_S + 0.01)
    assert not mixer.feed(packet(3), MEDIA, 0.31)
