"""How to reach an engine on loopback."""

from __future__ import annotations

from voip_engine import Engine


def uri_of(engine: Engine, transport: str = "udp") -> str:
    address = next(text for text in engine.snapshot().listening if text.startswith(f"{transport}:"))
    return f"sip:echo@{address.partition(':')[2]};transport={transport}"
