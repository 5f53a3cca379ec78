"""Two engines call each other over TLS on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.certificates import Authority
from support.happenings import Happenings
from support.talker import Talker
from support.uris import uri_of

from voip_engine import EngineError
from voip_engine.demo.speech import load_speech
from voip_engine.events import CallAnswered, CallCreated, CallEnded
from voip_engine.network_settings import TlsSettings

SPEECH = load_speech("ben_saturday")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(authority: Authority, *names: str) -> TlsSettings:
    issued = authority.issue("callee", *names)
    return TlsSettings(
        ca_file=str(authority.ca_file), certificate_file=str(issued.certificate), key_file=str(issued.key)
    )


async def test_a_caller_hears_its_own_words_over_tls(make_engine, authority):
    callee = await make_engine(listen=("tls:127.0.0.1:0",), tls=secured(authority), auto_answer=True)
    talker = Talker(SPEECH)
    caller = await make_engine(
        listen=("udp:127.0.0.1:0",), tls=TlsSettings(ca_file=str(authority.ca_file)), modes={"talker": lambda: talker}
    )
    call = await caller.dial(uri_of(callee, "tls").replace("127.0.0.1", "localhost"), mode="talker")
    assert await talker.own_words() > 0.9
    assert call.snapshot().transport == "TLS"


async def test_a_sips_call_to_somebody_who_cannot_be_connected_to_is_ended_by_the_other_side(make_engine, authority):
    callee = await make_engine(listen=("tls:127.0.0.1:0",), tls=secured(authority), auto_answer=True)
    # Without a certificate it listens to nobody: the callee's BYE comes back on the connection.
    caller = await make_engine(listen=("udp:127.0.0.1:0",), tls=TlsSettings(ca_file=str(authority.ca_file)))
    at_caller, at_callee = Happenings(caller), Happenings(callee)
    address = uri_of(callee, "tls").replace("sip:", "sips:").partition(";")[0]
    await caller.dial(address)
    await at_caller.wait_for(CallAnswered)
    created = await at_callee.wait_for(CallCreated)
    await callee.calls[created.call_id].hang_up()
    assert (await at_caller.wait_for(CallEnded)).by == "remote"


async def test_a_certificate_for_somebody_else_is_said_when_dialling(make_engine, authority):
    callee = await make_engine(listen=("tls:127.0.0.1:0",), tls=secured(authority, "pbx.example"))
    caller = await make_engine(tls=TlsSettings(ca_file=str(authority.ca_file)))
    with pytest.raises(
        EngineError, match=r"The certificate of 127\.0\.0\.1:\d+ is for pbx\.example, not for 127\.0\.0\.1\."
    ):
        await caller.dial(uri_of(callee, "tls"))


async def test_listening_without_a_certificate_is_said_at_the_start(make_engine):
    with pytest.raises(EngineError, match=r"needs a certificate\. Set certificate_file"):
        await make_engine(listen=("tls:127.0.0.1:0",))
