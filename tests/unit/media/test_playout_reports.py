"""What the media loop says of playouts, against the datagrams that really went out."""

from __future__ import annotations

import time

import numpy as np
import pytest
from support.media_peer import OPUS, SILENCE, Peer

from voip_engine.media.protocol import (
    CloseLeg,
    PausePlayout,
    Play,
    PlayoutEnded,
    PlayoutProgress,
    ResumePlayout,
    StopPlayout,
)


@pytest.fixture
def peer(loop):
    made = Peer(loop, 1)
    loop.tick(3)
    made.received()
    yield made
    made.close()


def loud(samples):
    return np.full(samples, 4000, "<i2").tobytes()


def said(loop):
    """What was reported of playouts, as (tick that reported it, what)."""
    return [
        (type(report), report.playout_id, report.heard_samples)
        for report in loop.reports
        if isinstance(report, PlayoutProgress | PlayoutEnded)
    ]


def sounding(peer):
    return sum(packet.payload != SILENCE for packet in peer.received())


def test_the_first_packet_is_told_when_it_was_sent_and_then_ten_a_second(loop, peer):
    loop.do(Play(1, 7, loud(8000), rate_hz=8000, progress=True))
    loop.tick()
    assert (said(loop), sounding(peer)) == ([], 0), "it is composed, and not sent"
    before_s = time.monotonic()
    loop.tick()
    assert (said(loop), sounding(peer)) == ([(PlayoutProgress, 7, 160)], 1)
    assert before_s <= loop.of(PlayoutProgress)[0].sent_s <= time.monotonic()
    for tick in range(2, 51):
        loop.tick()
        assert (sounding(peer), loop.of(PlayoutProgress)[-1].heard_samples) == (1, ((tick - 1) // 5 * 5 + 1) * 160)
    loop.tick()
    assert said(loop)[1:-1] == [(PlayoutProgress, 7, 160 * tick) for tick in range(6, 51, 5)]
    assert said(loop)[-1] == (PlayoutEnded, 7, 8000)
    sent_s = [report.sent_s for report in loop.of(PlayoutProgress)]
    assert sent_s == sorted(sent_s)


def test_a_short_playout_is_told_of_before_its_end(loop, peer):
    loop.do(Play(1, 7, loud(100), rate_hz=8000, progress=True))
    loop.do(Play(1, 8, loud(20), rate_hz=8000, progress=True))
    loop.do(Play(1, 9, b"", rate_hz=8000, progress=True))
    loop.tick(3)
    assert said(loop) == [
        (PlayoutProgress, 7, 100),
        (PlayoutEnded, 7, 100),
        (PlayoutProgress, 8, 20),
        (PlayoutEnded, 8, 20),
        (PlayoutEnded, 9, 0),
    ]


def test_a_pause_is_told_once_and_exactly(loop, peer):
    loop.do(Play(1, 7, loud(8000), rate_hz=8000, progress=True))
    loop.tick(4)
    loop.do(PausePlayout(1, 7))
    loop.reports.clear()
    loop.tick(10)
    assert said(loop) == [(PlayoutProgress, 7, 640)]
    assert sounding(peer) == 5, "the frame that fades out is sent and does not count"
    loop.do(ResumePlayout(1, 7))
    loop.tick(3)
    loop.do(PausePlayout(1, 7))
    loop.tick(10)
    assert said(loop)[-1] == (PlayoutProgress, 7, 640 + 480)
    loop.do(StopPlayout(1, 7))
    loop.tick()
    assert said(loop)[-1] == (PlayoutEnded, 7, 640 + 480)


def test_a_pause_before_the_first_packet_sends_and_tells_nothing(loop, peer):
    loop.do(Play(1, 7, loud(800), rate_hz=8000, progress=True))
    loop.do(PausePlayout(1, 7))
    loop.tick(10)
    assert (said(loop), sounding(peer)) == ([], 0)
    loop.do(ResumePlayout(1, 7))
    loop.tick(2)
    assert (said(loop), sounding(peer)) == ([(PlayoutProgress, 7, 160)], 1)


def test_a_stream_that_runs_dry_tells_no_more_until_it_goes_on(loop, peer):
    loop.do(Play(1, 7, loud(320), final=False, rate_hz=8000, progress=True))
    loop.tick(12)
    assert said(loop) == [(PlayoutProgress, 7, 160), (PlayoutProgress, 7, 320)]
    loop.do(Play(1, 7, loud(1600), final=False, rate_hz=8000, progress=True))
    loop.tick(12)
    assert said(loop)[-1] == (PlayoutProgress, 7, 1920)
    loop.do(Play(1, 7, b"", rate_hz=8000, progress=True))
    loop.tick(2)
    assert said(loop)[-1] == (PlayoutEnded, 7, 1920)
    assert sounding(peer) == 12


@pytest.mark.parametrize("frames", [2, 3])
def test_a_packet_that_is_not_full_is_not_sent_and_not_told(loop, frames):
    peer = Peer(loop, 2, packet_ms=20 * frames)
    loop.tick(3 * frames + 1)
    peer.received()
    loop.do(Play(2, 7, loud(8000), rate_hz=8000, progress=True))
    sent = 0
    for _ in range(40):
        loop.tick()
        sent += sum(sum(byte != 0xFF for byte in packet.payload) for packet in peer.received())
        progress = loop.of(PlayoutProgress)
        assert not progress or progress[-1].heard_samples <= sent
    assert loop.of(PlayoutProgress)[-1].heard_samples >= sent - 160 * (5 + frames)
    peer.close()


def test_playouts_without_progress_tell_their_end_alone(loop, peer):
    loop.do(Play(1, 7, loud(800), rate_hz=8000))
    loop.tick(10)
    assert said(loop) == [(PlayoutEnded, 7, 800)]


def test_a_change_of_codec_goes_on_telling(loop, peer):
    loop.do(Play(1, 7, loud(8000), rate_hz=8000, progress=True))
    loop.tick(10)
    peer.plan = type(peer.plan)(peer.plan.remote_rtp, peer.plan.remote_rtcp, OPUS, (OPUS,))
    peer.configure()
    loop.tick(50)
    told = [heard for kind, _, heard in said(loop) if kind is PlayoutProgress]
    assert told == sorted(told)
    assert said(loop)[-1] == (PlayoutEnded, 7, 8000)


def test_a_leg_that_closes_ends_what_it_played(loop, peer):
    loop.do(Play(1, 7, loud(8000), rate_hz=8000, progress=True))
    loop.do(Play(1, 8, loud(8000), rate_hz=8000))
    loop.tick(4)
    loop.do(CloseLeg(1))
    assert said(loop)[-2:] == [(PlayoutEnded, 7, 640), (PlayoutEnded, 8, 0)]
