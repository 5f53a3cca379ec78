"""baresip calls the engine and gets its own speech back: every transport, every codec, plain and encrypted audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.baresip import baresip
from support.certificates import Authority
from support.echoes import BARESIP_CODECS, ENOUGH, PHONE_SECURITY, Echo, call_and_listen
from support.speech import speak_and_listen
from support.uris import uri_of

from voip_engine import Engine, EngineSettings
from voip_engine.network_settings import TlsSettings

TRANSPORTS = ("udp", "tcp", "tls")
SPEECH_S = 1.4


@pytest.fixture(scope="module", params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(authority: Authority) -> AsyncIterator[Engine]:
    certificate = authority.issue("engine")
    listen = tuple(f"{transport}:127.0.0.1:0" for transport in TRANSPORTS)
    tls = TlsSettings(
        ca_file=str(authority.ca_file), certificate_file=str(certificate.certificate), key_file=str(certificate.key)
    )
    async with Engine(EngineSettings(listen=listen, tls=tls, srtp="offered", auto_answer=True)) as engine:
        yield engine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def echoes(
    engine: Engine, transport: str, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Echo | BaseException]:
    """All calls over one transport, at once."""
    folder = tmp_path_factory.mktemp(transport)
    wanted = [(audio, codec) for audio in PHONE_SECURITY for codec in BARESIP_CODECS]
    calls = (call(engine, folder, transport, audio, codec, authority) for audio, codec in wanted)
    results = await asyncio.gather(*calls, return_exceptions=True)
    return dict(zip(wanted, results, strict=True))


async def call(engine: Engine, folder: Path, transport: str, audio: str, codec: str, authority: Authority) -> Echo:
    """Speak, listen until the file ends and the phone hangs up."""
    user = f"{audio}-{codec}".lower().replace(" ", "-")
    folder = folder / user
    folder.mkdir()
    speech = speak_and_listen(folder / "sentence.wav", at_most_s=SPEECH_S)
    parameters = ["regint=0", f"audio_codecs={BARESIP_CODECS[codec]}", *PHONE_SECURITY[audio]]
    async with baresip(
        folder / "phone",
        f"sip:{user}@127.0.0.1:{{port}};transport={transport}",
        parameters=parameters,
        speech=speech.path,
        certificate=authority.issue(user) if transport == "tls" else None,
        ca_file=authority.ca_file,
    ) as phone:
        return await call_and_listen(engine, phone, uri_of(engine, transport), user=user, speech=speech)


@pytest.mark.peer("baresip")
@pytest.mark.interop("baresip", "{transport}", "{codec}", "calls us and hears itself, {audio}")
@pytest.mark.parametrize("audio", PHONE_SECURITY)
@pytest.mark.parametrize("codec", BARESIP_CODECS)
def test_a_caller_hears_itself(
    echoes: dict[tuple[str, str], Echo | BaseException], transport: str, audio: str, codec: str
) -> None:
    echo = echoes[audio, codec]
    if isinstance(echo, BaseException):
        raise echo
    assert echo.call.codec.name == codec
    assert echo.call.transport == transport.upper()
    assert echo.match.coefficient > ENOUGH[codec], echo.match
    security = echo.call.security
    assert (security.signalling, bool(security.suite)) == (transport == "tls", audio != "plain RTP")
