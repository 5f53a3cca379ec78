"""What an operator is told when a command fails."""

from __future__ import annotations

import logging

from voip_engine import EngineError

logger = logging.getLogger(__name__)


def explain(error: Exception) -> str:
    """The engine's own words for what it refuses; anything else goes to the log file with its traceback."""
    if isinstance(error, EngineError):
        return str(error)
    logger.error("A command failed unexpectedly", exc_info=error)
    return "This is a fault in the program, not something you did. The log file has the details."
