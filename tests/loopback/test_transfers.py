"""Three engines on loopback: one transfers a call to another, or joins two (RFC 3515, RFC 3891)."""

from __future__ import annotations

import asyncio

import pytest
from support.happenings import Happenings
from support.uris import uri_of

from voip_engine import Engine, EngineError, VoiceLeg
from voip_engine.events import (
    CallAnswered,
    CallCreated,
    CallEnded,
    CallReferred,
    CallState,
    CallTransferring,
    Holder,
    TransferState,
)
from voip_engine.network_settings import DiallingSettings

ANYWHERE = DiallingSettings(transfer=("*",))
HERE_ONLY = DiallingSettings(transfer=("*@127.0.0.1",), deny=("premium",))


async def call_up(caller: Engine, callee: Engine, **settings: object) -> tuple[object, object]:
    """A call from one engine to another that answers; both sides of it."""
    at_caller, at_callee = Happenings(caller), Happenings(callee)
    call = await caller.dial(uri_of(callee), **settings)
    created = await at_callee.wait_for(CallCreated)
    await at_caller.wait_for(CallAnswered, call_id=call.call_id)
    return call, callee.calls[created.call_id]


async def states(happened: Happenings) -> list[TransferState]:
    """The states of the transfer that is told, until it is over."""
    seen: list[TransferState] = []
    while not seen or seen[-1] not in (TransferState.DONE, TransferState.FAILED):
        seen.append((await happened.wait_for(CallTransferring)).transfer.state)
    return seen


async def test_a_call_is_transferred_blindly_and_ends_here(make_engine, echo):
    alice, bob = await make_engine(), await make_engine(auto_answer=True, mode="silence", dialling=ANYWHERE)
    call, at_bob = await call_up(alice, bob)
    at_alice, happened_bob, at_carol = Happenings(alice), Happenings(bob), Happenings(echo)
    target = uri_of(echo)
    await call.transfer(target)
    assert (await states(at_alice))[0] is TransferState.ASKED
    assert call.snapshot().transfer.state is TransferState.DONE
    assert (await at_alice.wait_for(CallEnded)).reason == f"Transferred to {target}."
    referred = await happened_bob.wait_for(CallReferred)
    assert (referred.call_id, referred.target, referred.refusal) == (at_bob.call_id, target, "")
    created = await happened_bob.wait_for(CallCreated)
    carried_on = bob.calls[created.call_id].snapshot()
    assert (carried_on.state, carried_on.mode, carried_on.peer_uri) == (CallState.CONNECTED, "silence", target)
    assert carried_on.referred_by == "sip:voip-tui@127.0.0.1"
    await happened_bob.wait_for(CallEnded, call_id=at_bob.call_id)
    at_carols = await at_carol.wait_for(CallCreated)
    assert echo.calls[at_carols.call_id].snapshot().referred_by == "sip:voip-tui@127.0.0.1"


async def test_a_transfer_to_somebody_who_is_busy_gives_the_call_back(make_engine):
    alice, bob = await make_engine(), await make_engine(auto_answer=True, dialling=ANYWHERE)
    carol = await make_engine()
    call, at_bob = await call_up(alice, bob)
    at_alice, at_carol = Happenings(alice), Happenings(carol)
    transferring = asyncio.create_task(call.transfer(uri_of(carol)))
    created = await at_carol.wait_for(CallCreated)
    await at_alice.wait_for(CallTransferring)
    assert call.snapshot().held_by is Holder.US
    await carol.calls[created.call_id].reject()
    with pytest.raises(EngineError, match="[Bb]usy"):
        await transferring
    assert (await states(at_alice))[-1] is TransferState.FAILED
    while call.snapshot().held_by is not Holder.NOBODY:
        await at_alice.next()
    assert (call.state, at_bob.state) == (CallState.CONNECTED, CallState.CONNECTED)


@pytest.mark.parametrize(
    ("settings", "target", "words"),
    [
        (DiallingSettings(), "sip:carol@127.0.0.1:9", "transfer of [dialling] is empty"),
        (HERE_ONLY, "sip:carol@192.0.2.1", "nothing in transfer"),
        (HERE_ONLY, "sip:premium@127.0.0.1:9", "'premium' stands in deny"),
    ],
    ids=["nowhere", "elsewhere", "denied"],
)
async def test_nobody_is_sent_where_the_settings_do_not_let_him(make_engine, settings, target, words):
    alice, bob = await make_engine(), await make_engine(auto_answer=True, dialling=settings)
    call, at_bob = await call_up(alice, bob)
    happened = Happenings(bob)
    with pytest.raises(EngineError, match="603"):
        await call.transfer(target)
    referred = await happened.wait_for(CallReferred, call_id=at_bob.call_id)
    assert referred.target == target
    assert words in referred.refusal
    assert len(bob.calls) == 1
    assert call.state is CallState.CONNECTED


async def test_our_own_dial_rules_hold_for_transfers_too(make_engine, echo):
    alice = await make_engine(dialling=DiallingSettings(deny=("0900*",)))
    call, _ = await call_up(alice, echo)
    with pytest.raises(EngineError, match="deny"):
        await call.transfer("sip:0900123@127.0.0.1")
    assert call.snapshot().transfer is None


async def test_a_mode_transfers_its_caller(make_engine, echo):
    class Switchboard:
        name = "switchboard"

        async def run(self, leg: VoiceLeg) -> None:
            try:
                await leg.transfer("sip:nobody@127.0.0.1:9;transport=tcp")
            except EngineError:
                await leg.transfer(uri_of(echo))

    desk = await make_engine(auto_answer=True, mode="switchboard", modes={"switchboard": Switchboard})
    caller = await make_engine(dialling=ANYWHERE)
    at_caller, at_echo, at_desk = Happenings(caller), Happenings(echo), Happenings(desk)
    await caller.dial(uri_of(desk), mode="silence")
    await at_echo.wait_for(CallCreated)
    assert (await states(at_desk))[-1] is TransferState.FAILED
    assert (await states(at_desk))[-1] is TransferState.DONE
    first = await at_caller.wait_for(CallReferred)
    second = await at_caller.wait_for(CallReferred)
    assert (first.refusal, second.refusal) == ("", "")
    await at_caller.wait_for(CallEnded, call_id="1")
