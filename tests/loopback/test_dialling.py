"""Dial rules and limits, held against real calls."""

from __future__ import annotations

import asyncio

import pytest
from support.happenings import Happenings
from support.raw_caller import RawCaller
from support.sip_responder import reply, responder
from support.uris import uri_of

from voip_engine import EngineError
from voip_engine.events import (
    CallAnswered,
    CallCreated,
    CallEnded,
    CallReferred,
    CallReplaced,
    CallRinging,
    DtmfReceived,
)
from voip_engine.network_settings import AdmissionSettings, DiallingSettings
from voip_engine.sip.messages.message import Request, Response
from voip_engine.snapshots import TransferState


async def test_who_must_not_be_called_gets_no_request(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(deny=("echo",)))
    with pytest.raises(EngineError, match="may not be called: 'echo' stands in deny"):
        await caller.dial(uri_of(echo).replace("sip:echo@", "sip:%45cho@"))
    assert not caller.calls
    assert not echo.calls


async def test_calls_at_once_holds_for_calls_placed_side_by_side(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(calls_at_once=2))
    dialled = await asyncio.gather(*(caller.dial(uri_of(echo)) for _ in range(5)), return_exceptions=True)
    refused = [result for result in dialled if isinstance(result, EngineError)]
    assert len(refused) == 3
    assert "calls_at_once" in str(refused[0])
    placed = [result for result in dialled if not isinstance(result, EngineError)]
    await placed[0].hang_up()
    await caller.dial(uri_of(echo))


async def test_max_calls_holds_for_calls_placed_side_by_side(make_engine, echo):
    caller = await make_engine(max_calls=2)
    dialled = await asyncio.gather(*(caller.dial(uri_of(echo)) for _ in range(5)), return_exceptions=True)
    refused = [result for result in dialled if isinstance(result, EngineError)]
    assert [str(error) for error in refused] == ["There are 2 calls up, and the settings allow no more."] * 3
    assert len(caller.calls) == 2


async def test_an_engine_that_closes_sends_no_more_invites(make_engine, echo):
    caller, at_echo = await make_engine(), Happenings(echo)
    dialling = asyncio.create_task(caller.dial(uri_of(echo)))
    await asyncio.sleep(0)  # it waits for its ports
    closing = asyncio.create_task(caller.close())
    with pytest.raises(EngineError, match="closing"):
        await dialling
    await closing
    other = await make_engine()
    call = await other.dial(uri_of(echo))
    created = await at_echo.wait_for(CallCreated)
    assert created.sip_call_id == call.session
    assert len(echo.calls) == 1


async def test_minutes_per_call_end_the_call_and_say_so(make_engine, echo):
    caller = await make_engine(dialling=DiallingSettings(minutes_per_call=0.005))
    happened = Happenings(caller)
    await caller.dial(uri_of(echo))
    await happened.wait_for(CallAnswered)
    ended = await happened.wait_for(CallEnded)
    assert ended.by == "local"
    assert ended.reason == "The call lasted 0.005 min, and minutes_per_call of [dialling] allows no more."
    with pytest.raises(EngineError, match="is over"):
        await caller.calls[ended.call_id].hold(True)


async def test_incoming_calls_last_as_long_as_the_caller_wants(make_engine):
    desk = await make_engine(auto_answer=True, dialling=DiallingSettings(minutes_per_call=0.0001, calls_at_once=1))
    caller = await make_engine()
    at_caller = Happenings(caller)
    calls = [await caller.dial(uri_of(desk)) for _ in range(2)]
    for _ in calls:
        await at_caller.wait_for(CallAnswered)
    digits = Happenings(desk)
    await calls[1].send_dtmf("1")
    await digits.wait_for(DtmfReceived)
    assert not any(call.ended for call in desk.calls.values())


async def test_nobody_is_sent_to_an_address_that_only_its_own_caller_wrote(make_engine, echo):
    """Whoever calls names himself; a transfer has the other side call that name."""
    desk = await make_engine(auto_answer=True, dialling=DiallingSettings(allow=("echo",)))
    premium = await make_engine()
    at_desk = Happenings(desk)
    asked = await desk.dial(uri_of(echo))
    await at_desk.wait_for(CallAnswered, call_id=asked.call_id)
    await premium.dial(uri_of(desk), caller="<sip:+1900123@gw.example>")
    answered = await at_desk.wait_for(CallAnswered)
    with pytest.raises(EngineError, match="nothing in allow"):
        await asked.transfer_to(desk.calls[answered.call_id])
    assert not asked.ended


