"""sipp as a crowd of callers: each invites, speaks G.711 A-law out of a file, listens, and hangs up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from support.correlation import RATE_HZ, at_telephone_rate
from support.ports import free_port, free_port_range
from support.processes import Child, running
from support.programs import program

from voip_engine.audio import SAMPLE_RATE_HZ, Audio
from voip_engine.codecs import g711
from voip_engine.settings import ListenAddress

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


def _write_files(folder: Path, speech: Audio, pause_ms: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    payload = g711.encode("PCMA", at_telephone_rate(speech, SAMPLE_RATE_HZ).astype(np.float32))
    (folder / f"speech-{RATE_HZ}.alaw").write_bytes(payload.tobytes())
    scenario = folder / "caller.xml"
    scenario.write_text(SCENARIO.format(speech=folder / f"speech-{RATE_HZ}.alaw", pause_ms=pause_ms))
    return scenario
