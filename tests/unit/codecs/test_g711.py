"""G.711 against the values of ITU-T G.711 and against FFmpeg's independent implementation."""

import av
import numpy as np
import pytest

from voip_engine.codecs import g711

ALL_CODES = np.arange(256, dtype=np.uint8)
ALL_SAMPLES = np.arange(-32768, 32768)
FFMPEG = {"PCMU": "pcm_mulaw", "PCMA": "pcm_alaw"}
LAWS = ("PCMU", "PCMA")


def as_int16(audio: np.ndarray) -> np.ndarray:
    return (audio * 32768).astype(int)


def ffmpeg_values(law: str) -> np.ndarray:
    decoder = av.CodecContext.create(FFMPEG[law], "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    frames = decoder.decode(av.Packet(ALL_CODES.tobytes()))
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(int)


def ffmpeg_codes(law: str) -> np.ndarray:
    encoder = av.CodecContext.create(FFMPEG[law], "w")
    encoder.sample_rate, encoder.layout, encoder.format = 8000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(ALL_SAMPLES.astype(np.int16)[np.newaxis], format="s16", layout="mono")
    frame.sample_rate = 8000
    return np.frombuffer(b"".join(bytes(packet) for packet in encoder.encode(frame)), np.uint8)


@pytest.mark.parametrize("law", LAWS)
def test_all_codes_decode_as_ffmpeg_decodes_them(law) -> None:
    np.testing.assert_array_equal(as_int16(g711.decode(law, ALL_CODES)), ffmpeg_values(law))


@pytest.mark.parametrize(
    ("law", "code", "value"),
    [  # ITU-T G.711 tables 1 and 2, on the 16-bit scale
        ("PCMU", 0xFF, 0),
        ("PCMU", 0x80, 32124),
        ("PCMU", 0x00, -32124),
        ("PCMU", 0xEF, 132),
        ("PCMU", 0x6F, -132),
        ("PCMA", 0xD5, 8),
        ("PCMA", 0x55, -8),
        ("PCMA", 0xAA, 32256),
        ("PCMA", 0x2A, -32256),
    ],
)
def test_known_values(law, code, value) -> None:
    assert as_int16(g711.decode(law, np.array([code], np.uint8)))[0] == value


@pytest.mark.parametrize("law", LAWS)
def test_every_sample_is_decided_by_the_recommendation_s_decision_values(law) -> None:
    # A quantized value lies half-way between its decision values (G.711, note 2 to the tables), so that they follow
    # from each other: from FFmpeg's values, upwards from zero.
    values = np.unique(np.abs(ffmpeg_values(law)))
    decisions = [4 if law == "PCMU" else 16]
    for value in values[1:-1]:
        decisions.append(2 * value - decisions[-1])
    magnitude = np.where(ALL_SAMPLES < 0, ~ALL_SAMPLES, ALL_SAMPLES)
    expected = values[np.searchsorted(decisions, magnitude, side="right")] * np.where(ALL_SAMPLES < 0, -1, 1)

    codes = g711.encode(law, (ALL_SAMPLES / 32768).astype(np.float32))
    np.testing.assert_array_equal(as_int16(g711.decode(law, codes)), expected)


@pytest.mark.parametrize("law", LAWS)
def test_ffmpeg_encodes_the_same_but_near_decision_values(law) -> None:
    # FFmpeg decides half-way between two values, also where the step changes, and rounds negative samples down.
    ours, theirs = g711.encode(law, (ALL_SAMPLES / 32768).astype(np.float32)), ffmpeg_codes(law)
    assert np.count_nonzero(ours != theirs) < 0.02 * 65536
    values = as_int16(g711.decode(law, ALL_CODES))
    order = {value: place for place, value in enumerate(np.unique(values))}
    assert all(abs(order[values[a]] - order[values[b]]) <= 1 for a, b in zip(ours, theirs, strict=True) if a != b)


@pytest.mark.parametrize("law", LAWS)
def test_what_was_decoded_encodes_to_the_same_value_again(law) -> None:
    once = g711.decode(law, ALL_CODES)
    np.testing.assert_array_equal(g711.decode(law, g711.encode(law, once)), once)


@pytest.mark.parametrize("law", LAWS)
def test_shapes_stay_and_what_is_too_loud_is_clipped(law) -> None:
    matrix = np.linspace(-3, 3, 7 * 160, dtype=np.float32).reshape(7, 160)
    codes = g711.encode(law, matrix)
    assert (codes.shape, codes.dtype) == ((7, 160), np.uint8)
    audio = g711.decode(law, codes)
    assert (audio.shape, audio.dtype) == ((7, 160), np.float32)
    np.testing.assert_array_equal(codes, g711.encode(law, np.clip(matrix, -1, 1)))


@pytest.mark.parametrize("law", LAWS)
def test_silence_is_the_code_of_zero(law) -> None:
    assert g711.encode(law, np.zeros(1, np.float32))[0] == g711.SILENCE[law]
