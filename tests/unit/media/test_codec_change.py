"""Another codec in mid-sentence, from each to each: what goes out and what comes in is decoded, and is still what was said."""

from __future__ import annotations

from itertools import groupby, pairwise, permutations

import msgspec
import numpy as np
import pytest
from support.correlation import RATE_HZ, Samples, at_telephone_rate, find_speech
from support.media_peer import G722, OPUS, PCMA, PCMU, Loop, Peer, pcm_of

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, create_decoder, create_encoder
from voip_engine.demo.speech import load_speech
from voip_engine.media.protocol import Play, PlayoutEnded, UtteranceHeard
from voip_engine.resample import resample
from voip_engine.rtp.packet import RtpPacket
from voip_engine.sdp.plan import PayloadType

SPEECH = load_speech("mia_echo")
HALF = 75
"""Frames of 20 ms before the change; as many are looked at behind it."""
ENOUGH = 0.9
"""Opus keeps the sound, not the wave, and reaches 0.95; other speech reaches 0.2."""

EVERY_CHANGE = pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(before, after, id=f"{before.codec} to {after.codec}")
        for before, after in permutations((OPUS, G722, PCMA, PCMU), 2)
    ],
)


def agree(peer: Peer, payload_type: PayloadType) -> None:
    """Agree on another codec, with what is still on its way taken too."""
    receive = (payload_type, *peer.plan.receive)
    peer.plan = msgspec.structs.replace(peer.plan, send=payload_type, receive=receive)
    peer.configure()


def decoded(packets: list[RtpPacket], payload_type: PayloadType) -> Samples:
    """What a phone makes of packets that came one after the other."""
    codec = payload_type.codec
    if codec == "PCMU" or codec == "PCMA":
        audio = g711.decode(codec, np.frombuffer(b"".join(packet.payload for packet in packets), np.uint8))
    else:
        decoder = create_decoder(codec)
        audio = np.concatenate([decoder.decode(packet.payload) for packet in packets])
        decoder.close()
    return at_telephone_rate(audio, AUDIO_RATE_HZ[codec])


def encoded(audio: Audio, payload_type: PayloadType) -> list[bytes]:
    """A phone's packets for a piece of speech at SAMPLE_RATE_HZ."""
    codec = payload_type.codec
    rate_hz = AUDIO_RATE_HZ[codec]
    frames = resample(audio, SAMPLE_RATE_HZ, rate_hz)[: len(audio) * rate_hz // SAMPLE_RATE_HZ].reshape(
        -1, rate_hz // 50
    )
    if codec == "PCMU" or codec == "PCMA":
        return [row.tobytes() for row in g711.encode(codec, frames)]
    encoder = create_encoder(codec)
    payloads = [encoder.encode(frame) for frame in frames]
    encoder.close()
    return payloads


def halves() -> tuple[Audio, Audio]:
    middle = HALF * SAMPLE_RATE_HZ // 50
    return SPEECH[:middle], SPEECH[middle : 2 * middle]


def assert_said(known: Audio, heard: Samples) -> None:
    match = find_speech(at_telephone_rate(known, SAMPLE_RATE_HZ), heard)
    assert match.coefficient > ENOUGH, match


@EVERY_CHANGE
def test_what_is_sent_is_what_is_played(loop: Loop, peers, before: PayloadType, after: PayloadType) -> None:
    peer = peers(send=before)
    pcm = (SPEECH * 32767).astype("<i2").tobytes()
    loop.do(Play(1, 1, pcm, rate_hz=SAMPLE_RATE_HZ))
    loop.tick(HALF)
    agree(peer, after)
    loop.tick(len(SPEECH) * 50 // SAMPLE_RATE_HZ - HALF + 10)
    assert loop.of(PlayoutEnded)[0].complete
    packets = peer.received()
    runs = [(number, list(run)) for number, run in groupby(packets, key=lambda packet: packet.payload_type)]
    assert [number for number, _ in runs] == [before.number, after.number]
    assert all((later.sequence - earlier.sequence) % 2**16 == 1 for earlier, later in pairwise(packets))
    for known, (_, run), payload_type in zip(halves(), runs, (before, after), strict=True):
        assert_said(known, decoded(run, payload_type))


@EVERY_CHANGE
def test_what_is_heard_is_what_is_said(loop: Loop, peers, before: PayloadType, after: PayloadType) -> None:
    peer = peers(send=before)
    peer.listen()
    heard: list[Samples] = []
    number, timestamp = 0, 1000
    for known, payload_type in zip(halves(), (before, after), strict=True):
        if payload_type is after:
            agree(peer, after)
        for payload in encoded(known, payload_type):
            peer.send(payload, number, payload_type=payload_type.number, timestamp=timestamp)
            loop.tick()
            number, timestamp = number + 1, timestamp + payload_type.clock_rate_hz // 50
    loop.tick(60)
    for report in loop.of(UtteranceHeard):
        heard.append(at_telephone_rate(pcm_of(report), report.rate_hz))
    everything = np.concatenate(heard)
    assert len(everything) / RATE_HZ > 2 * HALF / 50 * 0.8
    for known in halves():
        assert_said(known, everything)
    figures = loop.figures(1)
    assert (figures.lost_packets, figures.rejected_packets) == (0, 0)
