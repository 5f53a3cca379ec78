"""linphone on its console, without a sound card: it speaks out of a file and writes down what it hears."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.correlation import Samples, read_wave
from support.ports import free_port, free_port_range
from support.processes import Child, running
from support.programs import program

CONFIG = """\
[sip]
bind_address={host}
sip_port={port}
sip_tcp_port={port}
sip_tls_port={tls_port}
guess_hostname=0
contact=sip:linphone@{host}
root_ca={ca_file}
media_encryption={encryption}
srtp_crypto_suites={suites}
use_info={info}
use_rfc2833={events}

[rtp]
audio_rtp_port={rtp_port}

[net]
mtu=1300
"""


class Linphone:
    """A running phone that answers by itself."""

    def __init__(self, child: Child, folder: Path, host: str, port: int) -> None:
        self.child = child
        self.uri = f"sip:linphone@{host}:{port}"
        self._folder = folder

    def dial(self, uri: str) -> None:
        """Call somebody."""
        self.child.write(f"call {uri}")

    def speak(self, path: Path) -> None:
        """Say what a WAV file holds, again and again."""
        self.child.write(f"play {path}")

    def do(self, command: str) -> None:
        """Give one of its commands: `pause`, `resume`, `terminate`, `transfer …`, or a key to press."""
        self.child.write(command)

    async def connected(self, number: int = 1) -> None:
        """Wait until a call is up, with audio."""
        await self.child.wait_for(rf"Media streams established with .* for call {number} ")

    async def paused(self) -> None:
        """Wait until the other side has agreed to be put on hold: only then it can be taken back."""
        await self.child.wait_for(r"Call \d+ with .* is now paused")

    async def ended(self, number: int = 1) -> None:
        """Wait until a call is over."""
        await self.child.wait_for(rf"Call {number} with .* ended")

    def heard(self, rate_hz: int | None = None) -> Samples:
        """What it heard, at the correlation's rate. Complete once it has ended.

        After another codec was agreed on it writes on at that one's rate: `rate_hz` says whose part is wanted.
        """
        return read_wave(self._folder / "heard.wav", rate_hz)


@asynccontextmanager
async def linphone(
    folder: Path,
    *,
    ca_file: Path,
    encryption: str = "none",
    suites: str = "AES_CM_128_HMAC_SHA1_80",
    ipv6: bool = False,
    keys: str = "rfc2833",
    host: str = "127.0.0.1",
    port: int | None = None,
) -> AsyncIterator[Linphone]:
    """A phone while the block runs. `encryption` is `none` or `srtp`, with these `suites`; `keys` is `rfc2833` or `info`.

    With `ipv6`, as it comes out of the box, it offers audio at an IPv6 address over signalling on IPv4.
    """
    port = port or free_port_range(2)
    config = CONFIG.format(
        host=host,
        port=port,
        tls_port=port + 1,
        rtp_port=free_port(),
        ca_file=ca_file,
        encryption=encryption,
        suites=suites,
        info=int(keys == "info"),
        events=int(keys == "rfc2833"),
    )
    # Its lines are to come as they are said, not by the kilobyte.
    argv = ("stdbuf", "-oL", program("linphonec"), "-a", "-c", str(_write_files(folder, config)))
    async with running("linphonec", *argv, folder=folder, environ={"HOME": str(folder)}) as child:
        child.write(f"ipv6 {'enable' if ipv6 else 'disable'}")
        child.write("soundcard use files")
        child.write(f"record {folder / 'heard.wav'}")
        await child.wait_for("Using wav files")
        yield Linphone(child, folder, host, port)
        child.write("quit")
        await child.wait_ended()


def _write_files(folder: Path, config: str) -> Path:
    """It does not start where it cannot make its data base."""
    (folder / ".local/share/linphone").mkdir(parents=True)
    path = folder / "linphonerc"
    path.write_text(config)
    return path
