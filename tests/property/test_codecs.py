"""Whatever comes from the network is audio or a CodecError."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voip_engine.codecs import g711
from voip_engine.codecs.base import CodecError, FrameDecoder, create_decoder, create_encoder
from voip_engine.codecs.concealment import conceal, resume
from voip_engine.codecs.opus import OpusDecoder

CODECS = ("opus", "G722")
payloads = st.binary(max_size=400)


def decode_or_refuse(decoder: FrameDecoder, payload: bytes) -> None:
    try:
        audio = decoder.decode(payload)
    except CodecError:
        return
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1


@pytest.mark.parametrize("codec", CODECS)
@given(stream=st.lists(payloads, max_size=8))
def test_garbage_is_decoded_or_refused(codec, stream) -> None:
    decoder = create_decoder(codec)
    for payload in stream:
        decode_or_refuse(decoder, payload)
        assert np.isfinite(decoder.conceal(320)).all()
    decoder.close()


@given(payload=payloads, samples=st.integers(1, 4000))
def test_garbage_never_breaks_recovery(payload, samples) -> None:
    decoder = OpusDecoder()
    try:
        recovered = decoder.recover(payload, samples)
    except CodecError:
        return
    assert recovered.shape == (samples,)
    assert np.isfinite(recovered).all()


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data())
def test_a_damaged_stream_heals(codec, data) -> None:
    """Flipped bytes in one packet leave a decoder that goes on working."""
    tone = (0.3 * np.sin(np.arange(320 * 6) * 0.2)).astype(np.float32)
    encoder, decoder = create_encoder(codec), create_decoder(codec)
    damaged = data.draw(st.integers(0, 5))
    for at in range(6):
        payload = bytearray(encoder.encode(tone[at * 320 : (at + 1) * 320]))
        if at == damaged:
            payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
        decode_or_refuse(decoder, bytes(payload))
    assert decoder.decode(encoder.encode(tone[:320])).size == 320


@pytest.mark.parametrize("law", ["PCMA", "PCMU"])
@given(codes=st.binary(min_size=1, max_size=400))
def test_g711_decodes_every_byte_and_is_stable(law, codes) -> None:
    audio = g711.decode(law, np.frombuffer(codes, np.uint8))
    assert np.abs(audio).max() <= 1
    np.testing.assert_array_equal(g711.decode(law, g711.encode(law, audio)), audio)


@given(
    history=st.lists(st.floats(-1, 1, width=32), max_size=700),
    samples=st.integers(1, 500),
    done=st.integers(0, 1000),
    rate_hz=st.sampled_from([8_000, 16_000]),
)
def test_concealment_takes_any_history(history, samples, done, rate_hz) -> None:
    known = np.array(history, np.float32)
    filled = conceal(known, samples, done, rate_hz)
    assert (filled.shape, filled.dtype) == ((samples,), np.float32)
    assert np.isfinite(filled).all()
    assert np.isfinite(resume(known, filled, done, rate_hz)).all()
