"""What each command of the engine does in the media process."""

from __future__ import annotations

from collections.abc import Callable

from voip_engine.media.loop import MediaLoop
from voip_engine.media.protocol import (
    AnyCommand,
    AnyReport,
    CloseLeg,
    ConfigureLeg,
    LegFailed,
    LegOpened,
    Listen,
    MapLeg,
    MoveLeg,
    OpenLeg,
    PausePlayout,
    Play,
    PlayoutEnded,
    ResumePlayout,
    SendDtmf,
    Shutdown,
    StartMonitor,
    StopMonitor,
    StopPlayout,
)
from voip_engine.media.sockets import PortError


def apply(loop: MediaLoop, command: AnyCommand, report: Callable[[AnyReport], None]) -> bool:
    """Carry out one command; False for Shutdown. A command for a leg that is gone changes nothing."""
    match command:
        case OpenLeg():
            try:
                leg = loop.open(command)
            except PortError as error:
                report(LegFailed(command.leg_id, str(error)))
            else:
                report(LegOpened(command.leg_id, leg.local))
        case ConfigureLeg():
            loop.configure(command)
        case MapLeg():
            loop.map(command)
        case MoveLeg():
            report(loop.move(command))
        case CloseLeg():
            loop.close(command.leg_id)
        case StartMonitor():
            if command.leg_id in loop.legs:
                loop.monitor.start(command.leg_id, command.speaker)
        case StopMonitor():
            loop.monitor.stop()
        case Shutdown():
            loop.close_all()
            return False
        case _:
            _apply_to_leg(loop, command, report)
    return True


def _apply_to_leg(
    loop: MediaLoop,
    command: Listen | Play | PausePlayout | ResumePlayout | StopPlayout | SendDtmf,
    report: Callable[[AnyReport], None],
) -> None:
    leg = loop.legs.get(command.leg_id)
    if leg is None:
        if isinstance(command, Play) and command.final:
            report(PlayoutEnded(command.leg_id, command.playout_id, 0, False, command.rate_hz))
        return
    match command:
        case Listen():
            leg.listen(command)
        case Play():
            leg.play(command)
        case PausePlayout():
            leg.playout.pause(command.playout_id)
        case ResumePlayout():
            leg.playout.resume(command.playout_id)
        case StopPlayout():
            leg.playout.stop(command.playout_id)
        case SendDtmf():
            leg.press(command.digit, command.duration_ms)
