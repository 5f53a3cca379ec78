"""The modes that can handle a call: the built-in ones and those that installed packages bring.

A package offers a mode through the entry point group `voip_engine.modes`; the entry point's object is a class of the shape of
`Mode` that can be made without arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import entry_points

from voip_engine.modes.agent import AgentMode
from voip_engine.modes.base import Mode
from voip_engine.modes.echo import EchoMode
from voip_engine.modes.silence import SilenceMode
from voip_engine.modes.transcribe import TranscribeMode

ENTRY_POINT_GROUP = "voip_engine.modes"

_BUILT_IN: tuple[type[EchoMode | SilenceMode | TranscribeMode | AgentMode], ...] = (
    EchoMode,
    SilenceMode,
    TranscribeMode,
    AgentMode,
)

logger = logging.getLogger(__name__)


def available_modes() -> dict[str, Callable[[], Mode]]:
    """Return a factory for each mode by name, built-in ones first. A broken plug-in is logged and left out."""
    modes: dict[str, Callable[[], Mode]] = {mode.name: mode for mode in _BUILT_IN}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        try:
            factory = entry_point.load()
            name = factory.name
        except Exception as error:  # a plug-in may fail in any way; the calls must not
            logger.warning("The mode %r of %s cannot be loaded: %r", entry_point.name, entry_point.value, error)
            continue
        modes.setdefault(str(name), factory)
    return modes
