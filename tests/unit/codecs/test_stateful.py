"""What holds for Opus and G.722 alike, and what is Opus' own, on real speech."""

import av
import numpy as np
import pytest

from voip_engine.codecs.base import AUDIO_RATE_HZ, CodecError, create_decoder, create_encoder
from voip_engine.codecs.opus import OpusDecoder, OpusEncoder
from voip_engine.demo.speech import load_speech

FRAME = 320
CODECS = ("opus", "G722")


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    audio = load_speech("ben_coffee")
    return audio[: audio.size // FRAME * FRAME]


def packets(codec: str, audio: np.ndarray, samples: int = FRAME) -> list[bytes]:
    encoder = create_encoder(codec)
    return [encoder.encode(audio[at : at + samples]) for at in range(0, audio.size - samples + 1, samples)]


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    """The best normalised correlation over delays up to 40 ms."""
    size = min(heard.size, said.size) - 640
    scores = [np.corrcoef(heard[delay : delay + size], said[:size])[0, 1] for delay in range(640)]
    return float(max(scores))


@pytest.mark.parametrize(("codec", "least"), [("opus", 0.9), ("G722", 0.98)])
def test_speech_survives(codec, least, speech) -> None:
    decoder = create_decoder(codec)
    assert decoder.audio_rate_hz == AUDIO_RATE_HZ[codec]
    heard = np.concatenate([decoder.decode(packet) for packet in packets(codec, speech)])
    assert (heard.size, heard.dtype) == (speech.size, np.float32)
    assert likeness(heard, speech) > least


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("frames", [2, 3])
def test_packets_may_carry_several_frames(codec, frames, speech) -> None:
    decoder = create_decoder(codec)
    for packet in packets(codec, speech[: 12 * FRAME], frames * FRAME):
        assert decoder.decode(packet).size == frames * FRAME


@pytest.mark.parametrize("codec", CODECS)
def test_lengths_that_no_packet_can_carry_are_refused(codec) -> None:
    encoder = create_encoder(codec)
    for samples in (0, 333, 100 * FRAME + 1):
        with pytest.raises(CodecError):
            encoder.encode(np.zeros(samples, np.float32))


@pytest.mark.parametrize("codec", CODECS)
def test_an_empty_packet_is_refused_and_changes_nothing(codec, speech) -> None:
    disturbed, undisturbed = create_decoder(codec), create_decoder(codec)
    for packet in packets(codec, speech[: 20 * FRAME]):
        with pytest.raises(CodecError):
            disturbed.decode(b"")
        np.testing.assert_array_equal(disturbed.decode(packet), undisturbed.decode(packet))


@pytest.mark.parametrize("codec", CODECS)
def test_a_gap_is_filled_and_fades(codec, speech) -> None:
    decoder = create_decoder(codec)
    spoken = packets(codec, speech)
    loudest = max(range(20, len(spoken) - 10), key=lambda at: float(np.sum(speech[at * FRAME : (at + 1) * FRAME] ** 2)))
    for packet in spoken[: loudest + 1]:
        before = decoder.decode(packet)
    filled = [decoder.conceal(FRAME) for _ in range(15)]
    assert all(frame.size == FRAME for frame in filled)
    assert np.std(filled[0]) > 0.4 * np.std(before)
    assert np.std(filled[-1]) < 0.05 * np.std(before)
    assert np.abs(np.diff(np.concatenate((before, *filled)))).max() < 2 * np.abs(np.diff(before)).max()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("samples", [0, 1, 161, FRAME, 1920, 5000])
def test_any_length_can_be_concealed_even_before_the_first_packet(codec, samples) -> None:
    decoder = create_decoder(codec)
    assert decoder.conceal(samples).shape == (samples,)
    assert decoder.recover(b"\x08", samples).shape == (samples,)


@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_g711_has_no_coder_of_its_own(codec) -> None:
    with pytest.raises(CodecError):
        create_decoder(codec)
    with pytest.raises(CodecError):
        create_encoder(codec)


def test_g722_is_64_kbit_s_and_decodes_any_length(speech) -> None:
    assert {len(packet) for packet in packets("G722", speech)} == {160}
    stream = b"".join(packets("G722", speech))
    whole = create_decoder("G722").decode(stream)
    decoder = create_decoder("G722")
    pieces = [decoder.decode(stream[at : at + 77]) for at in range(0, len(stream), 77)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_g722_is_what_ffmpeg_reads(speech) -> None:
    decoder = av.CodecContext.create("g722", "r")
    decoder.sample_rate, decoder.layout = 16_000, "mono"
    frames = decoder.decode(av.Packet(b"".join(packets("G722", speech))))
    theirs = np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768
    assert likeness(theirs, speech) > 0.98


def test_opus_keeps_to_its_bitrate(speech) -> None:
    spoken = packets("opus", speech)
    assert 16_000 < sum(map(len, spoken)) * 8 / (len(spoken) * 0.02) < 36_000


def test_opus_is_what_ffmpeg_reads(speech) -> None:
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    frames = [frame for packet in packets("opus", speech) for frame in decoder.decode(av.Packet(packet))]
    theirs = np.concatenate([frame.to_ndarray()[0] for frame in frames])[::3]
    assert likeness(theirs, speech) > 0.9


@pytest.mark.parametrize("layout", ["mono", "stereo"])
def test_opus_reads_fullband_packets_in_mono_and_stereo(layout, speech) -> None:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, layout, "flt", 96_000
    channels = 2 if layout == "stereo" else 1
    wide = np.repeat(np.repeat(speech, 3), channels)[np.newaxis]
    decoder, heard = OpusDecoder(), []
    for at in range(0, wide.size, 960 * channels):
        frame = av.AudioFrame.from_ndarray(wide[:, at : at + 960 * channels], format="flt", layout=layout)
        frame.sample_rate = 48_000
        heard += [decoder.decode(bytes(packet)) for packet in encoder.encode(frame)]
    assert {frame.size for frame in heard} == {FRAME}
    assert likeness(np.concatenate(heard), speech) > 0.9


def test_opus_recovers_a_lost_frame_better_than_it_conceals_it(speech) -> None:
    encoder = OpusEncoder()
    encoder.set_expected_loss(20)
    spoken = [encoder.encode(speech[at : at + FRAME]) for at in range(0, speech.size, FRAME)]
    complete, recovering, concealing = OpusDecoder(), OpusDecoder(), OpusDecoder()
    errors = {"recovered": 0.0, "concealed": 0.0}
    for at, packet in enumerate(spoken):
        truth = complete.decode(packet)
        if at % 10 == 5:
            recovered = recovering.recover(spoken[at + 1] if at + 1 < len(spoken) else b"", FRAME)
            errors["recovered"] += float(np.sum((recovered - truth) ** 2))
            errors["concealed"] += float(np.sum((concealing.conceal(FRAME) - truth) ** 2))
        else:
            recovering.decode(packet)
            concealing.decode(packet)
    assert errors["recovered"] < 0.5 * errors["concealed"]


@pytest.mark.parametrize("percent", [-1, 101])
def test_an_impossible_loss_is_refused(percent) -> None:
    with pytest.raises(CodecError, match="invalid argument"):
        OpusEncoder().set_expected_loss(percent)


def test_a_closed_opus_coder_refuses_instead_of_crashing() -> None:
    decoder, encoder = OpusDecoder(), OpusEncoder()
    for coder in (decoder, encoder):
        coder.close()
        coder.close()
    with pytest.raises(CodecError):
        decoder.decode(b"\x08")
    with pytest.raises(CodecError):
        decoder.conceal(FRAME)
    with pytest.raises(CodecError):
        encoder.encode(np.zeros(FRAME, np.float32))


def test_loud_music_stays_within_full_scale() -> None:
    square = np.sign(np.sin(np.arange(50 * FRAME) * 2 * np.pi * 700 / 16_000)).astype(np.float32)
    decoder = OpusDecoder()
    assert max(float(np.abs(decoder.decode(packet)).max()) for packet in packets("opus", square)) <= 1.0
