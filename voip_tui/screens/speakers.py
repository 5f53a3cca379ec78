"""What the keys of the main screen do to the speakers: who is heard on them, how loud, and which they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voip_engine import EngineError
from voip_engine.snapshots import MonitorState
from voip_tui import words
from voip_tui.screens.choose import ChooseScreen

if TYPE_CHECKING:
    from voip_tui.screens.main import MainScreen

VOLUME_STEP = 0.1


def monitor(screen: MainScreen) -> None:
    """Put the selected call on the speakers, or take it off."""
    if screen.applies("monitor") and (call := screen.selected_call()):
        on = call.snapshot().monitor not in (MonitorState.ON, MonitorState.STARTING)

        async def switch() -> None:
            try:
                await call.monitor(on)
            except EngineError as error:
                raise EngineError(words.brief(str(error))) from error  # all of it stands in the log

        screen.do(switch, "Cannot play on the speakers")


def louder(screen: MainScreen) -> None:
    """Turn the volume up by a step."""
    _change_volume(screen, "volume_up", VOLUME_STEP)


def quieter(screen: MainScreen) -> None:
    """Turn it down by a step."""
    _change_volume(screen, "volume_down", -VOLUME_STEP)


def _change_volume(screen: MainScreen, action: str, step: float) -> None:
    bridge = screen.shared.bridge
    if not screen.applies(action) or bridge is None:
        return
    volume = round(min(1.0, max(0.0, screen.shared.volume + step)), 2)
    screen.shared.volume = volume
    screen.do(lambda: bridge.engine.set_monitor_volume(volume), "Cannot change the volume")
    bar = "█" * round(volume * 10) + "░" * (10 - round(volume * 10))
    screen.app.clear_notifications()
    screen.notify(f"♪ {bar} {volume:.0%}", markup=False, timeout=2)


def choose(screen: MainScreen) -> None:
    """Ask which device calls are heard on."""
    bridge = screen.shared.bridge
    if not screen.applies("choose_speaker") or bridge is None:
        return

    async def ask() -> None:
        names: list[str | None] = [None, *(device.name for device in await bridge.engine.output_devices())]

        def chosen(place: int | None) -> None:
            if place is not None:
                screen.do(lambda: bridge.engine.set_monitor_device(names[place]), "Cannot use these speakers")

        titles = [words.clean(name) if name else "the system's choice" for name in names]
        screen.open(ChooseScreen("Speakers for listening in", titles), chosen)

    screen.do(ask, "No speakers")
