"""Which phone this is, the same after every start (RFC 5626 §4.1)."""

from __future__ import annotations

from pathlib import Path
from uuid import NAMESPACE_URL, getnode, uuid5

_MACHINE_ID_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")


def instance_urn(account: str) -> str:
    """Return a URN for an account on this machine, from which neither can be told."""
    return f"urn:uuid:{uuid5(NAMESPACE_URL, f'voip-tui {_machine()} {account}')}"


def _machine() -> str:
    for path in _MACHINE_ID_FILES:
        try:
            return Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return f"{getnode():x}"
