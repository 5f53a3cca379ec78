"""Opus through libopus itself (RFC 6716, RFC 7587): 16 kHz mono, in-band FEC, concealment.

libopus is called through ctypes with addresses that are taken once, from buffers that live as long as the coder: a call
costs little more than what happens inside the library, and gives the GIL back meanwhile.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import Final

import numpy as np
from opuslib_next.api import libopus

from voip_engine.audio import Audio
from voip_engine.codecs.base import AUDIO_RATE_HZ, CodecError

_RATE_HZ: Final = AUDIO_RATE_HZ["opus"]
_LONGEST_SAMPLES: Final = _RATE_HZ * 120 // 1000  # RFC 6716 §3.2.5: no packet carries more than 120 ms
_GRID_SAMPLES: Final = _RATE_HZ // 400  # concealment comes in steps of 2.5 ms
_LARGEST_PAYLOAD: Final = 1275  # RFC 6716 §3.2.1: the largest frame

BITRATE_BPS: Final = 28_000
COMPLEXITY: Final = 1
"""Chosen by measurement, see benchmarks/codecs.py: 2 and above take over twice the time for nothing it can measure."""

# Constants of libopus' public headers opus_defines.h.
_APPLICATION_VOIP = 2048
_SIGNAL_VOICE = 3001
_SET_BITRATE = 4002
_SET_COMPLEXITY = 4010
_SET_INBAND_FEC = 4012
_SET_PACKET_LOSS_PERC = 4014
_SET_DTX = 4016
_SET_SIGNAL = 4024

_int, _int32, _pointer, _bytes = ctypes.c_int, ctypes.c_int32, ctypes.c_void_p, ctypes.c_char_p
# Prototypes of our own: the ones on `libopus` belong to opuslib_next.
_error_text = ctypes.CFUNCTYPE(_bytes, _int)(("opus_strerror", libopus))
_encoder_create = ctypes.CFUNCTYPE(_pointer, _int32, _int, _int, _pointer)(("opus_encoder_create", libopus))
# Variadic: one c_int32 follows.
_encoder_control = ctypes.CFUNCTYPE(_int, _pointer, _int)(("opus_encoder_ctl", libopus))
_encoder_destroy = ctypes.CFUNCTYPE(None, _pointer)(("opus_encoder_destroy", libopus))
_encode = ctypes.CFUNCTYPE(_int32, _pointer, _pointer, _int, _pointer, _int32)(("opus_encode_float", libopus))
_decoder_create = ctypes.CFUNCTYPE(_pointer, _int32, _int, _pointer)(("opus_decoder_create", libopus))
_decoder_destroy = ctypes.CFUNCTYPE(None, _pointer)(("opus_decoder_destroy", libopus))
_decode = ctypes.CFUNCTYPE(_int, _pointer, _bytes, _int32, _pointer, _int, _int)(("opus_decode_float", libopus))

_LOUDEST = np.float32(1)


def _fail(what: str, code: int) -> CodecError:
    text = _error_text(code)
    return CodecError(f"Opus {what}: {text.decode() if text else code}")


class OpusDecoder:
    """Decodes one stream to 16 kHz mono, whatever bandwidth, frame size and channels its packets have."""

    audio_rate_hz: Final = _RATE_HZ

    def __init__(self) -> None:
        error = ctypes.c_int()
        self._state = _decoder_create(_RATE_HZ, 1, ctypes.addressof(error))
        if error.value or not self._state:
            raise _fail("decoder", error.value)
        self._audio: Audio = np.zeros(_LONGEST_SAMPLES, np.float32)
        self._audio_address: int = self._audio.ctypes.data
        self.close = weakref.finalize(self, _decoder_destroy, self._state)

    def decode(self, payload: bytes) -> Audio:
        """Decode one packet of up to 120 ms. Raises CodecError when it is empty or malformed."""
        # Of an empty packet libopus would make a concealed frame.
        if not payload:
            raise CodecError("An empty packet is no Opus")
        return self._run(payload, _LONGEST_SAMPLES, fec=0)

    def conceal(self, samples: int) -> Audio:
        """Let libopus go on with what it heard last, fading to comfort noise."""
        pieces = []
        for start in range(0, samples, _LONGEST_SAMPLES):
            wanted = min(samples - start, _LONGEST_SAMPLES)
            pieces.append(self._run(None, _on_grid(wanted), fec=0)[:wanted])
        return pieces[0] if len(pieces) == 1 else np.concatenate((np.zeros(0, np.float32), *pieces))

    def recover(self, next_payload: bytes, samples: int) -> Audio:
        """Take the lost frame from the FEC data of the packet after it (RFC 6716 §2.1.7), or conceal where it has none.

        Raises CodecError when that packet is malformed.
        """
        if not next_payload or not 0 < samples <= _LONGEST_SAMPLES:
            return self.conceal(samples)
        return self._run(next_payload, _on_grid(samples), fec=1)[:samples]

    def _run(self, payload: bytes | None, samples: int, fec: int) -> Audio:
        if not self.close.alive:
            raise CodecError("The Opus decoder is closed")
        size = 0 if payload is None else len(payload)
        count = _decode(self._state, payload, size, self._audio_address, samples, fec)
        if count < 0:
            raise _fail("decoder", count)
        # Loud music overshoots full scale in float output.
        audio = np.minimum(self._audio[:count], _LOUDEST)
        return np.maximum(audio, -_LOUDEST, out=audio)


def _on_grid(samples: int) -> int:
    return -(-samples // _GRID_SAMPLES) * _GRID_SAMPLES


class OpusEncoder:
    """Encodes one stream of speech. Packets carry FEC for their predecessor once losses are expected."""

    audio_rate_hz: Final = _RATE_HZ

    def __init__(
        self, *, bitrate_bps: int = BITRATE_BPS, complexity: int = COMPLEXITY, expected_loss_percent: int = 5
    ) -> None:
        error = ctypes.c_int()
        self._state = _encoder_create(_RATE_HZ, 1, _APPLICATION_VOIP, ctypes.addressof(error))
        if error.value or not self._state:
            raise _fail("encoder", error.value)
        self._audio: Audio = np.zeros(_LONGEST_SAMPLES, np.float32)
        self._audio_address: int = self._audio.ctypes.data
        self._payload = np.zeros(_LARGEST_PAYLOAD, np.uint8)
        self._payload_address: int = self._payload.ctypes.data
        self.close = weakref.finalize(self, _encoder_destroy, self._state)
        self._set(_SET_BITRATE, bitrate_bps)
        self._set(_SET_COMPLEXITY, complexity)
        self._set(_SET_SIGNAL, _SIGNAL_VOICE)
        self._set(_SET_INBAND_FEC, 1)
        self._set(_SET_DTX, 0)
        self.set_expected_loss(expected_loss_percent)

    def set_expected_loss(self, percent: int) -> None:
        """Say how many packets in a hundred the peer misses; the more, the more bits go to FEC. Raises CodecError."""
        self._set(_SET_PACKET_LOSS_PERC, percent)

    def encode(self, audio: Audio) -> bytes:
        """Encode 10, 20, 40, 60, 80, 100 or 120 ms. Raises CodecError for any other length."""
        if not self.close.alive:
            raise CodecError("The Opus encoder is closed")
        samples = audio.size
        if samples > _LONGEST_SAMPLES:
            raise CodecError(f"An Opus packet carries up to {_LONGEST_SAMPLES} samples, not {samples}")
        self._audio[:samples] = audio
        size = _encode(self._state, self._audio_address, samples, self._payload_address, _LARGEST_PAYLOAD)
        if size < 0:
            raise _fail(f"encoder, {samples} samples", size)
        return self._payload[:size].tobytes()

    def _set(self, request: int, value: int) -> None:
        code = _encoder_control(self._state, request, ctypes.c_int32(value))
        if code:
            raise _fail(f"encoder setting {request} = {value}", code)
