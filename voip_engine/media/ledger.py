"""What the engine must remember of each leg to open it again in another media process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from voip_engine.media.protocol import (
    AnyCommand,
    AnyReport,
    CloseLeg,
    ConfigureLeg,
    Figures,
    LegFailed,
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
    next_sequence: int = 0
    next_timestamp: int = 0
    noted_s: float = 0.0
    """When the two above were true."""
    remote: HostPort | None = None
    srtp_mark: SrtpMark | None = None


class Ledger:
    """Follows commands and reports, and from them makes the commands that bring a new process to where the lost one was."""

    def __init__(self) -> None:
        self._legs: dict[int, _LegEntry] = {}
        self._monitor: StartMonitor | None = None

    def __len__(self) -> int:
        return len(self._legs)

    def command(self, command: AnyCommand, now: float) -> None:
        """Note a command that is sent at `now`."""
        if isinstance(command, OpenLeg):
            start = command.start
            self._legs[command.leg_id] = _LegEntry(
                command, next_sequence=start.sequence, next_timestamp=start.timestamp
            )
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
                return
            if isinstance(command, ConfigureLeg):
                if entry.configured is not None and entry.configured.plan.remote_rtp != command.plan.remote_rtp:
                    entry.remote = None
                if entry.configured is None:
                    entry.noted_s = now  # nothing is sent before
                else:
                    entry.srtp_mark = _mark_under(entry.srtp_mark, entry.configured.plan.srtp, command.plan.srtp)
                entry.configured = command
            elif isinstance(command, Listen):
                entry.listening = command
            else:
                entry.playouts.setdefault(command.playout_id, (command.rate_hz, 0))

    def report(self, report: AnyReport, now: float) -> None:
        """Note a report that came at `now`."""
        if isinstance(report, Figures):
            for figures in report.legs:
                entry = self._legs.get(figures.leg_id)
                if entry is not None:
                    entry.next_sequence, entry.next_timestamp = figures.next_sequence, figures.next_timestamp
                    entry.noted_s = report.begun_s or now
                    entry.remote = figures.remote_rtp
                    entry.srtp_mark = figures.srtp_mark
        elif isinstance(report, LegOpened):
            entry = self._legs.get(report.leg_id)
            if entry is not None:
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
                start = RtpStart(
                    ssrc=opened.start.ssrc,
                    sequence=entry.next_sequence + packets & 0xFFFF,
                    timestamp=entry.next_timestamp + missed * plan.send.clock_rate_hz // 50 & 0xFFFFFFFF,
                )
                mark = entry.srtp_mark
                if mark is not None:
                    next_index = mark.next_index + packets
                    mark = SrtpMark(next_index, mark.rtcp_packets + _MARGIN_RTCP, mark.heard)
                    start = msgspec.structs.replace(start, sequence=next_index & 0xFFFF)
                opened = msgspec.structs.replace(opened, start=start)
                configured = msgspec.structs.replace(configured, latched=entry.remote, srtp_mark=mark)
            commands.append(opened)
            if configured is not None:
                commands.append(configured)
            if entry.listening is not None:
                commands.append(entry.listening)
        if self._monitor is not None:
            commands.append(self._monitor)
        return commands


def _mark_under(mark: SrtpMark | None, old: SrtpPlan | None, new: SrtpPlan | None) -> SrtpMark | None:
    """What of a mark still holds under a new plan: counters belong to keys."""
    if mark is None or old is None or new is None or old.send_key != new.send_key:
        return None
    return mark if old == new else msgspec.structs.replace(mark, heard=None)
