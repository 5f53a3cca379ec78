"""Calls through kamailio, a registrar and proxy with Record-Route: every transport on either side, and certificates checked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from support.baresip import baresip
from support.certificates import Authority
from support.echoes import BARESIP_CODECS, ENOUGH, Echo, call_and_listen
from support.happenings import Happenings
from support.kamailio import REALM, Kamailio, kamailio
from support.speech import speak_and_listen

from voip_engine import Engine, EngineSettings
from voip_engine.events import AccountChanged
from voip_engine.network_settings import TlsSettings
from voip_engine.settings import AccountSettings, Secret
from voip_engine.snapshots import AccountState

pytestmark = pytest.mark.peer("baresip", "kamailio")

PASSWORD = "geheim"
TRANSPORTS = ("udp", "tcp", "tls")
ROADS = tuple((ours, theirs) for ours in TRANSPORTS for theirs in TRANSPORTS)
CODECS = dict(zip(ROADS, list(BARESIP_CODECS) * 3, strict=False))
"""Every road with a codec, the codecs in turns."""
SPEECH_S = 1.4


def account(pbx: Kamailio, transport: str, **settings: object) -> AccountSettings:
    return AccountSettings(
        uri=f"sip:{transport}@{pbx.address(transport)}", **{"password": Secret(PASSWORD), **settings}
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calls(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[tuple[str, str], Echo | BaseException]]:
    """One engine with an account over each transport, and calls to each from phones on each, all at once."""
    folder = tmp_path_factory.mktemp("pbx")
    async with kamailio(folder / "kamailio", PASSWORD, authority.issue("pbx")) as pbx:
        accounts = tuple(account(pbx, transport, srtp="offered") for transport in TRANSPORTS)
        settings = EngineSettings(
            accounts=accounts, tls=TlsSettings(ca_file=str(authority.ca_file)), auto_answer=True, srtp="offered"
        )
        async with Engine(settings) as engine:
            seen = Happenings(engine)
            for _ in accounts:
                while (await seen.wait_for(AccountChanged)).account.state is not AccountState.REGISTERED:
                    pass
            for ours, theirs in ROADS:
                (folder / f"{ours}-{theirs}").mkdir()
            going = (call(engine, pbx, folder / f"{ours}-{theirs}", ours, theirs, authority) for ours, theirs in ROADS)
            results = await asyncio.gather(*going, return_exceptions=True)
            yield dict(zip(ROADS, results, strict=True))


async def call(engine: Engine, pbx: Kamailio, folder: Path, ours: str, theirs: str, authority: Authority) -> Echo:
    """Speak to the engine's account over `ours` from a phone over `theirs`, and hear the echo."""
    codec = CODECS[ours, theirs]
    speech = speak_and_listen(folder / "sentence.wav", at_most_s=SPEECH_S)
    user = f"from-{theirs}-to-{ours}"
    parameters = ["regint=60", f"auth_pass={PASSWORD}", f"audio_codecs={BARESIP_CODECS[codec]}"]
    if theirs == "tls":
        parameters.append("mediaenc=srtp-mand")
    async with baresip(
        folder / "phone",
        f"sip:{user}@{pbx.address(theirs)}",
        parameters=parameters,
        speech=speech.path,
        certificate=authority.issue(user),
        ca_file=authority.ca_file,
    ) as phone:
        await phone.registered()
        address = f"sip:{ours}@127.0.0.1:{pbx.port + (theirs == 'tls')}"
        return await call_and_listen(engine, phone, address, user=user, speech=speech)


def rows() -> list[object]:
    texts = {
        (ours, theirs): f"Record-Route, the phone on {theirs.upper()}, we on {ours.upper()}" for ours, theirs in ROADS
    }
    return [
        pytest.param(
            ours,
            theirs,
            marks=pytest.mark.interop("kamailio, baresip", ours, CODECS[ours, theirs], texts[ours, theirs]),
            id=f"{theirs}-to-{ours}",
        )
        for ours, theirs in ROADS
    ]


