"""What legs make of streams that come in, tick by tick: whole, lossy, late, changing."""

from __future__ import annotations

import random

import numpy as np
import pytest
from support.media_peer import G722, PCMA, PCMU, SILENCE, pcm_of, speak, tone

from voip_engine.codecs import g711
from voip_engine.codecs.base import create_encoder
from voip_engine.media.protocol import MediaTimedOut, SpeechStarted, SpeechStopped, UtteranceHeard


def test_an_utterance_is_heard_whole(loop, peers):
    peer = peers()
    peer.listen()
    speak(loop, peer, [SILENCE] * 30 + tone(50) + [SILENCE] * 40)
    heard = loop.of(UtteranceHeard)
    assert len(heard) == 1
    assert heard[0].rate_hz == 8000
    audio = pcm_of(heard[0])
    expected = g711.decode("PCMU", np.frombuffer(b"".join(tone(50)), np.uint8)) * 32767
    start = int(np.argmax(np.abs(audio) > 3))
    assert np.allclose(audio[start - 1 : start - 1 + len(expected)], expected, atol=1.5)
    begun, ended = loop.of(SpeechStarted), loop.of(SpeechStopped)
    assert ended[0].at_s - begun[0].at_s == pytest.approx(1.0, abs=0.001)
    assert begun[0].at_s - heard[0].started_s == pytest.approx(0.3, abs=0.001)
    assert heard[0].ended_s == ended[0].at_s
    assert len(audio) / 8000 == pytest.approx(0.3 + 1.0 + 0.3, abs=0.001)


def test_a_line_that_dies_ends_the_utterance(loop, peers):
    peer = peers()
    peer.listen()
    speak(loop, peer, tone(40))
    loop.tick(60)
    assert len(loop.of(UtteranceHeard)) == 1


def test_a_stream_is_heard_the_same_in_and_outside_the_express_lane(loop, peers):
    """A header extension keeps a stream out of the lane; with the same things happening, both must sound the same."""
    plain, extended = peers(1), peers(2, extended=True)
    chance = random.Random(11)
    payloads = [SILENCE] * 20 + tone(400) + [SILENCE] * 40
    for peer in (plain, extended):
        peer.listen()
    held: list[int] = []
    for number in range(len(payloads)):
        fate = chance.random()
        numbers = [number, *held]
        held = []
        if fate < 0.02:
            numbers.remove(number)
        elif fate < 0.04:
            held = [number]
            numbers.remove(number)
        elif fate < 0.06:
            numbers.append(number)
        for peer in (plain, extended):
            for one in numbers:
                peer.send(payloads[one], one)
        loop.tick()
    loop.tick(40)
    by_leg = {leg_id: [report for report in loop.of(UtteranceHeard) if report.leg_id == leg_id] for leg_id in (1, 2)}
    assert len(by_leg[1]) == len(by_leg[2]) == 1
    assert by_leg[1][0].pcm == by_leg[2][0].pcm
    first, second = loop.figures(1), loop.figures(2)
    assert first.received_packets == second.received_packets
    assert first.lost_packets == second.lost_packets > 0
    assert first.duplicate_packets + first.late_packets == second.duplicate_packets + second.late_packets > 0
    assert first.concealed_ms == second.concealed_ms > 0


@pytest.mark.parametrize("extended", [False, True], ids=["in the express lane", "outside it"])
def test_delay_is_given_back_in_quiet(loop, peers, extended):
    peer = peers(extended=extended)
    leg = loop.media.legs[1]
    for number in range(7):
        peer.send(SILENCE, number)
    delays_s = []
    for number in range(7, 1200):
        peer.send(SILENCE, number)
        loop.tick()
        leg.bank.settle(leg.seat)
        delays_s.append(leg.jitter.delay_s)
    assert min(delays_s[:100]) > 0.1
    assert max(delays_s[-100:]) <= 0.04
    assert leg.jitter.figures.shortened >= 3
    assert leg.jitter.figures.late == leg.jitter.figures.discarded == 0


def test_a_stall_of_all_calls_at_once_is_concealed_as_far_as_there_is_time(loop, peers):
    made = [peers(leg_id) for leg_id in range(80)]
    payloads = tone(60)
    for number, payload in enumerate(payloads):
        if number == 30:
            loop.tick(3)
        for peer in made:
            peer.send(payload, number)
        loop.tick()
    assert all(loop.figures(leg_id).concealed_ms > 0 for leg_id in (0, 40, 79))
    assert all(loop.figures(leg_id).lost_packets == 0 for leg_id in (0, 40, 79))


def test_a_new_ssrc_in_the_middle_of_a_call(loop, peers):
    peer = peers()
    peer.listen()
    number = speak(loop, peer, [SILENCE] * 30)
    peer.send(tone(1)[0], 5, ssrc=1234, timestamp=77)  # a single stray packet
    number = speak(loop, peer, [SILENCE] * 10, number)
    for index, payload in enumerate(tone(40)):
        peer.send(payload, 40000 + index, ssrc=555)
        loop.tick()
    assert loop.of(SpeechStarted)
    figures = loop.figures(1)
    assert (figures.lost_packets, figures.concealed_ms <= 60) == (0, True)
    assert figures.received_packets == 79


def test_a_payload_type_switch_is_followed(loop, peers):
    peer = peers(receive=(PCMU, PCMA, G722))
    peer.listen()
    number = speak(loop, peer, [SILENCE] * 30)
    encoder = create_encoder("G722")
    wide = (0.3 * np.sin(2 * np.pi * 500 * np.arange(16000) / 16000)).astype(np.float32).reshape(50, 320)
    for frame in wide:
        peer.send(encoder.encode(frame), number, payload_type=9)
        number += 1
        loop.tick()
    for _ in range(40):
        peer.send(b"\xd5" * 160, number, payload_type=8)
        number += 1
        loop.tick()
    heard = loop.of(UtteranceHeard)
    assert heard[0].rate_hz == 8000
    assert np.abs(np.fft.rfft(pcm_of(heard[0])[:8000])).argmax() == pytest.approx(500, abs=3)
    assert loop.figures(1).rejected_packets == 0


def test_comfort_noise_is_taken_for_silence(loop, peers):
    peer = peers()
    peer.listen()
    first = speak(loop, peer, tone(20))
    for number in range(first, first + 10):
        peer.send(b"\x40", number, payload_type=13)
        loop.tick()
    figures = loop.figures(1)
    assert (figures.rejected_packets, figures.lost_packets, figures.received_packets) == (0, 0, 30)


def test_silence_on_the_line_is_reported_once(loop, peers):
    peer = peers()
    peer.configure(media_timeout_s=0.0)
    loop.tick(120)
    assert len(loop.of(MediaTimedOut)) == 1
