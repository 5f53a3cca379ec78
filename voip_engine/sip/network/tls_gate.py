"""Whoever connects to us over TLS, before anything of TLS is spoken: shaking hands costs more than to ask for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from voip_engine.sip.flow import Flow


class TlsGate(asyncio.Protocol):
    """Cuts off what `admits` does not take; for the rest `enter` goes on with the transport, which does not read yet."""

    def __init__(self, admits: Callable[[Flow], bool], enter: Callable[[asyncio.Transport, Flow], None]) -> None:
        self._admits = admits
        self._enter = enter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        plain = cast(asyncio.Transport, transport)
        local, remote = plain.get_extra_info("sockname"), plain.get_extra_info("peername")
        flow = Flow("TLS", local[0], local[1], remote[0], remote[1]) if local and remote else None
        if flow is None or not self._admits(flow):
            plain.abort()
            return
        plain.pause_reading()
        self._enter(plain, flow)
