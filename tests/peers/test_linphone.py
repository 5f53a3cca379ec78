"""linphone, a second phone with habits of its own: calls both ways, encryption, hold, keys and attended transfers."""

from __future__ import annotations

from pathlib import Path
from random import randint

import pytest
from support.certificates import Authority
from support.happenings import Happenings
from support.linphone import linphone
from support.speech import speak_and_listen
from support.uris import uri_of

from voip_engine.events import (
    CallAnswered,
    CallEnded,
    CallReferred,
    DtmfReceived,
    MediaChanged,
    PacketRejected,
    PlayoutEnded,
)
from voip_engine.network_settings import DiallingSettings, TlsSettings
from voip_engine.snapshots import Holder, TransferState

pytestmark = [pytest.mark.peer("linphonec"), pytest.mark.timeout(20)]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("audio", ["plain RTP", "SRTP"])
@pytest.mark.interop("linphone", "{transport}", "opus", "we call, it speaks and is heard, {audio}")
async def test_a_called_phone_is_heard(
    make_engine, tmp_path: Path, authority: Authority, transport: str, audio: str
) -> None:
    srtp = "required" if audio == "SRTP" else "offered"  # what is offered only, it answers in the clear
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), srtp=srtp)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    encryption = "srtp" if audio == "SRTP" else "none"
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, encryption=encryption) as phone:
        call = await engine.dial(f"{phone.uri};transport={transport}")
        await seen.wait_for(CallAnswered)
        await phone.connected()
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        snapshot = call.snapshot()
        assert (snapshot.transport, bool(snapshot.security.suite)) == (transport.upper(), audio == "SRTP")
        phone.do("terminate")
        assert (await seen.wait_for(CallEnded)).by == "remote"
        await phone.ended()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("audio", ["plain RTP", "SRTP"])
@pytest.mark.interop("linphone", "{transport}", "opus", "it calls, speaks and is heard, {audio}")
async def test_a_calling_phone_is_heard(
    make_engine, tmp_path: Path, authority: Authority, transport: str, audio: str
) -> None:
    engine = await make_engine(listen=(f"{transport}:127.0.0.1:0",), srtp="offered", auto_answer=True)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    encryption = "srtp" if audio == "SRTP" else "none"
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, encryption=encryption) as phone:
        phone.dial(uri_of(engine, transport))
        await phone.connected()
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        snapshot = call.snapshot()
        assert (snapshot.transport, bool(snapshot.security.suite)) == (transport.upper(), audio == "SRTP")
        await call.hang_up()
        await phone.ended()


@pytest.mark.parametrize("suite", ["AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"])
@pytest.mark.interop("linphone", "UDP", "opus", "it calls, speaks and is heard, SRTP by {suite}")
async def test_other_suites_are_spoken(make_engine, tmp_path: Path, authority: Authority, suite: str) -> None:
    engine = await make_engine(listen=("udp:127.0.0.1:0",), srtp="required", auto_answer=True)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, encryption="srtp", suites=suite) as phone:
        phone.dial(uri_of(engine))
        await phone.connected()
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        assert call.snapshot().security.suite == suite
        # Under the short tag its RTCP has one, too, where RFC 4568 §6.2.2 wants the long one.
        rejected = [event.reason for event in seen.seen if isinstance(event, PacketRejected)]
        assert all(reason.startswith("RTCP") for reason in rejected)
        assert len(rejected) <= suite.endswith("32")
        await call.hang_up()
        await phone.ended()


@pytest.mark.interop(
    "linphone", "UDP", "opus", "it calls from a host with IPv4 and IPv6, signals over one and talks over the other"
)
async def test_a_phone_on_a_host_with_both_families_is_heard(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine(auto_answer=True)
    speech = speak_and_listen(tmp_path / "sentence.wav", at_most_s=1.4)
    seen = Happenings(engine)
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, ipv6=True) as phone:
        phone.dial(uri_of(engine))
        await phone.connected()
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        phone.speak(speech.path)
        assert (await seen.wait_for(PlayoutEnded)).complete
        snapshot = call.snapshot()
        assert snapshot.local_rtp.startswith("[") is snapshot.remote_rtp.startswith("[")
        await call.hang_up()
        await phone.ended()


