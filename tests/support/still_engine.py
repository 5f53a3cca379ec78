"""An engine that stands still: what the console would see at one moment of a busy day, as plain data.

It does nothing. Screen tests compare pictures of it; what keys do is tested against the real engine.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from msgspec.structs import replace
from support.still_trace import trace_of

from voip_engine.events import AnyEvent
from voip_engine.sip.trace import SipTraceEntry
from voip_engine.snapshots import (
    AccountSnapshot,
    AccountState,
    CallDirection,
    CallSnapshot,
    CallState,
    CodecSnapshot,
    EngineSnapshot,
    Holder,
    MediaSnapshot,
    MonitorState,
    SecuritySnapshot,
    TransferSnapshot,
    TransferState,
    VoicemailSnapshot,
)
from voip_tui.bridge import ConsoleEngine, PullProgressLike

NOON = 1_750_000_000.0
"""When the pictures are taken, in seconds since the epoch."""

OPUS = CodecSnapshot("opus", 96, 48000, 16000, 20)
G722 = CodecSnapshot("G722", 9, 8000, 16000, 20)
PCMA = CodecSnapshot("PCMA", 8, 8000, 8000, 20)
PCMU = CodecSnapshot("PCMU", 0, 8000, 8000, 20)

REGISTERED = AccountSnapshot("sip:desk@pbx.example", AccountState.REGISTERED, "UDP", "pbx.example:5060", 200)
REFUSED = AccountSnapshot(
    "sip:sales@carrier.example", AccountState.FAILED, "TCP", "carrier.example:5060", 403, "wrong password (403)"
)


TRUNK = AccountSnapshot(
    "sip:desk@pbx.example",
    AccountState.REGISTERED,
    "TLS",
    "pbx.example:5061",
    200,
    public_address="203.0.113.40:5062",
    voicemail=VoicemailSnapshot(waiting=True, new=3, old=1),
)


@dataclass
class StillCall:
    """A call that stays as it is."""

    now: CallSnapshot

    def snapshot(self) -> CallSnapshot:
        return self.now

    async def answer(self, mode: str | None = None) -> None: ...
    async def reject(self, status: int = 486) -> None: ...
    async def hang_up(self) -> None: ...
    async def set_mode(self, name: str) -> None: ...
    async def monitor(self, on: bool) -> None: ...
    async def send_dtmf(self, digits: str) -> None: ...
    async def hold(self, on: bool) -> None: ...
    async def transfer(self, target: str) -> None: ...
    async def transfer_to(self, other: object) -> None: ...

    def trace(self) -> tuple[SipTraceEntry, ...]:
        return trace_of(self.now)


@dataclass
class StillEngine:
    """Calls and accounts that stay as they are until somebody puts others in their place."""

    shown: Sequence[CallSnapshot] = ()
    registered: tuple[AccountSnapshot, ...] = ()
    happened: Iterable[AnyEvent] = ()
    listening: tuple[str, ...] = ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060")
    modes: tuple[str, ...] = ("echo", "silence", "transcribe", "agent")
    lateness_p99_ms: float = 0.4
    turned_away: int = 0
    volume: float = field(default=0.8, init=False)

    @property
    def calls(self) -> Mapping[str, StillCall]:
        return {call.call_id: StillCall(call) for call in self.shown}

    def accounts(self) -> tuple[AccountSnapshot, ...]:
        return self.registered

    def snapshot(self) -> EngineSnapshot:
        return EngineSnapshot(
            listening=self.listening,
            modes=self.modes,
            media_running=True,
            media_restarts=0,
            tick_overruns=0,
            lateness_p99_ms=self.lateness_p99_ms,
            busy_fraction=0.03,
            malformed_messages=0,
            turned_away=self.turned_away,
        )

    async def events(self) -> AsyncIterator[AnyEvent]:
        for event in self.happened:
            yield event

    async def dial(self, target: str, *, account: str | None = None, mode: str | None = None) -> StillCall:
        raise AssertionError("nobody dials in a picture")

    def register(self, account: str) -> None: ...

    async def pull_model(self, model: str, on_progress: Callable[[PullProgressLike], None]) -> None:
        raise AssertionError("nobody pulls in a picture")

    async def set_monitor_volume(self, volume: float) -> None: ...
    async def set_monitor_device(self, device: str | None) -> None: ...
    async def output_devices(self) -> tuple[()]:
        return ()

    def open(self) -> AbstractAsyncContextManager[ConsoleEngine]:
        return nullcontext(self)


def call(
    number: int,
    name: str,
    state: CallState = CallState.CONNECTED,
    *,
    codec: CodecSnapshot | None = OPUS,
    ago_s: float = 83,
    outbound: bool = False,
    media: MediaSnapshot | None = None,
    mode: str = "echo",
    activity: str = "listening",
    reason: str = "",
    status: int | None = None,
    monitor: MonitorState = MonitorState.OFF,
    on_hold: bool = False,
) -> CallSnapshot:
    user = name.split()[0].lower() if name else f"+4930901820{number:02}"
    over, up = state is CallState.ENDED, state in (CallState.CONNECTED, CallState.ENDED)
    return CallSnapshot(
        call_id=str(number),
        sip_call_id=f"7f3a{number:04x}c1d2@198.51.100.{number}",
        direction=CallDirection.OUTBOUND if outbound else CallDirection.INBOUND,
        state=state,
        account="sip:desk@pbx.example",
        peer_uri=f"sip:{user}@198.51.100.{number}:5060",
        peer_name=name,
        mode=mode,
        transport="UDP",
        created_at=NOON - ago_s - 4,
        answered_at=NOON - ago_s if up and status is None else None,
        ended_at=NOON - 12 if over else None,
        end_status=status,
        end_reason=reason,
        held_by=Holder.US if on_hold else Holder.NOBODY,
        codec=codec if state is CallState.CONNECTED else None,
        local_rtp=f"192.0.2.10:{40000 + 2 * number}" if state is CallState.CONNECTED else "",
        remote_rtp=f"198.51.100.{number}:{16384 + 2 * number}" if state is CallState.CONNECTED else "",
        remote_signalling=f"198.51.100.{number}:5060",
        media=media or MediaSnapshot(),
        monitor=monitor,
        activity=activity,
    )


def figures(
    level_in: float, level_out: float, *, loss: float = 0.0, jitter: float = 1.4, packets: int = 204_150, **more: object
) -> MediaSnapshot:
    return MediaSnapshot(
        level_in_dbfs=level_in,
        level_out_dbfs=level_out,
        received_packets=packets,
        sent_packets=packets + 6,
        lost_packets=round(packets * loss / 100),
        loss_percent=loss,
        late_packets=round(loss * 3),
        concealed_ms=round(packets * loss / 5),
        jitter_ms=jitter,
        buffer_ms=40.0 + jitter,
        round_trip_ms=18.0 + jitter * 3,
        remote_loss_percent=loss / 2,
        remote_jitter_ms=jitter * 0.7,
        speaking=level_in > -50,
        playing=level_out > -50,
    )


def busy_day() -> list[CallSnapshot]:
    """Calls in every state there is."""
    return [
        call(1, "Ada Lovelace", ago_s=4083, media=figures(-19, -100), monitor=MonitorState.ON),
        call(2, "Grace Hopper", codec=G722, ago_s=641, media=figures(-100, -16, packets=32_040), activity="speaking"),
        call(
            3, "", codec=PCMA, ago_s=3725, outbound=True, media=figures(-27, -100, loss=1.8, jitter=24, packets=186_200)
        ),
        call(
            4, "Ludwig van Beethoven", codec=PCMU, ago_s=17, media=figures(-7, -100, loss=6.4, jitter=48, packets=840)
        ),
        call(5, "Konrad Zuse", ago_s=204, mode="silence", activity="", media=figures(-100, -100), on_hold=True),
        call(6, "Radia Perlman", CallState.RINGING, ago_s=5, outbound=True),
        call(7, "Edsger Dijkstra", CallState.CALLING, ago_s=1, outbound=True),
        call(8, "Barbara Liskov", CallState.ENDED, ago_s=75, reason="The other side hung up."),
        call(9, "Alan Kay", CallState.ENDED, ago_s=31, outbound=True, status=486, reason="Busy (486)."),
    ]


def encrypted(call: CallSnapshot, *, tls: bool = True, suite: str = "AES_CM_128_HMAC_SHA1_80") -> CallSnapshot:
    """The same call with SRTP, and with TLS or without."""
    safe = SecuritySnapshot(signalling=tls, suite=suite)
    return replace(call, security=safe, transport="TLS" if tls else call.transport)


def transferring(call: CallSnapshot, state: TransferState, detail: str = "") -> CallSnapshot:
    return replace(call, transfer=TransferSnapshot(target="sip:sales@pbx.example", state=state, detail=detail))


def network_day() -> list[CallSnapshot]:
    """What networks bring: encryption and what is half of it, holding in all forms, transfers, early media, identities."""
    ada = encrypted(call(1, "Ada Lovelace", ago_s=4083, media=figures(-19, -100)))
    grace = encrypted(
        call(2, "Grace Hopper", codec=G722, ago_s=641, media=figures(-100, -16, packets=32_040)), tls=False
    )
    bank = call(3, "Your Bank", codec=PCMA, ago_s=312, media=figures(-27, -100, packets=15_600))
    zuse = call(4, "Konrad Zuse", ago_s=204, mode="silence", activity="", media=figures(-100, -100))
    perlman = call(5, "Radia Perlman", ago_s=93, mode="silence", activity="", media=figures(-100, -100))
    turing = call(6, "Alan Turing", codec=PCMU, ago_s=61, media=figures(-31, -100, packets=3_050))
    ringing = call(8, "Edsger Dijkstra", CallState.RINGING, ago_s=6, outbound=True)
    return [
        ada,
        grace,
        replace(bank, asserted_uri="sip:+4930901820@pbx.example"),
        replace(encrypted(zuse), held_by=Holder.THEM),
        replace(perlman, held_by=Holder.BOTH),
        transferring(encrypted(turing, suite="AES_256_CM_HMAC_SHA1_80"), TransferState.RINGING),
        replace(call(7, "Hedy Lamarr", ago_s=22, media=figures(-100, -18)), referred_by="sip:grace@198.51.100.2"),
        replace(ringing, early_media=True, media=figures(-24, -100)),
    ]


def ringing_in() -> CallSnapshot:
    return call(10, "Margaret Hamilton", CallState.INCOMING, ago_s=3)


def speech(step: int, voice: float) -> float:
    """A level in dBFS that rises and falls as speech does; `step` counts tenths of a second."""
    syllable = math.sin(step * 1.9 + voice) * 6 + math.sin(step * 0.73 + voice * 2) * 5
    return -24 + syllable if math.sin(step * 0.11 + voice) > -0.15 else -100.0
