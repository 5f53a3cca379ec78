"""The demo's callers, encrypted where whoever they call takes that."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from support.certificates import Authority
from support.happenings import Happenings

from voip_engine.demo.callers import CALLERS, Targets, run_callers
from voip_engine.events import CallAnswered
from voip_engine.network_settings import TlsSettings


async def test_a_caller_who_encrypts_does_so_with_tls_and_srtp_and_another_does_not(
    make_engine, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("engine")
    engine = await make_engine(
        listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0"),
        tls=TlsSettings(certificate_file=str(ours.certificate), key_file=str(ours.key)),
        srtp="offered",
        auto_answer=True,
    )
    places = {address.partition(":")[0]: address.partition(":")[2] for address in engine.snapshot().listening}
    uris = {name: f"sip:demo@{place};transport={name}" for name, place in places.items()}
    happened = Happenings(engine)
    calling = asyncio.create_task(run_callers(Targets(**uris, ca_file=str(authority.ca_file)), CALLERS[:2]))
    for _ in range(2):
        await happened.wait_for(CallAnswered)
    olga, ben = (call.snapshot() for call in engine.calls.values())
    assert (olga.peer_name, olga.transport, olga.security.signalling) == ("Olga", "TLS", True)
    assert olga.security.suite.startswith("AES")
    assert (ben.peer_name, ben.transport, ben.security.suite) == ("Ben", "TCP", "")
    calling.cancel()
    with suppress(asyncio.CancelledError):
        await calling