@pytest.mark.parametrize(("ours", "theirs"), rows())
def test_a_call_through_the_proxy_hears_itself(
    calls: dict[tuple[str, str], Echo | BaseException], ours: str, theirs: str
) -> None:
    echo = calls[ours, theirs]
    if isinstance(echo, BaseException):
        raise echo
    assert echo.match.coefficient > ENOUGH[CODECS[ours, theirs]], echo.match
    found = echo.call
    assert found.account.startswith(f"sip:{ours}@")
    assert found.transport == ours.upper()
    assert found.codec.name == CODECS[ours, theirs]
    assert found.asserted_uri == f"sip:from-{theirs}-to-{ours}@{REALM}"
    assert (found.security.signalling, bool(found.security.suite)) == (ours == "tls", theirs == "tls")


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.interop("kamailio", "{transport}", "", "registration, refused with a wrong password")
async def test_a_wrong_password_is_refused_in_plain_words(
    make_engine, authority: Authority, tmp_path: Path, transport: str
) -> None:
    async with kamailio(tmp_path / "kamailio", PASSWORD, authority.issue("pbx")) as pbx:
        wrong = account(pbx, transport, password=Secret("falsch"))
        engine = await make_engine(accounts=(wrong,), listen=(), tls=TlsSettings(ca_file=str(authority.ca_file)))
        assert "password" in (await failure(engine)).lower()


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("by another authority", "authority"),
        ("expired", "expired"),
        ("for another name", "127.0.0.1"),
    ],
)
@pytest.mark.interop("kamailio", "TLS", "", "registration, the server's certificate refused: {why}")
async def test_a_certificate_that_is_no_good_is_refused_in_plain_words(
    make_engine, authority: Authority, tmp_path: Path, why: str, words: str
) -> None:
    issuer = Authority(tmp_path / "another") if why == "by another authority" else authority
    names = ("pbx.example",) if why == "for another name" else ()
    certificate = issuer.issue(why.replace(" ", "-"), *names, expired=why == "expired")
    async with kamailio(tmp_path / "kamailio", PASSWORD, certificate) as pbx:
        tls = TlsSettings(ca_file=str(authority.ca_file))
        engine = await make_engine(accounts=(account(pbx, "tls"),), listen=(), tls=tls)
        assert words in await failure(engine)


@pytest.mark.parametrize("whose", ["by its authority", "none", "by another authority"])
@pytest.mark.interop("kamailio", "TLS", "", "registration, a certificate of ours wanted: {whose}")
async def test_a_server_that_wants_a_certificate_of_ours_says_so_or_takes_it(
    make_engine, authority: Authority, tmp_path: Path, whose: str
) -> None:
    issuer = Authority(tmp_path / "another") if whose == "by another authority" else authority
    shown = issuer.issue("client")
    files = {} if whose == "none" else {"certificate_file": str(shown.certificate), "key_file": str(shown.key)}
    async with kamailio(tmp_path / "kamailio", PASSWORD, authority.issue("pbx"), clients=authority.ca_file) as pbx:
        tls = TlsSettings(ca_file=str(authority.ca_file), **files)
        engine = await make_engine(accounts=(account(pbx, "tls"),), listen=(), tls=tls)
        if whose == "by its authority":
            seen = Happenings(engine)
            while (changed := (await seen.wait_for(AccountChanged)).account).state is not AccountState.REGISTERED:
                assert not changed.detail, changed.detail
        else:
            assert "set certificate_file in the [tls] table" in await failure(engine)


async def failure(engine: Engine) -> str:
    """Why an account is not registered."""
    seen = Happenings(engine)
    while not (changed := (await seen.wait_for(AccountChanged)).account).detail:
        assert changed.state is not AccountState.REGISTERED
    return changed.detail
