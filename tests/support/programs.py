"""Which of other projects' programs are on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

PACKAGES = {
    "baresip": "baresip",
    "ip": "iproute2",
    "kamailio": "kamailio",
    "linphonec": "linphone-cli",
    "pactl": "pulseaudio-utils",
    "parec": "pulseaudio-utils",
    "pulseaudio": "pulseaudio",
    "sipp": "sip-tester",
    "tmux": "tmux",
    "turnserver": "coturn",
    "unshare": "util-linux",
}
"""Program → the Debian package that has it."""


def find_program(name: str) -> str | None:
    """Where a program is. Servers live in sbin, which is not on everybody's path."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"]))


def program(name: str) -> str:
    """Where a program is that the `peer` marker has made sure of."""
    found = find_program(name)
    assert found is not None, f"{name} is used without the peer marker"
    return found


def missing_packages(programs: Iterable[str]) -> dict[str, str]:
    """The programs that are not here, each with the Debian package that has it."""
    return {name: PACKAGES[name] for name in programs if find_program(name) is None}
