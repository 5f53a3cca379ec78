"""Messages that cross, get lost, come twice or come from somebody else: a peer whose every message is scripted, by sipp."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.happenings import Happenings
from support.ports import free_port
from support.sipp import address_of, peer
from support.sipp_script import (
    KEPT_TAG,
    TAG,
    ack,
    ack_refusal,
    ask,
    asks,
    called,
    caller,
    cancel,
    expect,
    heard,
    invite,
    pause,
    reply,
    sdp,
)

from voip_engine.events import CallAnswered, CallEnded, CallRinging, MediaChanged
from voip_engine.network_settings import DiallingSettings
from voip_engine.snapshots import CallState, Holder

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(20)]

RUNG = (expect(100, optional=True), expect(180))
ANSWERED = (*RUNG, expect(200), ack())
BYE = (ask("BYE", cseq=9), expect(200))


@pytest.mark.interop("sipp", "UDP", "PCMA", "CANCEL while it rings")
async def test_a_caller_who_cancels_gets_487(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    script = caller(invite(), *RUNG, cancel(), expect(200), expect(487), ack_refusal(), pause(50))
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        await phone.finished()
    ended = await seen.wait_for(CallEnded)
    assert (ended.by, ended.duration_s) == ("remote", 0)


@pytest.mark.interop("sipp", "UDP", "PCMA", "CANCEL crosses our 200")
async def test_a_cancel_that_comes_after_the_answer_changes_nothing(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    seen = Happenings(engine)
    script = caller(invite(), *RUNG, expect(200), cancel(), expect(200), ack(), pause(50), *BYE)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        messages = await phone.finished()
    assert not [message for message in messages if message.startswith("SIP/2.0 487")]
    assert (await seen.wait_for(CallEnded)).reason == "The other side hung up."


@pytest.mark.interop("sipp", "UDP", "PCMA", "our CANCEL crosses their 200")
async def test_an_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    script = called(
        heard("INVITE", save="INVITE"),
        reply(180),
        heard("CANCEL"),
        reply(200),
        reply(200, to="INVITE", body=sdp(), attributes='retrans="500"'),
        heard("ACK"),
        heard("BYE"),
        reply(200, tag=""),
    )
    async with peer(tmp_path, script) as phone:
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallRinging)
        await call.hang_up()
        await phone.finished()
    assert (await seen.wait_for(CallEnded)).by == "local"


@pytest.mark.interop("sipp", "UDP", "PCMA", "our ACK is lost, their 200 comes again")
async def test_each_repeated_200_is_acknowledged_again(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    script = called(
        heard("INVITE", save="INVITE"),
        reply(200, to="INVITE", body=sdp()),
        heard("ACK"),
        reply(200, to="INVITE", body=sdp()),
        heard("ACK"),
        asks("BYE", cseq=1),
        expect(200),
    )
    async with peer(tmp_path, script, repeats=False) as phone:
        await engine.dial(phone.uri)
        await phone.finished()
    await seen.wait_for(CallAnswered)
    assert (await seen.wait_for(CallEnded)).by == "remote"


@pytest.mark.interop("sipp", "UDP", "PCMA", "their ACK is lost, our 200 goes again")
async def test_our_200_goes_again_until_it_is_acknowledged(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    script = caller(invite(), *RUNG, expect(200), pause(700), ack(), pause(50), *BYE)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        messages = await phone.finished()
    answers = [message for message in messages if message.startswith("SIP/2.0 200") and "CSeq: 1 INVITE" in message]
    assert len(answers) >= 2
    assert len(set(answers)) == 1


@pytest.mark.interop("sipp", "UDP", "PCMA", "forked INVITE: the second answer is acknowledged and hung up")
async def test_only_the_first_branch_of_a_fork_keeps_the_call(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    script = called(
        heard("INVITE", save="INVITE"),
        reply(180, to="INVITE", tag="one"),
        reply(180, to="INVITE", tag="two"),
        reply(200, to="INVITE", tag="two", body=sdp()),
        heard("ACK"),
        reply(200, to="INVITE", tag="one", body=sdp()),
        heard("ACK"),
        heard("BYE"),
        reply(200, tag=""),
        asks("BYE", cseq=1, tag="two"),
        expect(200),
    )
    async with peer(tmp_path, script) as phone:
        await engine.dial(phone.uri)
        messages = await phone.finished()
    (hung_up,) = [message for message in messages if message.startswith("BYE")]
    assert ";tag=one" in hung_up
    await seen.wait_for(CallAnswered)
    assert (await seen.wait_for(CallEnded)).by == "remote"


@pytest.mark.interop("sipp", "UDP", "PCMA", "302 to somebody else, who answers")
async def test_a_redirected_call_arrives_elsewhere(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(dialling=DiallingSettings(redirect=("elsewhere@127.0.0.1",)))
    seen = Happenings(engine)
    elsewhere = free_port()
    away = called(
        heard("INVITE"),
        reply(302, headers=(f"Contact: <sip:elsewhere@127.0.0.1:{elsewhere}>",)),
        heard("ACK"),
    )
    there = called(
        heard("INVITE", save="INVITE"), reply(200, body=sdp()), heard("ACK"), asks("BYE", cseq=1), expect(200)
    )
    async with peer(tmp_path / "away", away) as first, peer(tmp_path / "there", there, port=elsewhere) as second:
        await engine.dial(first.uri)
        await first.finished()
        invited, *_ = await second.finished()
    assert invited.startswith("INVITE sip:elsewhere@")
    await seen.wait_for(CallAnswered)
    assert (await seen.wait_for(CallEnded)).by == "remote"


@pytest.mark.interop("sipp", "UDP", "PCMA", "re-INVITEs that meet: 491, then ours again")
async def test_a_hold_that_meets_a_reinvite_is_refused_and_tried_again(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    script = called(
        heard("INVITE", save="INVITE"),
        reply(200, body=sdp()),
        heard("ACK"),
        heard("INVITE", save="hold"),
        asks("INVITE", cseq=1, body=sdp(version=2)),
        expect(491),
        asks("ACK", cseq=1, branch="1-INVITE"),
        reply(491, to="hold", tag=""),
        heard("ACK"),
        heard("INVITE"),
        reply(200, tag="", body=sdp("recvonly", version=2)),
        heard("ACK"),
        heard("BYE"),
        reply(200, tag=""),
    )
    async with peer(tmp_path, script) as phone:
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallAnswered)
        await call.hold(True)
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.US
        await call.hang_up()
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "forged BYE and CANCEL change nothing")
async def test_a_bye_and_a_cancel_with_guessed_tags_end_nothing(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    script = caller(
        invite(),
        *RUNG,
        expect(200, keep=TAG),
        ack(),
        ask("BYE", cseq=5, from_tag="guessed"),
        expect(481),
        cancel(6),
        expect(481),
        ask("OPTIONS", cseq=7, to_tag=KEPT_TAG),
        expect(200),
        ask("BYE", cseq=8, to_tag=KEPT_TAG),
        expect(200),
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        messages = await phone.finished()
    assert [line.split()[1] for line in messages][-4:] == ["481", "481", "200", "200"]
    await seen.wait_for(CallEnded)
    assert call.state is CallState.ENDED
