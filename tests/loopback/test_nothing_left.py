"""What floods and many short calls leave behind: nothing. Small versions of `benchmarks/flood.py` and `short_calls.py`."""

from __future__ import annotations

import asyncio
import random
from contextlib import ExitStack
from itertools import pairwise

import numpy as np
from support.attacker import Attacker
from support.correlation import at_telephone_rate, find_speech
from support.forward_clock import put_forward, run
from support.happenings import Happenings
from support.holdings import Held, held, leaks
from support.sip_caller import AudioPort, Caller, caller, description
from support.talker import Talker
from support.uris import uri_of

from voip_engine import Engine, EngineSettings
from voip_engine.audio import SAMPLE_RATE_HZ
from voip_engine.codecs import g711
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, CallCreated
from voip_engine.network_settings import AdmissionSettings
from voip_engine.rtp.packet import RtpPacket

PHONE, ADMITTED, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.66"
LISTEN = ("udp:127.0.0.1:0",)
FORGOTTEN_S = 70.0
"""An answer that nobody acknowledges is given up after 32 s, and the BYE for it after 32 s more (RFC 3261 §13.3.1.4)."""
ROUNDS, AT_ONCE = 15, 10
LET_IN = 20
PACKETS = 120
CALLS, LINES = 100, 5


async def settled(engine: Engine, before: Held) -> str:
    """What is held beyond what was before, once time went by."""
    await put_forward(FORGOTTEN_S)
    for _ in range(10):
        if not (left := leaks(before, held(engine))):
            break
        await asyncio.sleep(0.2)  # the media process closes its sockets in its own time
    return left


def is_whole(packets: list[bytes]) -> bool:
    """Whether audio came without a packet missing, and is what the desk says; how regularly, `benchmarks.flood` measures."""
    parsed = [RtpPacket.parse(data) for data in packets]
    for last, packet in pairwise(parsed):
        later = packet.timestamp - last.timestamp & 0xFFFFFFFF
        if packet.sequence != (last.sequence + 1) & 0xFFFF or later == 0 or later % 160:
            return False
    came = g711.decode("PCMA", np.frombuffer(b"".join(packet.payload for packet in parsed), np.uint8))
    said = at_telephone_rate(load_speech("ben_saturday"), SAMPLE_RATE_HZ)[: 160 * PACKETS // 2]
    return find_speech(said, came).coefficient > 0.95


async def flood(attackers: list[Attacker], phone: Caller) -> None:
    """Send INVITEs and what is malformed, no faster than the engine reads them: none is dropped."""
    for number in range(ROUNDS):
        for attacker in attackers:
            for _ in range(AT_ONCE):
                attacker.invite()
                if number >= 2:  # by then all calls that may ring do
                    attacker.malformed()
        assert (await phone.ask()).status == 200


async def speak_in_a_flood(desk: Engine, phone: Caller, before: Held) -> None:
    """Answer a call, flood the desk while it speaks, then end every call."""
    host, _, port = desk.snapshot().listening[0].removeprefix("udp:").rpartition(":")
    attackers = [Attacker(each, (host, int(port)), random.Random(1)) for each in (STRANGER, ADMITTED)]
    with AudioPort() as audio, ExitStack() as stack:
        for attacker in attackers:
            stack.callback(attacker.close)
        answered = asyncio.create_task(phone.invite(description(audio.port)))
        live = desk.calls[(await Happenings(desk).wait_for(CallCreated)).call_id]
        await live.answer()
        assert (await answered).status == 200
        hearing = asyncio.create_task(audio.packets(PACKETS))
        await flood(attackers, phone)
        during = held(desk)
        assert is_whole(await hearing)
        assert not live.ended
    for call in list(desk.calls.values()):
        await (call.hang_up() if call is live else call.reject())
    more = {name: during.left_over[name] - count for name, count in before.left_over.items()}
    assert more["calls up"] == more["Call"] == more["Session"] == 1 + LET_IN
    # Nothing but what was let in, or asked by the phone, is a transaction.
    assert more["ServerTransaction"] <= 1 + LET_IN + ROUNDS
    assert during.turned_away >= 2 * ROUNDS * AT_ONCE - LET_IN


def test_a_flood_leaves_a_live_call_whole_and_nothing_behind() -> None:
    async def live_call_in_a_flood() -> None:
        door = AdmissionSettings(
            networks=(f"{PHONE}/32", f"{ADMITTED}/32"), calls_per_second=0.01, calls_burst=LET_IN, ringing_calls=LET_IN
        )
        settings = EngineSettings(listen=LISTEN, mode="talker", keep_ended_s=0, max_calls=100, admission=door)
        modes = {"talker": lambda: Talker(load_speech("ben_saturday"))}
        async with Engine(settings, modes=modes) as desk, caller(desk) as phone:
            before = held(desk)
            await speak_in_a_flood(desk, phone, before)
            assert await settled(desk, before) == ""

    run(live_call_in_a_flood())


def test_a_hundred_short_calls_leave_nothing_behind() -> None:
    async def short_calls() -> None:
        door = AdmissionSettings(calls_per_second=10_000, calls_burst=10_000)
        desk_settings = EngineSettings(listen=LISTEN, auto_answer=True, keep_ended_s=0, admission=door)
        async with (
            Engine(desk_settings) as desk,
            Engine(EngineSettings(listen=LISTEN, keep_ended_s=0)) as phones,
        ):

            async def line(calls: int) -> None:
                for _ in range(calls):
                    call = await phones.dial(uri_of(desk), codecs=("PCMU",))
                    happened = Happenings(phones)
                    happened.call_id = call.call_id
                    if call.snapshot().answered_at is None:
                        await happened.wait_for(CallAnswered)
                    await call.hang_up()
                    await call.wait_ended()

            await line(1)  # what engines load in the background is no call's
            await put_forward(FORGOTTEN_S)
            engines = desk, phones
            before = [held(engine) for engine in engines]
            await asyncio.gather(*(line(CALLS // LINES) for _ in range(LINES)))
            assert [await settled(engine, was) for engine, was in zip(engines, before, strict=True)] == ["", ""]
            assert not desk.calls
            assert not phones.calls

    run(short_calls())
