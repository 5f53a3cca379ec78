"""The engine as its users start it: `python -m voip_engine …`, events read from its standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from support.processes import Child, running


class HeadlessEngine:
    """A running engine. Each event is given out once, in order for each kind."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.listening: dict[str, tuple[str, int]] = {}
        self._taken: set[int] = set()

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events so far."""
        return [json.loads(line) for line in self.child.lines]

    async def event(self, kind: str, within_s: float = 10.0, **fields: object) -> dict[str, Any]:
        """The next event of a kind, with these fields, that has not been given out yet."""

        def find() -> dict[str, Any] | None:
            for number, event in enumerate(self.events):
                matches = event["event"] == kind and all(event.get(name) == value for name, value in fields.items())
                if matches and number not in self._taken:
                    self._taken.add(number)
                    return event
            return None

        return await self.child.wait_until(find, f"an event {kind} {fields or ''}", within_s)

    def uri(self, user: str, transport: str) -> str:
        """A SIP address that reaches this engine directly."""
        host, port = self.listening[transport]
        return f"sip:{user}@{host}:{port};transport={transport}"


@asynccontextmanager
async def headless(*arguments: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[HeadlessEngine]:
    """An engine while the block runs, started and bound."""
    # Whoever runs the tests may have settings of their own; an empty variable counts as none.
    nobodys = {name: "" for name in os.environ if name.startswith("VOIP_")} | {"XDG_CONFIG_HOME": "/nonexistent"}
    argv = (sys.executable, "-m", "voip_engine", *arguments)
    async with running("voip-engine", *argv, environ={**nobodys, **(environ or {})}) as child:
        engine = HeadlessEngine(child)
        started = await engine.event("EngineStarted", within_s=15)
        for address in started["listening"]:
            transport, _, host_port = address.partition(":")
            host, _, port = host_port.rpartition(":")
            engine.listening[transport] = (host, int(port))
        yield engine
