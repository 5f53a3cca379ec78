"""What the engine must remember of each leg to open it again in another media process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from voip_engine.hosts import is_unspecified
from voip_engine.media.protocol import (
    AnyCommand,
    AnyReport,
    CloseLeg,
    ConfigureLeg,
    Figures,
    LegFailed,
    LegMoved,
    LegOpened,
    Listen,
    OpenLeg,
    Play,
    PlayoutEnded,
    PlayoutProgress,
    RtpStart,
    SrtpMark,
    StartMonitor,
    StopMonitor,
)
from voip_engine.rtp.srtp import KEPT_KEYS
from voip_engine.sdp.plan import HostPort, SrtpPlan

_MARGIN_FRAMES: Final = 10
"""A little too far ahead is harmless, going back is not: encrypted packets must never repeat an index."""
_MARGIN_RTCP: Final = 5


@dataclass(slots=True)
class _LegEntry:
    opened: OpenLeg
    configured: ConfigureLeg | None = None
    listening: Listen | None = None
    playouts: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Playouts that haven't ended: their rates, and the samples that are known to have gone out."""
    next_index: int = 0
    """The next sequence number, counted on over its wraps since the leg was opened."""
    next_timestamp: int = 0
    noted_s: float = 0.0
    """When the two above were true."""
    signalled: HostPort | None = None
    """The last address to send to."""
    remote: HostPort | None = None
    srtp_mark: SrtpMark | None = None
    """None for plain RTP."""
    earlier_keys: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """By send key: how far its packet indices are from `next_index`, and the RTCP packets that were sent under it."""
    earlier_heard: dict[tuple[str, bytes, bytes], tuple[int, int] | None] = field(default_factory=dict)
    """By suite, key and MKI of the peer's, the latest last: how far it was heard (see `SrtpMark`)."""


