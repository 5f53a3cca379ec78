"""Simulated callers: an engine of their own, real SIP and real RTP, four people with four codecs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from voip_engine.audio import Audio
from voip_engine.demo.caller_mode import CallerMode
from voip_engine.demo.speech import SENTENCES, load_speech
from voip_engine.engine import Engine
from voip_engine.errors import EngineError
from voip_engine.network_settings import TlsSettings
from voip_engine.sdp.plan import CodecName
from voip_engine.settings import AccountSettings, EngineSettings
from voip_engine.sip.flow import Transport

STAGGER_S: Final = 1.5
PAUSE_BETWEEN_CALLS_S: Final = (2.0, 6.0)
PAUSE_AFTER_FAILURE_S: Final = 5.0
LONGEST_CALL_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls: a name, a codec and a transport."""

    name: str
    codec: CodecName
    transport: Transport
    rounds: int
    """How often all sentences are said in one call."""
    encrypted: bool = False
    """Calls over TLS and with SRTP where whoever is called takes that."""

    @property
    def identity(self) -> str:
        """The caller's name-addr."""
        return f'"{self.name}" <sip:{self.name.lower()}@demo.invalid>'


CALLERS: Final = (
    Caller("Olga", "opus", "UDP", 3, encrypted=True),
    Caller("Ben", "G722", "TCP", 2),
    Caller("Victor", "PCMA", "UDP", 4, encrypted=True),
    Caller("Mia", "PCMU", "TCP", 1),
)


@dataclass(frozen=True, slots=True)
class Targets:
    """Where to call over each transport, as SIP URIs. TLS is left out where `tls` is None; `ca_file` is trusted then."""

    udp: str
    tcp: str
    tls: str | None = None
    ca_file: str | None = None

    def uri(self, caller: Caller) -> str:
        """Return the URI to call."""
        if caller.encrypted and self.tls is not None:
            return self.tls
        return self.udp if caller.transport == "UDP" else self.tcp

    def account(self, caller: Caller) -> AccountSettings | None:
        """The line of a caller who encrypts: audio is encrypted by account."""
        if not caller.encrypted or self.tls is None:
            return None
        server = self.tls.partition("@")[2]
        uri = f"sip:{caller.name.lower()}@demo.invalid;transport=tls"
        return AccountSettings(
            uri=uri,
            display_name=caller.name,
            registrar=server,
            register=False,
            srtp="required",
            voicemail=False,
        )


async def run_callers(targets: Targets, callers: Sequence[Caller] = CALLERS, seed: int | None = None) -> None:
    """Call the targets again and again until cancelled. The same `seed` gives the same pauses."""
    source = random.Random(seed)
    said_all = {caller.name: asyncio.Event() for caller in callers}
    modes = {
        caller.name: partial(CallerMode, _sentences_of(caller), source, said_all[caller.name].set) for caller in callers
    }
    settings = EngineSettings(
        listen=("udp:127.0.0.1:0", "tcp:127.0.0.1:0"),
        accounts=tuple(account for caller in callers if (account := targets.account(caller)) is not None),
        tls=TlsSettings(ca_file=targets.ca_file),
        max_calls=len(callers),
        keep_ended_s=0.0,
    )
    async with Engine(settings, modes=modes) as engine, asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            account = targets.account(caller)
            name = str(account.address_of_record) if account is not None else None
            line = _Line(engine, caller, targets.uri(caller), name, said_all[caller.name])
            group.create_task(line.call_again_and_again(source, number * STAGGER_S))


def _sentences_of(caller: Caller) -> list[Audio]:
    spoken = [load_speech(sentence.name) for sentence in SENTENCES if sentence.caller == caller.name]
    return spoken * caller.rounds


@dataclass(frozen=True, slots=True)
class _Line:
    """One caller's telephone. `said_all` is set by the caller's mode at the end of a conversation."""

    engine: Engine
    caller: Caller
    target: str
    account: str | None
    said_all: asyncio.Event

    async def call_again_and_again(self, source: random.Random, first_pause_s: float) -> None:
        await asyncio.sleep(first_pause_s)
        while True:
            answered = await self._call_once()
            await asyncio.sleep(source.uniform(*PAUSE_BETWEEN_CALLS_S) if answered else PAUSE_AFTER_FAILURE_S)

    async def _call_once(self) -> bool:
        """Place one call and hold the conversation; returns whether somebody answered."""
        self.said_all.clear()
        try:
            call = await self.engine.dial(
                self.target,
                account=self.account,
                mode=self.caller.name,
                codecs=(self.caller.codec,),
                caller=self.caller.identity,
            )
        except EngineError:
            return False
        waits = [asyncio.create_task(call.wait_ended()), asyncio.create_task(self.said_all.wait())]
        try:
            await asyncio.wait(waits, timeout=LONGEST_CALL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        await call.hang_up()
        await call.wait_ended()
        return call.snapshot().answered_at is not None