@pytest.mark.parametrize(
    "headers",
    [
        {"From": "<sip:+1900123@127.0.0.1>;tag=a", "Contact": "<sip:front@127.0.0.1>"},
        {"From": "<sip:front@127.0.0.1>;tag=a", "Contact": "<sip:+1900123@127.0.0.1>"},
        {"From": "<sip:front@127.0.0.1>;tag=a", "P_Asserted_Identity": "<sip:+1900123@127.0.0.1>"},
    ],
    ids=["From", "Contact", "P-Asserted-Identity"],
)
async def test_all_that_a_caller_says_of_himself_has_to_be_allowed_before_others_call_him(make_engine, echo, headers):
    """Who names himself as somebody that may be called could still have transferred calls go elsewhere."""
    door, rules = AdmissionSettings(networks=("127.0.0.1/32",)), DiallingSettings(allow=("echo", "front"))
    desk = await make_engine(auto_answer=True, admission=door, dialling=rules)
    at_desk = Happenings(desk)
    asked = await desk.dial(uri_of(echo))
    await at_desk.wait_for(CallAnswered, call_id=asked.call_id)
    async with responder(lambda request: []) as phone:
        await RawCaller(phone, desk).call(**{"Contact": "<sip:front@127.0.0.1>", **headers})
        answered = await at_desk.wait_for(CallAnswered)
        with pytest.raises(EngineError, match=r"sip:\+1900123@127.0.0.1 may not be called: nothing in allow"):
            await asked.transfer_to(desk.calls[answered.call_id])
    assert not any(entry.method == "REFER" for entry in asked.trace())


async def test_a_call_that_takes_a_placed_ones_place_is_held_to_its_minutes(make_engine):
    """A pickup by Replaces comes in, but it is our call that goes on."""

    def ring(request: Request) -> list[Response]:
        if request.method == "CANCEL":
            return [reply(request, 200), reply(phone.requests[0], 487)]
        return [reply(request, 180)] if request.method == "INVITE" else []

    desk = await make_engine(dialling=DiallingSettings(minutes_per_call=0.005))
    at_desk = Happenings(desk)
    async with responder(ring) as phone, responder(lambda request: [reply(request, 200)]) as colleague:
        await desk.dial(f"sip:bob@{phone.address}")
        await at_desk.wait_for(CallRinging)
        ringing = await phone.request("INVITE")
        replaces = f"{ringing.call_id};to-tag={ringing.from_.tag};from-tag=peer;early-only"
        assert (await RawCaller(colleague, desk).call(Replaces=replaces)).status == 200
        replaced = await at_desk.wait_for(CallReplaced)
        ended = await at_desk.wait_for(CallEnded, call_id=replaced.by_call_id)
    assert ended.reason == "The call lasted 0.005 min, and minutes_per_call of [dialling] allows no more."


async def test_transfers_count_as_calls_in_an_hour(make_engine):
    """Whoever transfers pays for the call that the other side places then."""
    bob = await make_engine(auto_answer=True)
    alice = await make_engine(dialling=DiallingSettings(calls_per_hour=2, calls_at_once=1))
    at_alice = Happenings(alice)
    call = await alice.dial(uri_of(bob))
    await at_alice.wait_for(CallAnswered)
    with pytest.raises(EngineError, match="603"):
        await call.transfer("sip:carol@127.0.0.1:9")
    with pytest.raises(EngineError, match="calls_per_hour"):
        await call.transfer("sip:carol@127.0.0.1:9")
    assert sum(entry.method == "REFER" and entry.sent for entry in call.trace()) == 1


async def test_transfers_asked_for_side_by_side_count_each(make_engine):
    """They wait for the other sides to be on hold, and each asks again after that."""
    bob = await make_engine(auto_answer=True)
    alice = await make_engine(dialling=DiallingSettings(calls_per_hour=3))
    at_alice = Happenings(alice)
    calls = [await alice.dial(uri_of(bob)) for _ in range(2)]
    for call in calls:
        await at_alice.wait_for(CallAnswered, call_id=call.call_id)
    refusals = await asyncio.gather(*(call.transfer("sip:carol@127.0.0.1:9") for call in calls), return_exceptions=True)
    assert sorted("calls_per_hour" in str(refusal) for refusal in refusals) == [False, True]
    assert [call.snapshot().transfer.state for call in calls] == [TransferState.FAILED] * 2


async def test_a_transfer_to_what_cannot_be_dialled_is_refused_at_once(make_engine):
    desk = await make_engine(auto_answer=True, dialling=DiallingSettings(transfer=("*",)))
    at_desk = Happenings(desk)
    async with responder(lambda request: [reply(request, 200)]) as phone:
        caller = RawCaller(phone, desk)
        await caller.call()
        assert (await caller.ask("REFER", Refer_To="<tel:+4930123>")).status == 603
        referred = await at_desk.wait_for(CallReferred)
        assert referred.refusal == "Only sip: and sips: addresses can be dialled, not tel:."
        assert not [request for request in phone.requests if request.method == "NOTIFY"]
