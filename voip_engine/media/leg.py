"""One leg: its sockets, its two halves, its RTCP."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from functools import partial

from voip_engine.codecs import g711
from voip_engine.hosts import is_unspecified
from voip_engine.media.bank import Bank, Seat
from voip_engine.media.encryption import Encryption
from voip_engine.media.inbound import Inbound
from voip_engine.media.mapping import KEEPALIVE_S, AddressMapping
from voip_engine.media.outbound import Outbound
from voip_engine.media.playout import Ended, PlayoutQueue
from voip_engine.media.playout_reports import report_of
from voip_engine.media.protocol import (
    AnyReport,
    ConfigureLeg,
    DtmfHeard,
    Listen,
    MapLeg,
    MediaTimedOut,
    MoveLeg,
    OpenLeg,
    PacketRejected,
    Play,
)
from voip_engine.media.sockets import (
    LONGEST_DATAGRAM_BYTES,
    ArrivalClock,
    Readiness,
    Source,
    bind_pair,
    connect_twin,
)
from voip_engine.media.source import G711, FrameSource
from voip_engine.rtp.dtmf import KeyPress
from voip_engine.rtp.jitter import JitterBuffer
from voip_engine.rtp.packet import looks_like_rtcp
from voip_engine.rtp.rtcp import MalformedRtcp
from voip_engine.rtp.session import RtcpSession
from voip_engine.rtp.srtp import Replayed, SrtpError
from voip_engine.sdp.plan import HostPort, MediaPlan
from voip_engine.stun.messages import looks_like_stun

_STALE_DATAGRAMS = 64


class Leg:
    """A call's media. Opened without a plan; `configure` gives it one, again after every re-INVITE."""

    def __init__(
        self,
        command: OpenLeg,
        *,
        clock: ArrivalClock,
        readiness: Readiness,
        report: Callable[[AnyReport], None],
        randomness: random.Random,
        frame_number: int,
    ) -> None:
        """Bind the sockets. Raises PortError."""
        self.leg_id = command.leg_id
        self.plan: MediaPlan | None = None
        self.closed = False
        self._clock = clock
        self._readiness = readiness
        self._report = report
        self._random = randomness
        self._rtp, self._rtcp = bind_pair(command.local, command.ports, randomness.randrange(1 << 14))
        self._mapping: AddressMapping | None = None
        self._kept_open_s = clock.now_s
        self._twin: socket.socket | None = None
        self._signalled: Source | None = None
        self._rtcp_remote: Source | None = None
        self._media_timeout_s: float | None = None
        self._coded: tuple[g711.G711Name, int] | None = None
        self._timed_out = False
        self.local = HostPort(*self._rtp.getsockname()[:2])
        self.jitter = JitterBuffer(8000)
        self.outbound = Outbound(command.start)
        self.encryption = Encryption(self.outbound)
        self.playout = PlayoutQueue(8000, self._playout_ended)
        self.seat = Seat(self.leg_id, self.outbound, self.playout, self._rtp.send, frame_number)
        self.bank: Bank | None = None
        self.inbound = Inbound(
            self.jitter,
            clock,
            rejected=self._rejected,
            latched=self._follow,
            new_source=self._new_source,
            key_pressed=self._key_pressed,
        )
        self.rtcp = RtcpSession(command.start.ssrc, randomness)
        readiness.watch(self._rtp, self._read_anyone)
        readiness.watch(self._rtcp, self._read_rtcp)

    # ---- the plan ----------------------------------------------------------------------------------------------------

    def configure(self, command: ConfigureLeg, bank: Bank) -> None:
        """Apply a plan; `bank` is that of the audio rate of its codec."""
        plan = command.plan
        previous, self.plan = self.plan, plan
        if self.bank is not None:
            self.bank.leave_lanes(self.seat)
        if self.bank is not bank:
            self._move(bank)
        assert self.seat.source is not None
        self.encryption.configure(plan.srtp, command.srtp_mark)
        self.seat.protect = self.encryption.protect if self.encryption.active else None
        self.outbound.configure(plan)
        self.seat.source.set_codecs({payload_type.number: payload_type for payload_type in plan.receive})
        self._coded = next(((one.codec, one.number) for one in plan.receive if one.codec in G711), None)
        held = is_unspecified(plan.remote_rtp.host)  # the old way (RFC 3264 §8.4), and the peer stays where it is
        signalled = (held and self._signalled) or (plan.remote_rtp.host, plan.remote_rtp.port)
        if signalled != self._signalled or command.latched is not None:
            self._signalled = signalled
            known = (command.latched.host, command.latched.port) if command.latched else None
            self.inbound.latch_onto(signalled, known, command.parties)
            self._follow(known or signalled)
        elif self.inbound.latch is not None:
            self.inbound.latch.take_parties(command.parties)
        self.inbound.configure(plan)
        if previous is None:
            self.jitter.set_clock_rate(plan.send.clock_rate_hz)
        if not held:
            self._rtcp_remote = (plan.remote_rtcp.host, plan.remote_rtcp.port)
        self._media_timeout_s = command.media_timeout_s
        self._timed_out = False
        self.inbound.last_heard_s = self._clock.now_s
        bank.enter_speak_lane(self.seat)

    def _move(self, bank: Bank) -> None:
        """Take a row in the bank of another audio rate."""
        seat = self.seat
        if self.bank is not None:
            self.bank.unseat(seat)
        if seat.source is not None:
            seat.source.close()
        self.bank = bank
        self.playout.set_rate(bank.rate_hz)
        seat.source = FrameSource(
            bank.rate_hz, self.jitter, partial(bank.history, seat), partial(bank.is_quiet, seat), bank.may_search
        )
        bank.seat(seat)

    def move(self, command: MoveLeg) -> None:
        """Bind other sockets in the place of the present ones. Raises PortError, and then nothing has changed."""
        sockets = bind_pair(command.local, command.ports, self._random.randrange(1 << 14))
        for opened in (self._rtp, self._rtcp):
            self._readiness.forget(opened)
            opened.close()
        self._rtp, self._rtcp = sockets
        self._mapping = None
        self.local = HostPort(*self._rtp.getsockname()[:2])
        self._readiness.watch(self._rtp, self._read_anyone)
        self._readiness.watch(self._rtcp, self._read_rtcp)
        if self.inbound.latch is not None:
            self._follow(self.inbound.latch.peer)
        else:
            self.seat.send = self._rtp.send

    def map(self, command: MapLeg) -> AddressMapping:
        """Begin to ask a STUN server where the ports are seen from outside."""
        self._mapping = AddressMapping(command, (self._rtp, self._rtcp), self._clock.now_s)
        return self._mapping

    def listen(self, command: Listen) -> None:
        """Turn voice activity detection on or off."""
        self.seat.listen = command
        if self.bank is not None:
            self.bank.listen(self.seat, command)

    def hasten(self) -> None:
        """Enter the express lanes, if all is well; to be called now and then."""
        bank, source = self.bank, self.seat.source
        if bank is None or source is None:
            return
        bank.enter_speak_lane(self.seat)
        if self._twin is None or self._coded is None or self.seat.row in bank.hear_lane:
            return
        if self.inbound.settled and not source.in_gap and bank.rate_hz == self.jitter.clock_rate_hz:
            codec, number = self._coded
            if bank.enter_hear_lane(self.seat, self.inbound, codec, number, self._slowed):
                decrypted = (self.encryption.try_unprotect, self._read_decrypted) if self.encryption.active else None
                self._readiness.hasten(self._twin, self.seat.row, decrypted)

    def _slowed(self) -> None:
        if self._twin is not None:
            self._readiness.slow(self._twin)

    def press(self, digit: str, duration_ms: int) -> None:
        """Send a key."""
        if self.bank is not None:
            self.bank.leave_lanes(self.seat)
        self.outbound.press(digit, duration_ms)

    def play(self, command: Play) -> None:
        """Queue audio."""
        self.playout.play(command.playout_id, command.pcm, command.rate_hz, command.final, progress=command.progress)
        if self.bank is not None:
            self.bank.play(self.seat)

    def _follow(self, remote: Source) -> None:
        """Send to a peer and hear it through a socket of its own."""
        if self.bank is not None:
            self.bank.leave_lanes(self.seat)
        if self._twin is not None:
            self._readiness.forget(self._twin)
            self._twin.close()
        if is_unspecified(remote[0]):  # to the system that is this machine
            self._twin, self.seat.send = None, _send_nowhere
            return
        self._twin = connect_twin(self._rtp, HostPort(*remote))
        if self._twin is None:
            self.seat.send = partial(_send_to, self._rtp, remote)
            return
        self.seat.send = self._twin.send
        # Until it was connected the twin took anyone's packets; those are judged by their addresses, unlike what comes later.
        with contextlib.suppress(OSError):
            for _ in range(_STALE_DATAGRAMS):
                data, address = self._twin.recvfrom(LONGEST_DATAGRAM_BYTES)
                self._read_anyone(data, self._clock.now_s, address)
        self._readiness.watch(self._twin, self._read_peer)

    def _new_source(self) -> None:
        if self.seat.source is not None:
            self.seat.source.restart()

    # ---- sockets -----------------------------------------------------------------------------------------------------

    def _read_peer(self, data: bytes, arrived_s: float, _: Source) -> None:
        if not data:
            return
        latch = self.inbound.latch
        if looks_like_rtcp(data) and self.plan is not None and self.plan.rtcp_mux and latch is not None:
            self._read_rtcp(data, arrived_s, latch.peer)
            return
        self._leave_hear_lane()
        if not self.encryption.active:
            self.inbound.receive_from_peer(data, arrived_s)
        elif latch is not None:
            self._read_encrypted(data, arrived_s, latch.peer)

    def _read_decrypted(self, data: bytes, arrived_s: float, _: Source) -> None:
        self._leave_hear_lane()
        self.inbound.receive_from_peer(data, arrived_s)

    def _leave_hear_lane(self) -> None:
        """Make way for a key, or anything else that isn't 20 ms of G.711."""
        bank = self.bank
        if bank is not None and self.seat.row in bank.hear_lane:
            bank.hear_lane.leave(self.seat.row)

    def _read_anyone(self, data: bytes, arrived_s: float, address: Source) -> None:
        source = address[:2]
        if not data:
            return  # keeps the peer's way through a NAT open, as ours do (RFC 6263 §4.1)
        if looks_like_stun(data):
            if self._mapping is not None:
                self._mapping.receive(0, data, source)
        elif looks_like_rtcp(data):
            if self.plan is None:
                return  # the answer, which says whether it may come here, is still on its way (RFC 5761 §5.1.1)
            if self.plan.rtcp_mux:
                self._read_rtcp(data, arrived_s, source)
            else:
                self.inbound.reject(source, "RTCP on the RTP port")
        elif self.encryption.active:
            self._read_encrypted(data, arrived_s, source)
        else:
            self.inbound.receive(data, source, arrived_s)

    def _read_encrypted(self, data: bytes, arrived_s: float, source: Source) -> None:
        latch = self.inbound.latch
        try:
            packet = self.encryption.unprotect(data)
        except Replayed as error:
            if latch is not None and source == latch.peer:
                self.jitter.figures.duplicate += 1  # networks double packets, too
            else:
                self.inbound.reject(source, f"SRTP that is not taken: {error}")
        except SrtpError as error:
            self.inbound.reject(source, f"SRTP that is not taken: {error}")
        else:
            self.inbound.receive_authentic(packet, source, arrived_s)

    def _read_rtcp(self, data: bytes, arrived_s: float, address: Source) -> None:
        source = address[:2]
        latch = self.inbound.latch
        if looks_like_stun(data):
            if self._mapping is not None:
                self._mapping.receive(1, data, source)
            return
        if latch is None or self.plan is None or not data:
            return
        try:
            if self.encryption.active:
                data = self.encryption.unprotect_rtcp(data)
            elif source[0] not in (self.plan.remote_rtcp.host, latch.peer[0]):
                self.inbound.reject(source, "RTCP from a source that is not the call's")
                return
            self.rtcp.receive(data, self._clock.epoch_s(arrived_s), self.plan.send.clock_rate_hz)
        except (MalformedRtcp, SrtpError) as error:
            self.inbound.reject(source, f"RTCP that is not taken: {error}")
            return
        self._rtcp_remote = source  # behind NAT it comes from elsewhere than was signalled

    # ---- what is said ------------------------------------------------------------------------------------------------

    def _rejected(self, source: Source, reason: str) -> None:
        self._report(PacketRejected(self.leg_id, HostPort(*source), reason))

    def _key_pressed(self, key: KeyPress) -> None:
        self._report(DtmfHeard(self.leg_id, key.digit, key.duration_ms))

    def _playout_ended(self, ended: Ended) -> None:
        if self.bank is not None:
            self.bank.playouts.ended(self.leg_id, self.outbound, self.playout, ended)
        else:
            self._report(report_of(self.leg_id, ended))

    def second(self, now: float) -> None:
        """Do what is done once a second: loss, delay, half-heard keys, the way through NATs, the media time-out."""
        self._keep_open(now)
        if self.bank is not None and self.seat.row in self.bank.hear_lane:
            self.bank.hear_lane.second(self.seat.row)
        self.inbound.second(now)
        if self._media_timeout_s is None or self.plan is None or not self.inbound.hearing:
            return
        silent_s = now - self.inbound.last_heard_s
        if silent_s < self._media_timeout_s:
            self._timed_out = False
        elif not self._timed_out:
            self._timed_out = True
            self._report(MediaTimedOut(self.leg_id, round(silent_s, 1)))

    def _keep_open(self, now: float) -> None:
        """Send something now and then where nothing is sent, so that NATs go on letting the peer in (RFC 6263)."""
        if self.plan is None:
            if self._mapping is not None:
                self._mapping.keep_open(now)
        elif self.outbound.sending or self.plan.rtcp_mux:  # RTCP on the same port does as well
            self._kept_open_s = now
        elif now - self._kept_open_s >= KEEPALIVE_S:
            self._kept_open_s = now
            with contextlib.suppress(OSError):  # it is sent again
                self.seat.send(b"")

    def send_rtcp(self, *, goodbye: bool = False) -> None:
        """Send a compound packet, if there is anyone to send it to."""
        if self._rtcp_remote is None:
            return
        if self.bank is not None:
            self.bank.settle(self.seat)
        outbound, compose = self.outbound, self.rtcp.goodbye if goodbye else self.rtcp.report
        data = compose(
            self._clock.epoch_s(), outbound.timestamp, outbound.packets, outbound.octets, self.inbound.statistics
        )
        protected = self.encryption.protect_rtcp(data) if self.encryption.active else data
        if protected is None:
            return
        with contextlib.suppress(OSError):  # RTCP is sent again in seconds
            if self.plan is not None and self.plan.rtcp_mux:
                self.seat.send(protected)
            else:
                self._rtcp.sendto(protected, self._rtcp_remote)

    def close(self) -> None:
        """Say goodbye, end speech and playouts, free the ports."""
        self.closed = True
        self.send_rtcp(goodbye=True)
        self.playout.stop_all()
        if self.bank is not None:
            self.bank.unseat(self.seat)
        if self.seat.source is not None:
            self.seat.source.close()
        self.outbound.close()
        for opened in (self._rtp, self._rtcp, self._twin):
            if opened is not None:
                self._readiness.forget(opened)
                opened.close()
        # The collector is off in the media process: undo by hand what refers back here.
        self.inbound.disconnect()
        self.seat.source = None
        self.seat.send = _send_nowhere
        self.seat.protect = None


def _send_to(sender: socket.socket, remote: Source, data: bytes | memoryview) -> int:
    return sender.sendto(data, remote)


def _send_nowhere(_: bytes | memoryview) -> int:
    return 0