class Ledger:
    """Follows commands and reports, and from them makes the commands that bring a new process to where the lost one was."""

    def __init__(self) -> None:
        self._legs: dict[int, _LegEntry] = {}
        self._monitor: StartMonitor | None = None

    def __len__(self) -> int:
        return len(self._legs)

    def command(self, command: AnyCommand, now: float) -> AnyCommand:
        """Note a command, and give it as it is to be sent at `now`: a key that comes back is told where it stopped."""
        if isinstance(command, OpenLeg):
            start = command.start
            self._legs[command.leg_id] = _LegEntry(command, next_index=start.sequence, next_timestamp=start.timestamp)
        elif isinstance(command, StartMonitor):
            self._monitor = command
        elif isinstance(command, StopMonitor):
            self._monitor = None
        elif isinstance(command, CloseLeg):
            self._legs.pop(command.leg_id, None)
            if self._monitor is not None and self._monitor.leg_id == command.leg_id:
                self._monitor = None
        elif isinstance(command, ConfigureLeg | Listen | Play):
            entry = self._legs.get(command.leg_id)
            if entry is None:
                return command
            if isinstance(command, ConfigureLeg):
                signalled = command.plan.remote_rtp
                if not is_unspecified(signalled.host):  # else they hold by the old way, and stay where they are
                    entry.remote = entry.remote if entry.signalled == signalled else None
                    entry.signalled = signalled
                if entry.configured is None:
                    entry.noted_s = now  # nothing is sent before
                command = _with_mark(entry, command)
                entry.configured = command
            elif isinstance(command, Listen):
                entry.listening = command
            else:
                entry.playouts.setdefault(command.playout_id, (command.rate_hz, 0))
        return command

    def report(self, report: AnyReport, now: float) -> None:
        """Note a report that came at `now`."""
        if isinstance(report, Figures):
            for figures in report.legs:
                entry = self._legs.get(figures.leg_id)
                if entry is not None:
                    # Figures come ten times a second, so the shorter way round is the right one.
                    entry.next_index += (figures.next_sequence - entry.next_index + 0x8000 & 0xFFFF) - 0x8000
                    entry.next_timestamp = figures.next_timestamp
                    entry.noted_s = report.begun_s or now
                    entry.remote = figures.remote_rtp
                    if entry.srtp_mark is not None and figures.srtp_mark is not None:
                        entry.srtp_mark = figures.srtp_mark
        elif isinstance(report, LegOpened | LegMoved):
            entry = self._legs.get(report.leg_id)
            if entry is not None and report.local is not None:
                # From now on the leg has this port, whichever process serves it.
                entry.opened = msgspec.structs.replace(entry.opened, local=report.local)
        elif isinstance(report, LegFailed):
            self._legs.pop(report.leg_id, None)
        elif isinstance(report, PlayoutProgress):
            entry = self._legs.get(report.leg_id)
            if entry is not None and report.playout_id in entry.playouts:
                entry.playouts[report.playout_id] = report.rate_hz, report.heard_samples
        elif isinstance(report, PlayoutEnded):
            entry = self._legs.get(report.leg_id)
            if entry is not None:
                entry.playouts.pop(report.playout_id, None)

    def lost_playouts(self) -> list[PlayoutEnded]:
        """End the playouts that went down with a process, where their last progress was: a tenth of a second ago, or at 0."""
        lost = []
        for leg_id, entry in self._legs.items():
            lost += [
                PlayoutEnded(leg_id, playout_id, heard_samples, complete=False, rate_hz=rate_hz)
                for playout_id, (rate_hz, heard_samples) in entry.playouts.items()
            ]
            entry.playouts.clear()
        return lost

    def reopening(self, now: float) -> list[AnyCommand]:
        """Make the commands that open every leg again: same ports, same SSRC, sequence and timestamp as time has moved them."""
        commands: list[AnyCommand] = []
        for entry in self._legs.values():
            opened, configured = entry.opened, entry.configured
            if configured is not None:
                plan = configured.plan
                missed = round(max(0.0, now - entry.noted_s) * 50) + _MARGIN_FRAMES
                packets = -(-missed * 20 // plan.packet_ms)
                # What the next process may send counts as sent: it may be lost, too, before it tells anything.
                entry.next_index += packets
                entry.next_timestamp = entry.next_timestamp + missed * plan.send.clock_rate_hz // 50 & 0xFFFFFFFF
                entry.noted_s = now
                mark = entry.srtp_mark
                if mark is not None:
                    mark = SrtpMark(mark.next_index + packets, mark.rtcp_packets + _MARGIN_RTCP, mark.heard)
                    entry.srtp_mark = mark
                sequence = (entry.next_index if mark is None else mark.next_index) & 0xFFFF
                start = RtpStart(ssrc=opened.start.ssrc, sequence=sequence, timestamp=entry.next_timestamp)
                opened = msgspec.structs.replace(opened, start=start)
                latched = entry.remote or (entry.signalled if is_unspecified(plan.remote_rtp.host) else None)
                configured = msgspec.structs.replace(configured, latched=latched, srtp_mark=mark)
            commands.append(opened)
            if configured is not None:
                commands.append(configured)
            if entry.listening is not None:
                commands.append(entry.listening)
        if self._monitor is not None:
            commands.append(self._monitor)
        return commands


def _with_mark(entry: _LegEntry, command: ConfigureLeg) -> ConfigureLeg:
    """Note where the counters stand under a new plan's keys; give the command, with those for a key that comes back."""
    old = entry.configured.plan.srtp if entry.configured is not None else None
    new, mark = command.plan.srtp, entry.srtp_mark
    if old == new:
        return command
    if old is not None and mark is not None:
        entry.earlier_keys[old.send_key] = mark.next_index - entry.next_index, mark.rtcp_packets + _MARGIN_RTCP
        _note_heard(entry.earlier_heard, old, mark.heard)
    if new is None:
        entry.srtp_mark = None
        return command
    heard = entry.earlier_heard.get((new.suite, new.receive_key, new.receive_mki))
    if old is not None and mark is not None and old.send_key == new.send_key:
        entry.srtp_mark = msgspec.structs.replace(mark, heard=heard)
        return msgspec.structs.replace(command, srtp_mark=entry.srtp_mark) if heard is not None else command
    earlier = entry.earlier_keys.get(new.send_key)
    if earlier is None:  # a new key begins at the sequence number (RFC 3711 §3.3.1)
        entry.srtp_mark = SrtpMark(entry.next_index & 0xFFFF, 0, None)
        return command
    offset, rtcp_packets = earlier
    entry.srtp_mark = SrtpMark(entry.next_index + offset, rtcp_packets, heard)
    return msgspec.structs.replace(command, srtp_mark=entry.srtp_mark)


def _note_heard(
    earlier: dict[tuple[str, bytes, bytes], tuple[int, int] | None], plan: SrtpPlan, heard: tuple[int, int] | None
) -> None:
    key = plan.suite, plan.receive_key, plan.receive_mki
    before = earlier.pop(key, None)
    earlier[key] = heard or before
    if len(earlier) > KEPT_KEYS:
        del earlier[next(iter(earlier))]
