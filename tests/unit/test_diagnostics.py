"""What the doctor says of certificates, accounts' servers, STUN and who may call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.certificates import Authority, Certificate

from voip_engine.diagnostics import Check, callers, certificates, servers, stun
from voip_engine.network_settings import AdmissionSettings, AdmittedUser, TlsSettings
from voip_engine.secret import Secret
from voip_engine.settings import AccountSettings, EngineSettings


async def certificate_check(certificate: Certificate, key: Path | None = None) -> Check:
    tls = TlsSettings(certificate_file=str(certificate.certificate), key_file=str(key or certificate.key))
    (check,) = await certificates(EngineSettings(tls=tls))
    return check


async def test_a_certificate_is_named_before_it_ends(tmp_path: Path) -> None:
    check = await certificate_check(Authority(tmp_path).issue("good", "pbx.example", "192.0.2.7"))  # for a day
    assert check.detail.startswith("for pbx.example, 192.0.2.7, ends soon: ")
    assert check.detail.endswith("GMT")
    assert (check.ok, check.needed) == (False, False)


async def test_what_is_wrong_with_a_certificate_is_said(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    good, other, expired = authority.issue("a"), authority.issue("b"), authority.issue("c", expired=True)
    assert "does not belong to" in (await certificate_check(good, other.key)).detail
    late = await certificate_check(expired)
    assert "expired" in late.detail
    assert (late.ok, late.needed, late.mend) == (False, True, "renew it, then start again")
    gone = await certificate_check(good, tmp_path / "gone.key")
    assert f"There is no file {tmp_path / 'gone.key'}" in gone.detail


async def test_authorities_are_counted_or_missed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    (check,) = await certificates(EngineSettings(tls=TlsSettings(ca_file=str(authority.ca_file))))
    assert (check.ok, check.detail) == (True, f"1 in {authority.ca_file}")
    (check,) = await certificates(EngineSettings(tls=TlsSettings(ca_file=str(tmp_path / "none.pem"))))
    assert not check.ok
    assert "There is no file" in check.detail


async def test_listening_on_tls_wants_a_certificate_and_nothing_else_does() -> None:
    (check,) = await certificates(EngineSettings(listen=("tls:127.0.0.1:5061",)))
    assert (check.ok, check.needed) == (False, True)
    assert await certificates(EngineSettings(listen=("tcp:127.0.0.1:5060",))) == []


class _StunServer(asyncio.DatagramProtocol):
    """Says 203.0.113.40:40000 to everybody, or nothing."""

    answers = True

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.answers:
            mapped = b"\x00\x01\x00\x08\x00\x01" + (40_000).to_bytes(2, "big") + bytes((203, 0, 113, 40))
            self.transport.sendto(b"\x01\x01\x00\x0c" + data[4:20] + mapped, addr)


async def test_the_stun_server_is_asked() -> None:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(_StunServer, local_addr=("127.0.0.1", 0))
    place = f"127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    (check,) = await stun(EngineSettings(stun=place))
    assert (check.name, check.ok, check.detail) == (f"STUN {place}", True, "sees this machine as 203.0.113.40")
    server.answers = False
    (check,) = await stun(EngineSettings(stun=place))
    assert (check.ok, check.needed) == (False, True)
    assert "does not answer" in check.detail
    transport.close()


async def test_a_stun_server_that_does_not_exist_is_said_and_none_is_no_finding() -> None:
    (check,) = await stun(EngineSettings(stun="stun.invalid"))
    assert "stun.invalid has no address" in check.detail
    assert await stun(EngineSettings()) == []


async def test_an_accounts_server_is_found_with_its_transport() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        kept = [line for line in asked if line.startswith(("Via", "From", "To", "Call-ID", "CSeq"))]
        writer.write("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode())
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        account = AccountSettings(uri=f"sip:alice@{place};transport=tcp")
        check = await servers(account)
        assert (check.name, check.ok) == (f"account sip:alice@{place}", True)
        assert check.detail == f"127.0.0.1 is TCP {place}; it answers"
    deserted = await servers(account)
    assert (deserted.ok, deserted.needed) == (False, True)
    assert deserted.detail == f"127.0.0.1 is TCP {place}, but nobody listens at {place} over TCP."
    lost = await servers(AccountSettings(uri="sip:alice@pbx.invalid"))
    assert (lost.ok, lost.needed) == (False, True)
    assert "pbx.invalid has no address" in lost.detail


async def test_silence_condemns_only_a_server_that_has_to_answer() -> None:
    loop = asyncio.get_running_loop()
    deaf, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    place = f"127.0.0.1:{deaf.get_extra_info('sockname')[1]}"
    registrar, trunk = await asyncio.gather(
        servers(AccountSettings(uri=f"sip:alice@{place}")),
        servers(AccountSettings(uri=f"sip:alice@{place}", register=False)),
    )
    deaf.close()
    where = f"127.0.0.1 is UDP {place}"
    assert (registrar.ok, registrar.needed) == (False, True)
    assert registrar.detail == f"{where}, but 127.0.0.1 does not answer over UDP within 2 s."
    assert (trunk.ok, trunk.needed) == (False, False)
    assert trunk.detail == f"{where}; 127.0.0.1 does not answer OPTIONS, as some servers never do. A call will tell."


BOB = AdmittedUser(username="bob", password=Secret("correct horse"))


@pytest.mark.parametrize(
    ("admission", "accounts", "ok", "words"),
    [
        (AdmissionSettings(), (), True, "this machine and private networks"),
        (AdmissionSettings(), (AccountSettings(uri="sip:a@b"),), True, "the accounts' servers"),
        (AdmissionSettings(networks=("192.0.2.0/24",)), (), True, "192.0.2.0/24"),
        (AdmissionSettings(networks=("192.0.2.0/24",), users=(BOB,)), (), True, "192.0.2.0/24, 1 with a password"),
        (AdmissionSettings(networks=()), (), True, "nobody"),
        (AdmissionSettings(networks=("::/0",)), (), False, "the whole internet, which scanners will find"),
    ],
)
def test_who_may_call_is_said(
    admission: AdmissionSettings, accounts: tuple[AccountSettings, ...], ok: bool, words: str
) -> None:
    check = callers(EngineSettings(admission=admission, accounts=accounts))
    assert (check.ok, check.needed, check.detail) == (ok, False, words)
