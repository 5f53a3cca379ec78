"""Encrypted calls between two engines over real SIP and RTP, under every pair of policies."""

from __future__ import annotations

import logging
import os
import signal
from base64 import b64encode

from support.happenings import Happenings
from support.sip_caller import AudioPort, caller, description
from support.srtp_reference import Reference
from support.talker import Talker
from support.uris import uri_of

from voip_engine import AccountSettings
from voip_engine.demo.speech import load_speech
from voip_engine.events import (
    CallAnswered,
    CallCreated,
    CallEnded,
    MediaChanged,
    MediaChangeRefused,
    MediaRestarted,
    PacketRejected,
)
from voip_engine.sdp.crypto import crypto_lines
from voip_engine.sdp.description import SessionDescription
from voip_engine.snapshots import Holder, SecuritySnapshot

SPEECH = load_speech("ben_saturday")[:20_000]
SUITE = "AES_CM_128_HMAC_SHA1_80"
POLICIES = {
    ("offered", "off"): "",
    ("offered", "offered"): SUITE,
    ("offered", "required"): SUITE,
    ("required", "offered"): SUITE,
    ("required", "required"): SUITE,
    ("required", "off"): None,
    ("off", "required"): None,
    ("off", "offered"): "",
}
"""What calls between two policies are encrypted with; None for calls that are refused."""


async def test_policies_meet(make_engine):
    callees = {policy: await make_engine(srtp=policy, auto_answer=True) for policy in ("off", "offered", "required")}
    accounts = {
        (ours, theirs): AccountSettings(
            uri=f"sip:{ours}-{theirs}@{uri_of(callees[theirs]).partition('@')[2].partition(';')[0]}",
            register=False,
            srtp=ours if ours != "off" else None,  # which is what the engine says
        )
        for ours, theirs in POLICIES
    }
    caller = await make_engine(accounts=tuple(accounts.values()), srtp="off")
    happened = Happenings(caller)
    calls, talkers = {}, {}
    for pair, account in accounts.items():
        talkers[pair] = Talker(SPEECH)
        name = str(account.address_of_record)
        calls[pair] = await caller.dial("echo", account=name, mode=talkers[pair], codecs=("PCMU",))
    for pair, suite in POLICIES.items():
        if suite is None:
            assert (await happened.wait_for(CallEnded, call_id=calls[pair].call_id)).status == 488
            continue
        answered = await happened.wait_for(CallAnswered, call_id=calls[pair].call_id)
        assert answered.security == SecuritySnapshot(signalling=False, suite=suite)
        assert await talkers[pair].own_words(1.0) > 0.9
        theirs = {call.snapshot().sip_call_id: call for call in callees[pair[1]].calls.values()}
        for one in (calls[pair].snapshot(), theirs[calls[pair].snapshot().sip_call_id].snapshot()):
            assert (one.security.suite, one.security.keys_in_clear) == (suite, bool(suite))
            assert one.media.rejected_packets == 0
    assert sum(len(callee.calls) for callee in callees.values()) == 6


async def test_holding_goes_on_under_the_same_keys_and_so_does_another_media_process(make_engine):
    callee = await make_engine(srtp="required", auto_answer=True)
    talkers = [Talker(SPEECH) for _ in range(4)]
    spare = iter(talkers)
    caller = await make_engine(srtp="required", modes={"talker": lambda: next(spare)})
    at_caller, at_callee = Happenings(caller), Happenings(callee)
    call = await caller.dial(uri_of(callee), mode="talker", codecs=("PCMU", "opus"))
    theirs = callee.calls[(await at_callee.wait_for(CallCreated)).call_id]
    assert await talkers[0].own_words(1.0) > 0.8
    for one in (call, theirs):
        for on in (True, False):
            await one.hold(on)
            changed = [await happened.wait_for(MediaChanged) for happened in (at_caller, at_callee)]
            assert [each.on_hold for each in changed] == [on, on]
            assert [each.security.suite for each in changed] == [SUITE, SUITE]
    await call.set_mode("talker")
    assert await talkers[1].own_words(1.0) > 0.8
    for engine, happened, talker in ((callee, at_callee, talkers[2]), (caller, at_caller, talkers[3])):
        os.kill(engine.media_process_id, signal.SIGKILL)
        assert (await happened.wait_for(MediaRestarted)).calls == 1
        await call.set_mode("talker")
        assert await talker.own_words(1.0) > 0.8
    for one in (call, theirs):
        assert one.snapshot().security.suite == SUITE
        assert one.snapshot().media.rejected_packets == 0


async def test_what_has_to_be_encrypted_stays_so_when_a_change_is_answered_in_the_clear(make_engine):
    engine = await make_engine(srtp="required", auto_answer=True)
    happened = Happenings(engine)
    with AudioPort() as audio:
        async with caller(engine) as phone:
            phone.answer = description(audio.port)
            key = f"a=crypto:1 {SUITE} inline:{b64encode(os.urandom(30)).decode()}"
            accepted = await phone.invite(description(audio.port, key))
            call = engine.calls[(await happened.wait_for(CallAnswered)).call_id]
            sent = await audio.packets(5)
            for change in (lambda: call.hold(True), lambda: call.set_codecs(("PCMU", "PCMA"))):
                await change()
                await happened.wait_for(MediaChangeRefused)
                assert (call.snapshot().security.suite, call.snapshot().held_by) == (SUITE, Holder.NOBODY)
                sent += await audio.packets(10)
            assert not call.ended
            [line] = crypto_lines(SessionDescription.parse(accepted.body).media[0])
            ours, first = Reference(line.key), int.from_bytes(sent[0][2:4], "big")
            for packet in sent:
                assert ours.decrypt(packet, 0 if int.from_bytes(packet[2:4], "big") >= first else 1)


async def test_no_key_is_logged_whatever_the_level(make_engine, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    engine = await make_engine(srtp="required", auto_answer=True)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, name)
    happened = Happenings(engine)
    key = os.urandom(30)
    line = f"a=crypto:1 {SUITE} inline:{b64encode(key).decode()}"
    with AudioPort() as audio:
        async with caller(engine) as phone:
            phone.answer = description(audio.port, line)
            accepted = await phone.invite(description(audio.port, line))
            call = engine.calls[(await happened.wait_for(CallAnswered)).call_id]
            for on in (True, False):
                await call.hold(on)
                await happened.wait_for(MediaChanged)
            phone.answer = description(audio.port)
            await call.hold(True)
            await happened.wait_for(MediaChangeRefused)
            await audio.packets(1)
            audio.socket.sendto(bytes(60), ("127.0.0.1", SessionDescription.parse(accepted.body).media[0].port))
            await happened.wait_for(PacketRejected)
            os.kill(engine.media_process_id, signal.SIGKILL)
            await happened.wait_for(MediaRestarted)
            await call.hang_up()
    [ours] = crypto_lines(SessionDescription.parse(accepted.body).media[0])
    assert caplog.records
    told = [record.getMessage() + repr(record.__dict__) for record in caplog.records]
    told += [*capfd.readouterr(), repr(happened.seen), repr(call.snapshot()), repr(call.trace())]
    for secret in (key, ours.key):
        shown = (b64encode(secret).decode()[:20], repr(secret)[2:30], secret.hex()[:20])
        assert not [text for text in told for form in shown if form in text]