@pytest.mark.interop("linphone", "UDP", "opus", "we transfer it to another one that we have asked (Replaces)")
async def test_two_phones_are_joined(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    async with (
        linphone(tmp_path / "first", ca_file=authority.ca_file) as first,
        linphone(tmp_path / "second", ca_file=authority.ca_file) as second,
    ):
        call, other = await engine.dial(first.uri), await engine.dial(second.uri)
        for _ in range(2):
            await seen.wait_for(CallAnswered)
        await first.connected()
        await second.connected()
        await call.transfer_to(other)
        await second.connected(2)
        assert call.snapshot().transfer.state is TransferState.DONE
        for _ in range(2):
            await seen.wait_for(CallEnded)


@pytest.mark.interop("linphone", "TLS", "opus", "it calls us, whose certificate is by its authority")
async def test_a_phone_calls_over_tls(make_engine, tmp_path: Path, authority: Authority) -> None:
    certificate = authority.issue("engine")
    tls = TlsSettings(certificate_file=str(certificate.certificate), key_file=str(certificate.key))
    engine = await make_engine(listen=("tls:127.0.0.1:0",), tls=tls, auto_answer=True)
    seen = Happenings(engine)
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file) as phone:
        # It looks for names in certificates, but not for addresses.
        phone.dial(uri_of(engine, "tls").replace("127.0.0.1", "localhost"))
        await phone.connected()
        call = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        assert call.snapshot().transport == "TLS"
        await call.hang_up()  # over its connection: it serves no TLS at the port in its Contact
        await phone.ended()


@pytest.mark.interop("linphone", "UDP", "opus", "we call; it pauses and resumes, we hold and resume")
async def test_hold_from_both_sides(make_engine, tmp_path: Path, authority: Authority) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file) as phone:
        call = await engine.dial(phone.uri)
        await phone.connected()
        phone.do("pause")
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.THEM
        await phone.paused()
        phone.do("resume")
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.NOBODY
        await call.hold(True)
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.US
        await call.hold(False)
        assert (await seen.wait_for(MediaChanged)).held_by is Holder.NOBODY
        await call.hang_up()
        await phone.ended()


@pytest.mark.parametrize(("keys", "way"), [("rfc2833", "RFC 4733"), ("info", "INFO")])
@pytest.mark.interop("linphone", "UDP", "opus", "its keys by {way}")
async def test_keys_are_heard(make_engine, tmp_path: Path, authority: Authority, keys: str, way: str) -> None:
    engine = await make_engine()
    seen = Happenings(engine)
    async with linphone(tmp_path / "phone", ca_file=authority.ca_file, keys=keys) as phone:
        call = await engine.dial(phone.uri)
        await phone.connected()
        for key in "5#":
            phone.do(key)
            assert (await seen.wait_for(DtmfReceived)).digit == key
        by_info = [entry for entry in call.trace() if not entry.sent and entry.start_line.startswith("INFO")]
        assert len(by_info) == (2 if way == "INFO" else 0)


@pytest.mark.interop("linphone", "UDP", "opus", "it transfers us to another one that it has asked (Replaces)")
async def test_a_phone_joins_us_with_another(make_engine, tmp_path: Path, authority: Authority) -> None:
    host = f"127.{randint(1, 254)}.{randint(1, 254)}.{randint(1, 254)}"
    engine = await make_engine(auto_answer=True, dialling=DiallingSettings(transfer=(f"sip:linphone@{host}",)))
    seen = Happenings(engine)
    async with (
        linphone(tmp_path / "phone", ca_file=authority.ca_file) as phone,
        # It refers us to an address without the port.
        linphone(tmp_path / "other", ca_file=authority.ca_file, host=host, port=5060) as other,
    ):
        phone.dial(uri_of(engine))
        await phone.connected()
        call_id = (await seen.wait_for(CallAnswered)).call_id
        phone.do("pause")
        await phone.paused()
        phone.dial(other.uri)
        await phone.connected(2)
        phone.do("transfer 1 --to-call 2")
        assert (await seen.wait_for(CallReferred)).refusal == ""
        joined = engine.calls[(await seen.wait_for(CallAnswered)).call_id]
        await other.connected(2)
        assert (await seen.wait_for(CallEnded)).call_id == call_id
        assert not joined.ended
