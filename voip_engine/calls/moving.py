"""Calls that are up go on when this machine's address changes: audio from the new one, and a re-INVITE that tells of it.

A call that is not up yet stays: its INVITE, or our answer to theirs, is on its way with the old address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from typing import Any

from voip_engine.calls.call import Call
from voip_engine.media.plane import MediaError
from voip_engine.network_watch import EVERY_S
from voip_engine.signalling import Signalling
from voip_engine.sip.network.transport import TransportError
from voip_engine.snapshots import CallState

_log = logging.getLogger(__name__)


async def move_calls(
    calls: Mapping[str, Call], signalling: Signalling, spawn: Callable[[Coroutine[Any, Any, None], str], None]
) -> None:
    """Move each call whose way to its other side has another address of ours; until cancelled. `spawn` runs a task by name."""
    while True:
        await asyncio.sleep(EVERY_S)
        address_towards = cache(signalling.source_address)
        live = [call for call in calls.values() if call.state is CallState.CONNECTED]
        stranded = [call for call in live if call.is_stranded(address_towards)]
        if stranded:
            signalling.network_changed()
        for call in stranded:
            spawn(_move(call), f"move call {call.call_id}")


async def _move(call: Call) -> None:
    try:
        await call.move()
    except (MediaError, TransportError) as error:
        _log.warning("call %s stays at an address that may be lost: %s", call.call_id, error)
