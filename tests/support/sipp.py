"""sipp as a crowd of callers who speak G.711 A-law out of a file, listen and hang up; and as one peer that plays a script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from support.correlation import RATE_HZ, at_telephone_rate
from support.ports import free_port, free_port_range
from support.processes import Child, running
from support.programs import program

from voip_engine import Engine
from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.settings import ListenAddress

PLAY_S = 8
"""How long a script may take."""

SCENARIO = """\
<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller who speaks">
  <send retrans="500">
    <![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:crowd@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:crowd@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=crowd 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
    ]]>
  </send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rrs="true"/>
  <send>
    <![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:crowd@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

    ]]>
  </send>
  <nop><action><exec rtp_stream="{speech},1,8"/></action></nop>
  <pause milliseconds="{pause_ms}"/>
  <send retrans="500">
    <![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:crowd@[local_ip]:[local_port]>;tag=[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

    ]]>
  </send>
  <recv response="200"/>
</scenario>
"""


@asynccontextmanager
async def sipp(
    folder: Path, address: ListenAddress, *, calls: int, speech: Audio, listen_s: float
) -> AsyncIterator[Child]:
    """Place that many calls at once while the block runs; `speech` is followed by `listen_s` of silence.

    Its exit status is 0 only if each call went through the whole scenario.
    """
    quiet = np.concatenate([speech, np.zeros(round(listen_s * SAMPLE_RATE_HZ), dtype=np.float32)])
    pause_s = len(quiet) / SAMPLE_RATE_HZ
    scenario = _write_files(folder, quiet, round(pause_s * 1000))
    argv = (
        *(program("sipp"), f"{address.host}:{address.port}", "-sf", str(scenario), "-s", "echo", "-nostdin"),
        *("-i", "127.0.0.1", "-p", str(free_port()), "-t", "u1" if address.transport == "UDP" else "t1"),
        *("-mi", "127.0.0.1", "-mp", str(free_port_range(4 * calls))),
        *("-m", str(calls), "-l", str(calls), "-r", str(calls), "-rp", "1000"),
        *("-timeout", f"{round(pause_s + 20)}s", "-timeout_error"),
    )
    async with running("sipp", *argv, folder=folder, environ={"TERM": "dumb"}) as child:
        yield child


def _write_script(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.xml"
    scenario.write_text(script)
    return scenario


async def _bound(child: Child, port: int, transport: str) -> None:
    """Wait until a port is taken. sipp writes nothing before its first second is over, and the system tells nobody."""
    while f" 0100007F:{port:04X} " not in _sockets(transport):
        assert child.returncode is None, child.transcript()
        await asyncio.sleep(0.01)


def _sockets(transport: str) -> str:
    return Path(f"/proc/net/{transport}").read_text()


def _write_files(folder: Path, speech: Audio, pause_ms: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    payload = g711.encode("PCMA", at_telephone_rate(speech, SAMPLE_RATE_HZ).astype(np.float32))
    (folder / f"speech-{RATE_HZ}.alaw").write_bytes(payload.tobytes())
    scenario = folder / "caller.xml"
    scenario.write_text(SCENARIO.format(speech=folder / f"speech-{RATE_HZ}.alaw", pause_ms=pause_ms))
    return scenario


def address_of(engine: Engine) -> ListenAddress:
    """Where an engine takes calls first of all."""
    return ListenAddress.parse(engine.snapshot().listening[0])


@dataclass(frozen=True)
class Peer:
    """A peer that plays a scenario once."""

    child: Child
    port: int
    _trace: Path

    @property
    def uri(self) -> str:
        """An address at which it can be called."""
        return f"sip:peer@127.0.0.1:{self.port}"

    async def finished(self) -> list[str]:
        """Wait until it is through; returns the messages that came, oldest first. Fails if it went otherwise than planned."""
        status = await self.child.wait_ended(within_s=PLAY_S + 5)
        assert status == 0, f"{self.child.transcript()}\n{self._messages()}"
        return self.received()

    def received(self) -> list[str]:
        """The messages that have come so far, oldest first, retransmissions too."""
        parts = re.split(r"^-{10,} .*$", self._messages(), flags=re.MULTILINE)
        return [part.partition("\n\n")[2].strip() for part in parts if "message received" in part[:60]]

    async def message(self, start: str) -> str:
        """The first message that begins so, once it has come. Files tell nobody that they have grown."""
        async with asyncio.timeout(PLAY_S):
            while not (found := [message for message in self.received() if message.startswith(start)]):
                await asyncio.sleep(0.01)
        return found[0]

    def _messages(self) -> str:
        return self._trace.read_text(errors="replace") if self._trace.exists() else ""


@asynccontextmanager
async def peer(
    folder: Path,
    script: str,
    *,
    calls: ListenAddress | None = None,
    transport: str = "udp",
    port: int | None = None,
    repeats: bool = True,
) -> AsyncIterator[Peer]:
    """A peer that plays a script while the block runs: it calls an address, or waits to be called at its own.

    Unless `repeats`, it sends nothing twice, and what comes twice has to stand twice in the script.
    """
    scenario, trace = _write_script(folder, script), folder / "messages.log"
    own = port or free_port()
    argv = (
        *(program("sipp"), *((f"{calls.host}:{calls.port}",) if calls else ()), "-sf", str(scenario), "-nostdin"),
        *(
            "-i",
            "127.0.0.1",
            "-p",
            str(own),
            "-t",
            "u1" if transport == "udp" else "t1",
            "-mp",
            str(free_port_range(4)),
        ),
        *("-m", "1", "-timeout", f"{PLAY_S}s", "-timeout_error", "-trace_msg", "-message_file", str(trace)),
        *(() if repeats else ("-nr",)),
    )
    async with running("sipp", *argv, folder=folder, environ={"TERM": "dumb"}) as child:
        if calls is None:
            await _bound(child, own, transport)
        yield Peer(child, own, trace)
