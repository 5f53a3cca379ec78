"""Listening in: both directions of one leg, as datagrams to the speaker process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voip_engine.audio import Audio
from voip_engine.media.leg import Leg
from voip_engine.media.monitor_packet import pack
from voip_engine.sdp.plan import HostPort


class MonitorTap:
    """Sends 20 ms of the monitored leg each tick."""

    def __init__(self) -> None:
        self._leg_id: int | None = None
        self._sender: socket.socket | None = None
        self._sequence = 0

    def start(self, leg_id: int, speaker: HostPort) -> None:
        """Begin to send a leg's audio to the speaker process, instead of another's."""
        self.stop()
        sender = socket.socket(socket.AF_INET6 if ":" in speaker.host else socket.AF_INET, socket.SOCK_DGRAM)
        sender.setblocking(False)
        try:
            sender.connect((speaker.host, speaker.port))
        except OSError:
            sender.close()
            return
        self._leg_id, self._sender = leg_id, sender

    def stop(self) -> None:
        """End what `start` began."""
        if self._sender is not None:
            self._sender.close()
        self._leg_id = self._sender = None

    def feed(self, legs: Mapping[int, Leg]) -> None:
        """Send this tick's audio. Nobody listening, or too slowly, costs the listener, not the call."""
        if self._sender is None or self._leg_id is None:
            return
        leg = legs.get(self._leg_id)
        if leg is None:
            self.stop()
            return
        bank, row = leg.bank, leg.seat.row
        if bank is None:
            return
        datagram = pack(self._sequence, bank.rate_hz, _pcm(bank.heard[row]), _pcm(bank.ours[row]))
        self._sequence += 1
        with contextlib.suppress(OSError):
            self._sender.send(datagram)


def _pcm(audio: Audio) -> NDArray[np.int16]:
    return (np.clip(audio, -1, 1) * 32767).astype(np.int16)
