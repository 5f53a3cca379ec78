"""Three engines on loopback: one transfers a call to another, or joins two (RFC 3515, RFC 3891)."""

from __future__ import annotations

import asyncio

import pytest
from support.happenings import Happenings
from support.sip_responder import Responder, reply, responder
from support.uris import uri_of

from voip_engine import Engine, EngineError, VoiceLeg
from voip_engine.events import (
    CallAnswered,
    CallCreated,
    CallEnded,
    CallReferred,
    CallReplaced,
    CallTransferring,
    DtmfReceived,
    MediaChanged,
)
from voip_engine.network_settings import DiallingSettings
from voip_engine.settings import AccountSettings
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.snapshots import CallState, Holder, TransferState

ANYWHERE = DiallingSettings(transfer=("*",))
HERE_ONLY = DiallingSettings(transfer=("*@127.0.0.1",), deny=("premium",))


def description(request: Request) -> bytes:
    """A phone's answer to an offer, which may hold it."""
    direction = "recvonly" if b"sendonly" in request.body else "sendrecv"
    lines = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/AVP 0")
    return "\r\n".join((*lines, f"a={direction}", "")).encode()


def deaf_to_refer(request: Request) -> list[Response]:
    """What a phone answers that takes calls and holding, and says nothing to REFER."""
    if request.method in ("ACK", "REFER"):
        return []
    contact = ("Contact", f"<{request.uri}>")
    return [reply(request, 200, contact, body=description(request) if request.method == "INVITE" else b"")]


def address_of(engine: Engine) -> tuple[str, int]:
    """Where an engine takes calls."""
    host, _, port = engine.snapshot().listening[0].removeprefix("udp:").rpartition(":")
    return host, int(port)


def within(phone: Responder, refer: Request, method: str, cseq: int, *lines: str, body: str = "") -> Request:
    """A phone's own request in the dialog that it was sent `refer` in."""
    text = "\r\n".join(
        (
            f"{method} {refer.contacts[0].uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {phone.address};branch=z9hG4bK{method}{cseq}",
            f"From: {refer.headers.get('To')}",
            f"To: {refer.headers.get('From')}",
            f"Call-ID: {refer.call_id}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *lines,
            f"Content-Length: {len(body)}",
            "",
            body,
        )
    )
    message = parse_message(text.encode())
    assert isinstance(message, Request)
    return message


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
    spoken = target.removeprefix("sip:").partition(";")[0]
    assert (await at_alice.wait_for(CallEnded)).reason == f"Transferred to {spoken}."
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
    with pytest.raises(EngineError, match="Busy"):
        await transferring
    assert (await states(at_alice))[-1] is TransferState.FAILED
    while call.snapshot().held_by is not Holder.NOBODY:
        await at_alice.next()
    assert (call.state, at_bob.state) == (CallState.CONNECTED, CallState.CONNECTED)


async def test_a_caller_who_goes_on_hold_after_the_transfer_failed_is_taken_back(make_engine):
    def accept(request: Request) -> Response:
        return reply(request, 200, ("Contact", f"<sip:bob@{phone.address}>"), body=description(request))

    def slow_to_hold(request: Request) -> list[Response]:
        if request.method == "INVITE":
            return [] if b"sendonly" in request.body else [accept(request)]
        return [reply(request, 603 if request.method == "REFER" else 200)] if request.method != "ACK" else []

    alice = await make_engine()
    happened = Happenings(alice)
    async with responder(slow_to_hold) as phone:
        call = await alice.dial(f"sip:bob@{phone.address}")
        await happened.wait_for(CallAnswered)
        with pytest.raises(EngineError, match="603"):
            await call.transfer("sip:carol@127.0.0.1:9")
        phone.send(accept(await phone.request("INVITE", 2)), address_of(alice))
        async with asyncio.timeout(10):
            await happened.wait_for(MediaChanged, held_by=Holder.US)
            await happened.wait_for(MediaChanged, held_by=Holder.NOBODY)
        assert b"sendrecv" in (await phone.request("INVITE", 3)).body


async def test_nobody_is_sent_where_the_settings_do_not_let_him(make_engine):
    alice, bob = await make_engine(), await make_engine(auto_answer=True, dialling=HERE_ONLY)
    call, at_bob = await call_up(alice, bob)
    happened = Happenings(bob)
    for target, words in (
        ("sip:carol@192.0.2.1", "nothing in transfer"),
        ("sip:premium@127.0.0.1:9", "'premium' stands in deny"),
    ):
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


