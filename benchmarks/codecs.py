"""What coding costs: CPU time for 20 ms of one call, in and out. Run: python benchmarks/codecs.py"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from voip_engine.codecs import g711
from voip_engine.codecs.base import create_decoder, create_encoder
from voip_engine.codecs.concealment import Concealer, conceal
from voip_engine.codecs.opus import COMPLEXITY, OpusDecoder, OpusEncoder
from voip_engine.demo.speech import SENTENCES, load_speech

FRAME = 320
ROUNDS = 5
Frames = list[np.ndarray]


def cpu_us(work: Callable[[], object], times: int) -> float:
    """CPU time of this thread for one call, the best of some rounds: other programs only ever make it slower."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, (time.thread_time() - start) / times)
    return best * 1e6


def coding_us(frames: Frames, encode: Callable, decode: Callable) -> tuple[float, float, list[bytes], Frames]:
    """Microseconds to encode and to decode a frame, the packets and what was decoded."""
    packets: list[bytes] = []
    heard: Frames = []

    def encode_all() -> None:
        packets[:] = [encode(frame) for frame in frames]

    def decode_all() -> None:
        heard[:] = [decode(packet) for packet in packets]

    return cpu_us(encode_all, 1) / len(frames), cpu_us(decode_all, 1) / len(frames), packets, heard


def spectral_distance_db(said: np.ndarray, heard: np.ndarray) -> float:
    """RMS difference of log spectra in 25 bands up to 8 kHz, where there is speech, after alignment."""
    spectrum = np.fft.rfft(said, 2 * said.size).conj() * np.fft.rfft(heard, 2 * said.size)
    delay = int(np.argmax(np.fft.irfft(spectrum)[:1000]))
    said, heard = said[: said.size - delay], heard[delay:]

    def bands(signal: np.ndarray) -> np.ndarray:
        blocks = signal[: signal.size // 512 * 512].reshape(-1, 512) * np.hanning(512)
        power = np.abs(np.fft.rfft(blocks, axis=1)[:, 1:251]) ** 2
        return 10 * np.log10(power.reshape(len(power), 25, 10).sum(axis=2) + 1e-3)

    reference, result = bands(said), bands(heard)
    loud = reference.mean(axis=1) > np.percentile(reference.mean(axis=1), 40)
    return float(np.sqrt(np.mean((reference[loud] - result[loud]) ** 2)))


def main() -> None:
    speech = np.concatenate([load_speech(sentence.name) for sentence in SENTENCES])
    speech = speech[: speech.size // FRAME * FRAME]
    frames = list(speech.reshape(-1, FRAME))

    print("G.711, µs a call and 20 ms     legs    encode    decode")
    for law in ("PCMU", "PCMA"):
        for legs in (1, 50, 200, 800):
            audio = np.resize(speech, (legs, 160))
            codes = g711.encode(law, audio)
            times = 20_000 // (legs + 20)
            encode_us = cpu_us(lambda law=law, audio=audio: g711.encode(law, audio), times) / legs
            decode_us = cpu_us(lambda law=law, codes=codes: g711.decode(law, codes), times) / legs
            print(f"  {law:<28} {legs:>5} {encode_us:>9.2f} {decode_us:>9.2f}")

    print("\nStateful, µs a frame         encode    decode     calls a core, coding alone")
    for codec in ("G722", "opus"):
        encode_us, decode_us, _, _ = coding_us(frames, create_encoder(codec).encode, create_decoder(codec).decode)
        print(f"  {codec:<24} {encode_us:>8.1f} {decode_us:>9.1f} {20_000 / (encode_us + decode_us):>14.0f}")

    print("\nOpus by complexity   encode    decode   kbit/s   spectral distance, dB")
    for complexity in range(11):
        encoder = OpusEncoder(complexity=complexity)
        encode_us, decode_us, packets, heard = coding_us(frames, encoder.encode, OpusDecoder().decode)
        rate = sum(map(len, packets)) * 8 / (len(packets) * 20)
        distance = spectral_distance_db(speech, np.concatenate(heard))
        chosen = "  ← chosen" if complexity == COMPLEXITY else ""
        print(f"  {complexity:>2} {encode_us:>22.1f} {decode_us:>9.1f} {rate:>8.1f} {distance:>12.2f}{chosen}")

    print("\nConcealment, µs                      8 kHz    16 kHz")
    lost, kept = [], []
    for rate_hz in (8_000, 16_000):
        history, frame = speech[10_000 : 10_000 + rate_hz // 25], speech[: rate_hz // 50]
        good = Concealer(rate_hz).good
        lost.append(cpu_us(lambda h=history, f=frame, r=rate_hz: conceal(h, f.size, 0, r), 500))
        kept.append(cpu_us(lambda g=good, f=frame: g(f), 5_000))
    print(f"  a frame that is missing {lost[0]:>17.1f} {lost[1]:>9.1f}")
    print(f"  a frame that arrived {kept[0]:>20.2f} {kept[1]:>9.2f}")


if __name__ == "__main__":
    main()
