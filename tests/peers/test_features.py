"""Transfers, calls that take others' places, keys by INFO, names and mailboxes: a peer whose messages are scripted, by sipp."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.happenings import Happenings
from support.kamailio import kamailio
from support.ports import free_port
from support.sipp import address_of, peer
from support.sipp_script import (
    KEPT_TAG,
    TAG,
    TARGET,
    ack,
    ask,
    asks,
    called,
    caller,
    expect,
    heard,
    invite,
    pause,
    reply,
    sdp,
)

from voip_engine import EngineError
from voip_engine.events import (
    AccountChanged,
    CallAnswered,
    CallCreated,
    CallEnded,
    CallReferred,
    CallReplaced,
    DtmfReceived,
    MediaChanged,
    VoicemailChanged,
)
from voip_engine.network_settings import AdmissionSettings, DiallingSettings
from voip_engine.settings import AccountSettings, ListenAddress, Secret
from voip_engine.snapshots import AccountState, Holder, TransferState

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.timeout(20)]

TRYING = expect(100, optional=True)
ANSWERED = (TRYING, expect(180), expect(200, keep=TAG), ack())
TAKEN = (heard("INVITE", save="INVITE"), reply(200, body=sdp()), heard("ACK"))
WITHOUT_KEYS = sdp().replace(" 101", "").replace("a=rtpmap:101 telephone-event/8000\n", "")
PASSWORD = "geheim"


def bye(cseq: int = 9) -> tuple[str, ...]:
    return ask("BYE", cseq=cseq, to_tag=KEPT_TAG), expect(200)


@pytest.mark.interop("sipp", "UDP", "PCMA", "REFER: we follow it to where the settings allow, and tell how it goes")
async def test_a_caller_sends_us_on(make_engine, tmp_path: Path) -> None:
    port = free_port()
    where = f"sip:elsewhere@127.0.0.1:{port}"
    engine = await make_engine(auto_answer=True, dialling=DiallingSettings(transfer=("sip:elsewhere@127.0.0.1*",)))
    refer = ask("REFER", cseq=2, headers=(f"Refer-To: <{where}>", "Referred-By: <sip:sipp@[local_ip]>"))
    told = (heard("NOTIFY"), reply(200, tag=""))
    script = caller(invite(), *ANSWERED, refer, expect(202), *told, *told, *bye())
    seen = Happenings(engine)
    elsewhere = called(*TAKEN, asks("BYE", cseq=1), expect(200))
    async with (
        peer(tmp_path / "elsewhere", elsewhere, port=port) as there,
        peer(tmp_path / "phone", script, calls=address_of(engine)) as phone,
    ):
        assert (await seen.wait_for(CallReferred)).refusal == ""
        messages = await phone.finished()
        assert (await there.finished())[0].startswith(f"INVITE {where}")
    bodies = [message.splitlines()[-1] for message in messages if message.startswith("NOTIFY")]
    assert bodies == ["SIP/2.0 100 Trying", "SIP/2.0 200 OK"]


@pytest.mark.interop("sipp", "UDP", "PCMA", "REFER to where the settings do not allow: refused, the call goes on")
async def test_a_caller_may_not_send_us_anywhere(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    refer = ask("REFER", cseq=2, headers=("Refer-To: <sip:premium@127.0.0.1>",))
    seen = Happenings(engine)
    async with peer(
        tmp_path, caller(invite(), *ANSWERED, refer, expect(603), *bye()), calls=address_of(engine)
    ) as phone:
        assert (await seen.wait_for(CallReferred)).refusal
        await phone.finished()
    assert (await seen.wait_for(CallEnded)).by == "remote"


@pytest.mark.interop("sipp", "UDP", "PCMA", "our blind transfer: REFER, NOTIFY 100, 180, 200")
async def test_we_send_the_other_side_on(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    script = called(*TAKEN, *held(), *referred(), *notify(2, 100), *notify(3, 180), *notify(4, 200), *hung_up())
    async with peer(tmp_path, script) as phone:
        seen = Happenings(engine)
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallAnswered)
        await call.transfer("sip:elsewhere@127.0.0.1")
        messages = await phone.finished()
    (refer,) = [message for message in messages if message.startswith("REFER")]
    assert "Refer-To: <sip:elsewhere@127.0.0.1>" in refer
    assert call.snapshot().transfer.state is TransferState.DONE


@pytest.mark.interop("sipp", "UDP", "PCMA", "our blind transfer fails: NOTIFY 486, the call goes on")
async def test_a_transfer_that_fails_leaves_the_call(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    script = called(*TAKEN, *held(), *referred(), *notify(2, 100), *notify(3, 486), *held("sendrecv"), *hung_up())
    async with peer(tmp_path, script) as phone:
        seen = Happenings(engine)
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallAnswered)
        with pytest.raises(EngineError, match="486"):
            await call.transfer("sip:elsewhere@127.0.0.1")
        await seen.wait_for(MediaChanged, held_by=Holder.NOBODY)
        await call.hang_up()
        await phone.finished()


def held(direction: str = "recvonly") -> tuple[str, ...]:
    """Takes the hold that comes before a transfer, or the end of it."""
    return heard("INVITE", save="hold"), reply(200, to="hold", tag="", body=sdp(direction, version=2)), heard("ACK")


def referred() -> tuple[str, ...]:
    return heard("REFER", save="refer"), reply(202, to="refer", tag="")


def notify(cseq: int, status: int) -> tuple[str, ...]:
    state = "active;expires=60" if status < 200 else "terminated;reason=noresource"
    headers = ("Event: refer", f"Subscription-State: {state}")
    body = f"SIP/2.0 {status} Said So\n"
    return asks("NOTIFY", cseq=cseq, headers=headers, body=body, kind="message/sipfrag"), expect(200)


def hung_up() -> tuple[str, ...]:
    return heard("BYE"), reply(200, tag="")


@pytest.mark.interop("sipp", "UDP", "PCMA", "INVITE with Replaces takes the place of a call")
async def test_a_call_takes_the_place_of_another(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    seen = Happenings(engine)
    waiting = caller(invite(), *ANSWERED, heard("BYE"), reply(200, tag=""))
    async with peer(tmp_path / "first", waiting, calls=address_of(engine)) as first:
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        tag = (await first.message("SIP/2.0 200")).partition(";tag=sipp-1")[2].partition(";tag=")[2].split()[0]
        replaces = f"Replaces: {call.session};to-tag={tag};from-tag=sipp-1"
        script = caller(invite(headers=(replaces,)), *ANSWERED, pause(50), *bye())
        async with peer(tmp_path / "second", script, calls=address_of(engine)) as second:
            assert (await seen.wait_for(CallReplaced)).call_id == call.call_id
            await first.finished()
            await second.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "INVITE with Replaces for no call: 481")
async def test_nothing_takes_the_place_of_no_call(make_engine, tmp_path: Path) -> None:
    engine = await make_engine(auto_answer=True)
    unknown = invite(headers=("Replaces: nobody@nowhere;to-tag=a;from-tag=b",))
    script = caller(unknown, TRYING, expect(481), ask("ACK", cseq=1, branch="1-INVITE"))
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "keys by INFO, {kind}")
@pytest.mark.parametrize(("kind", "body"), [("dtmf-relay", "Signal=5\nDuration=160\n"), ("dtmf", "5\n")])
async def test_keys_come_by_info(make_engine, tmp_path: Path, kind: str, body: str) -> None:
    engine = await make_engine(auto_answer=True)
    info = ask("INFO", cseq=2, body=body, kind=f"application/{kind}")
    seen = Happenings(engine)
    script = caller(invite(WITHOUT_KEYS), *ANSWERED, info, expect(200), *bye())
    async with peer(tmp_path, script, calls=address_of(engine)) as phone:
        assert (await seen.wait_for(DtmfReceived)).digit == "5"
        await phone.finished()


@pytest.mark.interop("sipp", "UDP", "PCMA", "our keys by INFO where nothing else is taken")
async def test_keys_go_by_info(make_engine, tmp_path: Path) -> None:
    engine = await make_engine()
    allow = ("Allow: INVITE, ACK, CANCEL, BYE, INFO",)
    script = called(
        heard("INVITE", save="INVITE"),
        reply(200, body=WITHOUT_KEYS, headers=allow),
        heard("ACK"),
        heard("INFO"),
        reply(200, tag=""),
        *hung_up(),
    )
    async with peer(tmp_path, script) as phone:
        seen = Happenings(engine)
        call = await engine.dial(phone.uri)
        await seen.wait_for(CallAnswered)
        await call.send_dtmf("7")
        await call.hang_up()
        messages = await phone.finished()
    (info,) = [message for message in messages if message.startswith("INFO")]
    assert "Content-Type: application/dtmf-relay" in info
    assert "Signal=7" in info.replace(" ", "")


@pytest.mark.interop("sipp", "UDP", "PCMA", "P-Asserted-Identity from {whom} network")
@pytest.mark.parametrize(("whom", "networks"), [("a trusted", ("127.0.0.1",)), ("another", None)])
async def test_a_network_says_who_calls(
    make_engine, tmp_path: Path, whom: str, networks: tuple[str, ...] | None
) -> None:
    engine = await make_engine(auto_answer=True, admission=AdmissionSettings(networks=networks))
    said = invite(headers=('P-Asserted-Identity: "Carol" <sip:carol@carrier.example>',))
    seen = Happenings(engine)
    async with peer(tmp_path, caller(said, *ANSWERED, *bye()), calls=address_of(engine)) as phone:
        created = await seen.wait_for(CallCreated)
        await phone.finished()
    snapshot = engine.calls[created.call_id].snapshot()
    known = ("sip:carol@carrier.example", "Carol") if networks else ("", "")
    assert (snapshot.asserted_uri, snapshot.asserted_name) == known


@pytest.mark.peer("kamailio")
@pytest.mark.interop("kamailio, sipp", "UDP", "", "NOTIFY of waiting messages through the registrar")
async def test_a_mailbox_tells_of_messages(make_engine, tmp_path: Path) -> None:
    async with kamailio(tmp_path / "kamailio", PASSWORD) as pbx:
        account = AccountSettings(uri=f"sip:echo@127.0.0.1:{pbx.port}", password=Secret(PASSWORD))
        engine = await make_engine(accounts=(account,), listen=())
        seen = Happenings(engine)
        while (await seen.wait_for(AccountChanged)).account.state is not AccountState.REGISTERED:
            pass
        told = ("Event: message-summary", "Subscription-State: active")
        body = "Messages-Waiting: yes\nVoice-Message: 2/8 (0/2)\n"
        notify = ask("NOTIFY", cseq=1, headers=told, body=body, kind="application/simple-message-summary", to_tag="")
        script = caller(notify.replace("[next_url]", TARGET), expect(200))
        async with peer(tmp_path / "phone", script, calls=ListenAddress("UDP", "127.0.0.1", pbx.port)) as phone:
            voicemail = (await seen.wait_for(VoicemailChanged)).voicemail
            assert (voicemail.waiting, voicemail.new, voicemail.old) == (True, 2, 8)
            await phone.finished()
