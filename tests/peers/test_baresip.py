"""A real phone in mid-call: hold, keys and transfers from both sides, and audio that has to be encrypted or must not be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.baresip import Baresip, baresip
from support.certificates import Authority
from support.happenings import Happenings
from support.headless import headless
from support.kamailio import kamailio
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.calls.call import Call
from voip_engine.events import CallAnswered, CallEnded, CallReferred, CallTransferring, DtmfReceived, MediaChanged
from voip_engine.network_settings import DiallingSettings, TlsSettings
from voip_engine.snapshots import Holder, TransferState

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.timeout(30)]

TRANSPORTS = ("udp", "tcp", "tls")
PASSWORD = "geheim"


@asynccontextmanager
async def talking(
    engine: Engine, folder: Path, authority: Authority, transport: str = "udp", *parameters: str
) -> AsyncIterator[tuple[Baresip, Call, Happenings]]:
    """A phone that we have called, and that has answered."""
    async with phone_at(folder, authority, transport, *parameters) as phone:
        seen = Happenings(engine)
        call = await engine.dial(phone.uri(transport))
        seen.call_id = call.call_id
        await seen.wait_for(CallAnswered)
        await phone.event("CALL_ESTABLISHED")
        yield phone, call, seen


def phone_at(folder: Path, authority: Authority, transport: str, *parameters: str):
    return baresip(
        folder,
        f"sip:phone@127.0.0.1:{{port}};transport={transport}",
        parameters=("regint=0", "answermode=auto", *parameters),
        certificate=authority.issue(folder.name) if transport == "tls" else None,
        ca_file=authority.ca_file,
    )


def tls(authority: Authority) -> TlsSettings:
    certificate = authority.issue("engine")
    return TlsSettings(
        ca_file=str(authority.ca_file), certificate_file=str(certificate.certificate), key_file=str(certificate.key)
    )


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.interop("baresip", "{transport}", "opus", "we call; it holds and resumes, we hold and resume")
async def test_hold_from_both_sides(make_engine, tmp_path: Path, authority: Authority, transport: str) -> None:
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), tls=tls(authority))
    async with talking(engine, tmp_path / "phone", authority, transport) as (phone, call, seen):
        await phone.command("hold")
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.THEM
        await phone.command("resume")
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.NOBODY
        await call.hold(True)
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.US
        await call.hold(False)
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.NOBODY
        await call.hang_up()
        await phone.event("CALL_CLOSED")


@pytest.mark.interop("baresip", "UDP", "opus", "keys in both directions (RFC 4733)")
async def test_keys_both_ways(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine()
    async with talking(engine, tmp_path / "phone", authority) as (phone, call, seen):
        await phone.press("4#")
        assert [(await seen.wait_for(DtmfReceived)).digit for _ in range(2)] == ["4", "#"]
        await call.send_dtmf("7")
        assert (await phone.event("CALL_DTMF_START"))["param"] == "7"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.interop("baresip", "{transport}", "opus", "we transfer it blindly to another phone")
async def test_we_transfer_a_phone(make_engine, tmp_path: Path, authority: Authority, transport: str) -> None:
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), tls=tls(authority))
    async with (
        phone_at(tmp_path / "other", authority, transport) as other,
        talking(engine, tmp_path / "phone", authority, transport) as (_, call, seen),
    ):
        await call.transfer(other.uri(transport))
        await other.event("CALL_ESTABLISHED")
        assert (await seen.wait_for(CallTransferring, call_id=call.call_id)).transfer.state is TransferState.ASKED
        assert (await seen.wait_for(CallEnded)).by in ("local", "remote")
        assert call.snapshot().transfer.state is TransferState.DONE


@pytest.mark.interop("baresip", "UDP", "opus", "it transfers us blindly to another phone")
async def test_a_phone_transfers_us(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine(dialling=DiallingSettings(transfer=("sip:phone@127.0.0.1*",)))
    async with (
        phone_at(tmp_path / "other", authority, "udp") as other,
        talking(engine, tmp_path / "phone", authority) as (phone, call, seen),
    ):
        await phone.transfer(other.uri("udp"))
        assert (await seen.wait_for(CallReferred)).refusal == ""
        await other.event("CALL_ESTABLISHED")
        assert (await seen.wait_for(CallEnded)).by in ("local", "remote")
        assert call.ended


@pytest.mark.parametrize(
    ("ours", "theirs", "encrypted"),
    [
        ("required", "mediaenc=srtp-mand", True),
        ("required", "mediaenc=srtp", True),
        ("offered", "mediaenc=srtp", True),
        ("offered", "mediaenc=", False),
        ("off", "mediaenc=srtp", False),
    ],
)
@pytest.mark.interop("baresip", "TLS", "opus", "we call with SRTP {ours}, it has {theirs}: encrypted {encrypted}")
async def test_encryption_is_agreed(
    make_engine, tmp_path: Path, authority: Authority, ours: str, theirs: str, encrypted: bool
) -> None:
    engine = await make_engine(listen=("tls:127.0.0.1:0",), tls=tls(authority), srtp=ours)
    parameters = (theirs,) if theirs != "mediaenc=" else ()
    async with talking(engine, tmp_path / "phone", authority, "tls", *parameters) as (_, call, _):
        security = call.snapshot().security
        assert (security.signalling, bool(security.suite)) == (True, encrypted)


@pytest.mark.interop("baresip", "TLS", "opus", "we call with SRTP offered, it insists on it: 488, then encrypted")
async def test_a_phone_that_insists_on_encryption_gets_it(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine(listen=("tls:127.0.0.1:0",), tls=tls(authority), srtp="offered")
    async with phone_at(tmp_path / "phone", authority, "tls", "mediaenc=srtp-mand") as phone:
        seen = Happenings(engine)
        call = await engine.dial(phone.uri("tls"))
        await seen.wait_for(CallAnswered)
        assert call.snapshot().security.suite
        finals = [entry.status for entry in call.trace() if (entry.status or 0) >= 200]
        assert finals == [488, 200]


@pytest.mark.parametrize(("ours", "theirs"), [("required", ""), ("off", "mediaenc=srtp-mand")])
@pytest.mark.interop("baresip", "UDP", "opus", "it calls, SRTP is {ours} here and it has {theirs!r}: refused with 488")
async def test_what_cannot_be_agreed_is_refused(
    make_engine, tmp_path: Path, authority: Authority, ours: str, theirs: str
) -> None:
    engine = await make_engine(srtp=ours, auto_answer=True)
    parameters = (theirs,) if theirs else ()
    async with phone_at(tmp_path / "phone", authority, "udp", *parameters) as phone:
        await phone.dial(uri_of(engine))
        assert "488" in (await phone.event("CALL_CLOSED"))["param"]


@pytest.mark.peer("kamailio")
@pytest.mark.interop("kamailio", "UDP", "", "registration by the command, taken back at its end")
async def test_the_command_registers_and_takes_it_back(tmp_path: Path) -> None:
    async with kamailio(tmp_path / "kamailio", PASSWORD) as pbx:
        account = f"sip:echo@{pbx.address('tcp')}"
        async with headless("--account", account, environ={"VOIP_PASSWORD": PASSWORD}) as engine:

            def states() -> list[str]:
                return [event["account"]["state"] for event in engine.events if event["event"] == "AccountChanged"]

            await engine.child.wait_until(lambda: "registered" in states() or None, "a registered account", 10)
            await engine.child.stop()
            assert engine.child.returncode == 0, engine.child.transcript()
            assert states()[-1] == "unregistered"
        assert not [line for line in engine.child.lines if PASSWORD in line]
