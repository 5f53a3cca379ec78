"""What the keys of the main screen write to files."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from voip_tui.transcripts import save

if TYPE_CHECKING:
    from pathlib import Path

    from voip_tui.screens.main import MainScreen


def dialogue(screen: MainScreen) -> None:
    """Write what was said on the selected call, and its SIP messages, to a text file."""
    bridge, call = screen.shared.bridge, screen.selected_call()
    if not screen.applies("save_dialogue") or bridge is None or call is None:
        return
    folder, snapshot = screen.shared.setup.pictures_folder, call.snapshot()
    try:
        lines = bridge.history(snapshot.call_id).dialogue
        file = save(folder, snapshot, lines, screen.shared.setup.now(), call.trace())
    except OSError as error:
        _say_why_not(screen, folder, error, "Not saved")
    else:
        screen.notify(f"Saved as {file.resolve()}", markup=False)


def picture(screen: MainScreen) -> None:
    """Save the screen as SVG."""
    folder = screen.shared.setup.pictures_folder
    try:
        saved = screen.app.save_screenshot(f"voip-tui-{datetime.now():%Y%m%d-%H%M%S}.svg", path=str(folder))
    except OSError as error:
        _say_why_not(screen, folder, error, "No picture")
    else:
        screen.notify(f"Saved as {saved}", markup=False)


def _say_why_not(screen: MainScreen, folder: Path, error: OSError, title: str) -> None:
    screen.notify(f"Cannot write to {folder}: {error.strerror}.", title=title, severity="error", markup=False)
