"""One thing that `voip-tui doctor` found."""

from __future__ import annotations

from msgspec import Struct


class Check(Struct, frozen=True):
    """One finding. `needed`: the settings cannot do without; `mend` is a command, or what to set; or empty."""

    name: str
    ok: bool
    detail: str
    needed: bool = True
    mend: str = ""