@pytest.mark.parametrize("outbound", [True, False], ids=["we called both", "one called us"])
async def test_two_calls_are_joined(make_engine, outbound):
    alice = await make_engine(auto_answer=True, mode="silence")
    bob = await make_engine(auto_answer=True, mode="silence", dialling=ANYWHERE)
    carol = await make_engine(auto_answer=True)
    to_bob, at_bob = await call_up(alice, bob)
    if outbound:
        with_carol, at_carol = await call_up(alice, carol)
    else:
        at_carol, with_carol = await call_up(carol, alice, mode="echo")
    happened_bob, happened_carol = Happenings(bob), Happenings(carol)
    await to_bob.transfer_to(with_carol)
    replaced = await happened_carol.wait_for(CallReplaced)
    assert replaced.call_id == at_carol.call_id
    joined = carol.calls[replaced.by_call_id].snapshot()
    assert (joined.state, joined.mode) == (CallState.CONNECTED, "echo")
    await happened_carol.wait_for(CallEnded, call_id=at_carol.call_id)
    await happened_bob.wait_for(CallEnded, call_id=at_bob.call_id)
    assert [call.ended for call in (to_bob, with_carol)] == [True, True]
    assert to_bob.snapshot().end_reason.startswith("Transferred to ")
    met = to_bob.snapshot().peer_uri.removeprefix("sip:").partition(";")[0]
    assert with_carol.snapshot().end_reason == f"Connected to {met}."
    assert sum(not call.ended for call in bob.calls.values()) == 1
    assert sum(not call.ended for call in carol.calls.values()) == 1


@pytest.mark.parametrize("joined", [True, False])
async def test_who_hangs_up_was_joined_only_where_the_transfer_succeeded(make_engine, echo, joined):
    alice = await make_engine()
    happened = Happenings(alice)
    async with responder(deaf_to_refer) as phone:
        to_dave = await alice.dial(f"sip:dave@{phone.address}", mode="silence")
        to_carol, at_carol = await call_up(alice, echo)
        transferring = asyncio.create_task(to_dave.transfer_to(to_carol))
        refer = await phone.request("REFER")
        await at_carol.hang_up()
        ended = await happened.wait_for(CallEnded, call_id=to_carol.call_id)
        assert ended.reason == "The other side hung up."
        phone.send(reply(refer, 202, ("Contact", f"<sip:dave@{phone.address}>")), address_of(alice))
        told = ("Event: refer", "Subscription-State: terminated;reason=noresource", "Content-Type: message/sipfrag")
        course = "SIP/2.0 200 OK" if joined else "SIP/2.0 481 Gone"
        phone.send(within(phone, refer, "NOTIFY", 1, *told, body=course), address_of(alice))
        if joined:
            await transferring
            met = f"Connected to dave@{phone.address}."
        else:
            with pytest.raises(EngineError, match="481"):
                await transferring
            met = "The other side hung up."
        assert to_carol.snapshot().end_reason == met


@pytest.mark.parametrize(
    ("hangs_up", "ended", "failed"),
    [
        (True, "The other side hung up.", "The other side hung up instead."),
        (False, "The other side did not answer a request of ours (408).", ""),
    ],
)
async def test_why_a_call_ended_is_why_its_transfer_failed(make_engine, hangs_up, ended, failed):
    def slow_to_hold(request: Request) -> list[Response]:
        holds = request.method == "INVITE" and b"sendonly" in request.body
        return [reply(request, 100)] if holds else deaf_to_refer(request)

    alice = await make_engine()
    happened = Happenings(alice)
    async with responder(slow_to_hold) as phone:
        call = await alice.dial(f"sip:dave@{phone.address}")
        await happened.wait_for(CallAnswered)
        transferring = asyncio.create_task(call.transfer("sip:carol@127.0.0.1:9"))
        refer = await phone.request("REFER")
        bye, given_up = within(phone, refer, "BYE", 1), reply(await phone.request("INVITE", 2), 408)
        phone.send(bye if hangs_up else given_up, address_of(alice))
        with pytest.raises(EngineError) as raised:
            await transferring
        assert call.snapshot().end_reason == ended
        assert str(raised.value) == call.snapshot().transfer.detail == (failed or ended)


async def test_calls_that_cannot_be_joined_go_on(make_engine, echo):
    alice, bob = await make_engine(), await make_engine(auto_answer=True)
    desk = await make_engine()
    to_bob, _ = await call_up(alice, bob)
    to_carol, _ = await call_up(alice, echo)
    ringing = await alice.dial(uri_of(desk))
    with pytest.raises(EngineError, match="not up yet"):
        await to_bob.transfer_to(ringing)
    with pytest.raises(EngineError, match="itself"):
        await to_bob.transfer_to(to_bob)
    with pytest.raises(EngineError, match="603"):
        await to_bob.transfer_to(to_carol)
    assert [call.state for call in (to_bob, to_carol)] == [CallState.CONNECTED] * 2
    echoing = next(iter(echo.calls.values()))
    await echoing.hang_up()
    await to_carol.wait_ended()
    assert to_carol.snapshot().end_reason == "The other side hung up."
    with pytest.raises(EngineError, match="is over"):
        await to_bob.transfer_to(to_carol)


async def test_keys_go_by_info_where_the_account_says_so(make_engine, echo):
    server = uri_of(echo).removeprefix("sip:echo@").partition(";")[0]
    account = AccountSettings(uri=f"sip:alice@{server}", register=False, dtmf="info", voicemail=False)
    alice, happened = await make_engine(accounts=(account,)), Happenings(echo)
    call, _ = await call_up(alice, echo)
    await call.send_dtmf("4a#")
    heard = [await happened.wait_for(DtmfReceived) for _ in "4A#"]
    assert [(each.digit, each.duration_ms) for each in heard] == [("4", 160), ("A", 160), ("#", 160)]
    assert sum(entry.method == "INFO" for entry in call.trace()) >= 3
