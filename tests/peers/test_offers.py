"""Ways to agree on media that are not offer in INVITE and answer in 200: a peer whose every message is scripted, by sipp."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.happenings import Happenings
from support.sipp import address_of, peer
from support.sipp_script import ack, ack_refusal, ask, asks, called, caller, expect, heard, invite, pause, reply, sdp

from voip_engine.events import CallAnswered, CallEnded, CallRinging, MediaChanged
from voip_engine.snapshots import Holder

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(20)]

TRYING = expect(100, optional=True)
ANSWERED = (TRYING, expect(180), expect(200), ack())
BYE = (ask("BYE", cseq=9), expect(200))
HUNG_UP = (heard("BYE"), reply(200, tag=""))


def status(message: str) -> int:
    return int(message.split()[1])


@pytest.mark.interop("sipp", "UDP", "PCMA", "late offer: INVITE without a description, the answer in the ACK")
async def test_a_late_offer_is_answered_in_the_ack(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    seen = Happenings(engine)
    script = caller(invite(""), TRYING, expect(180), expect(200), ack(body=sdp()), pause(50), *BYE)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        *_, ok, _ = await phone.finished()
    assert "m=audio" in ok
    assert (await seen.wait_for(CallEnded)).by == "remote"


@pytest.mark.interop("sipp", "UDP", "PCMA", "re-INVITE without a description: we offer")
async def test_a_reinvite_without_an_offer_gets_one(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    script = caller(
        invite(),
        *ANSWERED,
        invite("", cseq=2),
        TRYING,
        expect(200),
        ack(2, body=sdp("sendonly", version=2)),
        pause(50),
        *BYE,
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        assert (await seen.wait_for(MediaChanged, on_hold=True)).held_by is Holder.THEM
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "hold by {how}")
@pytest.mark.parametrize("how", ["a=sendonly", "a=inactive", "c=0.0.0.0"])
async def test_a_peer_holds_and_resumes(make_engine, tmp_path: Path, how: str) -> None:
    engine = await make_engine(auto_answer=True)
    held = sdp(version=2, address="0.0.0.0") if how == "c=0.0.0.0" else sdp(how.removeprefix("a="), version=2)
    resumed = (invite(sdp(version=3), cseq=3), TRYING, expect(200), ack(3), pause(50))
    script = caller(invite(), *ANSWERED, invite(held, cseq=2), TRYING, expect(200), ack(2), *resumed, *BYE)
    seen = Happenings(engine)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.THEM
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.NOBODY
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "hold by UPDATE")
async def test_a_peer_holds_by_update(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    update = ask("UPDATE", cseq=2, body=sdp("sendonly", version=2))
    script = caller(invite(), *ANSWERED, update, expect(200), pause(50), *BYE)
    seen = Happenings(engine)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.THEM
        *_, answer, _ = await phone.finished()
    assert "a=recvonly" in answer


@pytest.mark.interop("sipp", "UDP", "PCMA", "100rel required of us: our 180 waits for PRACK")
async def test_our_ringing_is_reliable_where_the_caller_wants_it(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    script = caller(
        invite(headers=("Require: 100rel",)),
        TRYING,
        expect(180, keep=("RSeq:", "[0-9]+", "rseq")),
        ask("PRACK", cseq=2, headers=("RAck: [$rseq] 1 INVITE",)),
        expect(200),
        expect(200),
        ack(),
        pause(50),
        *BYE,
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        messages = await phone.finished()
    ringing = next(message for message in messages if status(message) == 180)
    assert "Require: 100rel" in ringing
    await seen.wait_for(CallEnded)


@pytest.mark.interop("sipp", "UDP", "PCMA", "their reliable 183 with early media gets our PRACK")
async def test_reliable_early_media_is_acknowledged_and_heard(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    script = called(
        heard("INVITE", save="INVITE"),
        reply(183, headers=("Require: 100rel", "RSeq: 17"), body=sdp()),
        heard("PRACK"),
        reply(200, tag=""),
        reply(200, to="INVITE"),
        heard("ACK"),
        asks("BYE", cseq=1),
        expect(200),
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script) as phone:
        await engine.dial(phone.uri)
        assert (await seen.wait_for(CallRinging)).early_media
        _, prack, *_ = await phone.finished()
    assert "RAck: 17 1 INVITE" in prack
    await seen.wait_for(CallAnswered)


@pytest.mark.interop("sipp", "UDP", "PCMA", "early media with {code}")
@pytest.mark.parametrize("code", ["180", "183"])
async def test_early_media_is_told(make_engine, tmp_path: Path, code: str) -> None:
    engine = await make_engine()
    script = called(
        heard("INVITE", save="INVITE"),
        reply(int(code), body=sdp()),
        heard("CANCEL"),
        reply(200),
        reply(487, to="INVITE"),
        heard("ACK"),
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script) as phone:
        call = await engine.dial(phone.uri)
        assert (await seen.wait_for(CallRinging)).early_media
        assert call.snapshot().early_media
        await call.hang_up()
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "session timer asked of us, refreshed by UPDATE")
async def test_a_session_timer_is_agreed_and_refreshed(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    timer = ("Supported: timer", "Session-Expires: 120;refresher=uac")
    refresh = (ask("UPDATE", cseq=2, headers=timer), expect(200))
    script = caller(invite(headers=timer), *ANSWERED, *refresh, *BYE)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        *_, answered, refreshed, _ = await phone.finished()
    for message in (answered, refreshed):
        assert "Session-Expires: 120;refresher=uac" in message
    assert "Require: timer" in answered


@pytest.mark.interop("sipp", "UDP", "PCMA", "session timer too short: 422 with Min-SE, then long enough")
async def test_a_session_timer_that_is_too_short_gets_422(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    short, enough = (
        ("Supported: timer", "Session-Expires: 30"),
        ("Supported: timer", "Session-Expires: 90", "Min-SE: 90"),
    )
    again = ask("INVITE", cseq=2, headers=enough, body=sdp(), to_tag="")
    accepted = (TRYING, expect(180), expect(200), ack(2), *BYE)
    script = caller(invite(headers=short), TRYING, expect(422), ack_refusal(), again, *accepted)
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        messages = await phone.finished()
    refusal = next(message for message in messages if status(message) == 422)
    assert "Min-SE: 90" in refusal


@pytest.mark.interop("sipp", "UDP", "PCMA", "our session timer is too short for them: 422 followed")
async def test_we_follow_422(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(session_timer_s=90)
    script = called(
        heard("INVITE"),
        reply(422, headers=("Min-SE: 300",)),
        heard("ACK"),
        heard("INVITE", save="INVITE"),
        reply(200, body=sdp(), headers=("Require: timer", "Session-Expires: 300;refresher=uac")),
        heard("ACK"),
        *HUNG_UP,
    )
    seen = Happenings(engine)
    async with peer(tmp_path, script) as phone:
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallAnswered)
        await call.hang_up()
        first, _, second, *_ = await phone.finished()
    assert "Session-Expires: 90" in first
    assert "Session-Expires: 300" in second
    assert "Min-SE: 300" in second
