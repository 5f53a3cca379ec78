"""baresip as a caller or a called phone: its own configuration, steered and watched over its control port.

It takes UDP and TCP on `sip_port` and, given a certificate, TLS on the port above.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.certificates import Certificate
from support.correlation import Samples, read_wave
from support.ports import free_port, free_port_range
from support.processes import Child, running
from support.programs import program

MODULES = Path("/usr/lib/baresip/modules")

CONFIG = """\
poll_method epoll
sip_listen {listen}:{sip_port}
net_interface {host}
call_local_timeout 60
call_max_calls 8
audio_source {source}
audio_player aubridge,{bridge}
audio_alert aubridge,unheard
ausrc_srate 16000
ausrc_channels 1
auplay_srate 16000
auplay_channels 1
audio_buffer 20-160
jitter_buffer_delay 2-10
module_path {modules}
module opus.so
module g722.so
module g711.so
module srtp.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {folder}
opus_bitrate 32000
opus_complexity 3
opus_application voip
ringback_disabled yes
statmode_default off
"""


class Baresip:
    """A running phone. Events are those of baresip's control port, as they come."""

    def __init__(self, child: Child, folder: Path, sip_port: int) -> None:
        self.child = child
        self.sip_port = sip_port
        self.events: list[dict[str, Any]] = []
        self._folder = folder
        self._grown = asyncio.Condition()
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None]

    async def registered(self) -> None:
        """Wait for the registrar's 200."""
        await self.child.wait_for(r"200 OK .*\[\d+ bindings?\]")

    async def dial(self, uri: str) -> None:
        """Call somebody."""
        await self.command("dial", uri)

    async def hang_up(self) -> None:
        """End the call that is up, or give it up while it rings."""
        await self.command("hangup")

    def uri(self, transport: str) -> str:
        """An address at which it can be called directly."""
        port = self.sip_port + (transport == "tls")
        return f"sip:phone@127.0.0.1:{port};transport={transport}"

    async def transfer(self, uri: str) -> None:
        """Send the other side of the call that is up to somebody else (REFER)."""
        await self.command("transfer", uri)

    async def press(self, digits: str) -> None:
        """Press keys in the call that is up."""
        await self.command("sndcode", digits)

    async def command(self, name: str, params: str = "") -> None:
        """Give one of baresip's commands: `hold`, `resume`, …"""
        body = json.dumps({"command": name, "params": params}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        await self._writer.drain()

    async def event(self, kind: str, within_s: float = 15.0) -> dict[str, Any]:
        """The first event of a type such as CALL_ESTABLISHED. Fails at once when the call closes instead."""

        def find() -> dict[str, Any] | None:
            return next((event for event in self.events if event["type"] == kind), None)

        try:
            async with asyncio.timeout(within_s), self._grown:
                while (found := find()) is None:
                    closed = next((event for event in self.events if event["type"] == "CALL_CLOSED"), None)
                    assert closed is None, f"The call ended ({closed}) before {kind}. {self.child.transcript()}"
                    assert not self._reading.done(), f"baresip ended before {kind}. {self.child.transcript()}"
                    await self._grown.wait()
                return found
        except TimeoutError:
            kinds = [event["type"] for event in self.events]
            raise AssertionError(f"No {kind} within {within_s} s, only {kinds}. {self.child.transcript()}") from None

    def heard(self) -> Samples:
        """What it heard in its calls so far, decoded, at the correlation's rate. Complete once it has ended."""
        (path,) = self._folder.glob("dump-*-dec.wav")
        return read_wave(path)

    async def connect(self, port: int) -> None:
        """Reach the control port of a phone that has just been started."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._reading = asyncio.create_task(self._read(reader))

    async def close(self) -> None:
        """Let the control port go."""
        self._writer.close()
        await self._reading

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read netstrings until the phone ends."""
        try:
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("event"):
                    self.events.append(message)
                    async with self._grown:
                        self._grown.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            async with self._grown:
                self._grown.notify_all()


@asynccontextmanager
async def baresip(
    folder: Path,
    account: str,
    *,
    parameters: Sequence[str] = ("regint=0",),
    speech: Path | None = None,
    host: str = "127.0.0.1",
    certificate: Certificate | None = None,
    ca_file: Path | None = None,
) -> AsyncIterator[Baresip]:
    """A phone while the block runs.

    `account` is its address, `{port}` in it standing for its own SIP port. `certificate` lets it take and place calls over
    TLS, `ca_file` is whom it trusts then. `speech` is a WAV file, mono 16 kHz, that it
    speaks as soon as a call is up; it hangs up at the file's end. Without it, it gives back what it hears.
    """
    sip_port, control_port = free_port_range(2, host), free_port()
    source = f"aufile,{speech}" if speech else "aubridge,loop"
    config = CONFIG.format(
        host=host,
        listen=f"[{host}]" if ":" in host else host,
        sip_port=sip_port,
        control_port=control_port,
        folder=folder,
        modules=MODULES,
        source=source,
        bridge="nobody" if speech else "loop",
    )
    if certificate is not None:
        config += f"sip_certificate {certificate.both}\n"
    if ca_file is not None:
        config += f"sip_cafile {ca_file}\n"
    _write_folder(folder, config, ";".join([f"<{account.format(port=sip_port)}>", *parameters]))
    async with running("baresip", program("baresip"), "-f", str(folder)) as child:
        await child.wait_for("baresip is ready")
        phone = Baresip(child, folder, sip_port)
        await phone.connect(control_port)
        try:
            yield phone
        finally:
            await child.stop()
            await phone.close()


def _write_folder(folder: Path, config: str, account: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config").write_text(config)
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "contacts").write_text("")  # or it writes a page of examples
