"""Which hosts have a part in a session, and may speak in it (see `reachability`)."""

from __future__ import annotations

from voip_engine.hosts import address_of
from voip_engine.sip.sessions.dialog import Dialog

MAX_HOSTS = 32
"""How many hosts that have spoken in a call are remembered."""


class Participants:
    """The hosts that messages of one session came from. What a dialog names, its Contact and its routes, comes to them."""

    def __init__(self, first: str) -> None:
        self._heard = {first}

    def hear(self, host: str) -> None:
        """Remember a host."""
        if len(self._heard) < MAX_HOSTS:
            self._heard.add(host)

    def hosts(self, dialog: Dialog | None) -> tuple[str, ...]:
        """Return all, addresses and names."""
        return tuple(self._heard.union(_named(dialog)))

    def include(self, host: str, dialog: Dialog | None) -> bool:
        """Whether a host may speak in a dialog: one that was heard, or that it names. A name may be any host's."""
        address = address_of(host)
        return any(address_of(each) == address for each in self._heard) or any(
            (known := address_of(name)) is None or known == address for name in _named(dialog)
        )


def _named(dialog: Dialog | None) -> list[str]:
    """The hosts that a dialog's Contact and routes name."""
    if dialog is None:
        return []
    return [uri.host for uri in (dialog.remote_target, *(route.uri for route in dialog.route_set))]
