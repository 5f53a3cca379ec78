from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path

import pytest
from support.certificates import Authority, Certificate
from support.sip_endpoint import ANSWER, OPTIONS, connected, endpoint, listening

from voip_engine.sip.effects import SendOnFlow, SendRequest
from voip_engine.sip.flow import NextHop
from voip_engine.sip.network.tls import TlsFiles
from voip_engine.sip.network.transport import TcpLimits, TransportError


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.issue("peer", "pbx.example", "127.0.0.1", "localhost")


def server_files(certificate: Certificate) -> TlsFiles:
    return TlsFiles(certificate_file=str(certificate.certificate), key_file=str(certificate.key))


def server_context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def trusting(authority: Authority) -> TlsFiles:
    return TlsFiles(ca_file=str(authority.ca_file))


async def test_messages_go_there_and_back_over_tls(authority: Authority, certificate: Certificate) -> None:
    async with endpoint(tls=trusting(authority)) as here, endpoint(tls=server_files(certificate)) as there:
        remote = await there.transport.listen("TLS", "127.0.0.1", 0)
        hop = NextHop("TLS", "127.0.0.1", remote.port, "pbx.example")
        for number in range(3):
            here.transport.send(SendRequest(OPTIONS, hop, f"t{number}"))
        flows = [(await there.data.get())[1] for _ in range(3)]
        assert len(set(flows)) == 1
        assert flows[0].transport == "TLS"
        there.transport.send(SendOnFlow(ANSWER, flows[0]))
        data, flow = await here.data.get()
        assert (data, flow.transport, flow.remote_port) == (ANSWER, "TLS", remote.port)
        # A request back on that connection needs no other one, and no certificate of ours.
        back = NextHop("TLS", "127.0.0.1", flows[0].remote_port, connection=flows[0].connection)
        there.transport.send(SendRequest(OPTIONS, back, "back"))
        assert (await here.data.get())[0] == OPTIONS


async def test_long_messages_go_over_tls(authority: Authority, certificate: Certificate) -> None:
    message = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 300000\r\n\r\n" + bytes(range(250)) * 1200
    async with endpoint(tls=trusting(authority)) as here, endpoint(tls=server_files(certificate)) as there:
        remote = await there.transport.listen("TLS", "127.0.0.1", 0)
        here.transport.send(SendRequest(message, NextHop("TLS", "127.0.0.1", remote.port, "pbx.example"), "t"))
        assert (await there.data.get())[0] == message


async def test_what_others_opened_serves_no_address(authority: Authority, certificate: Certificate) -> None:
    async with endpoint(tls=trusting(authority)) as here, endpoint(tls=server_files(certificate)) as there:
        remote = await there.transport.listen("TLS", "127.0.0.1", 0)
        here.transport.send(SendRequest(OPTIONS, NextHop("TLS", "127.0.0.1", remote.port), "theirs"))
        flow = (await there.data.get())[1]
        # Anybody may have opened it: who is to be reached at that address has to show a certificate.
        there.transport.send(SendRequest(OPTIONS, NextHop("TLS", "127.0.0.1", flow.remote_port), "ours"))
        assert (await there.failures.get())[0] == "ours"
        assert here.data.empty()


async def test_without_a_listener_our_address_is_that_of_the_connection(
    authority: Authority, certificate: Certificate
) -> None:
    async with endpoint(tls=trusting(authority)) as here, endpoint(tls=server_files(certificate)) as there:
        remote = await there.transport.listen("TLS", "127.0.0.1", 0)
        hop = NextHop("TLS", "localhost", remote.port)
        local = await here.transport.local_address_for(hop)
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        _, flow = await there.data.get()
        assert (flow.remote_host, flow.remote_port) == (local.host, local.port)


async def test_a_connection_serves_only_the_domains_of_its_certificate(
    authority: Authority, certificate: Certificate
) -> None:
    async with endpoint(tls=trusting(authority)) as here, listening(server_context(certificate)) as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, NextHop("TLS", hop.host, hop.port, "pbx.example"), "ours"))
        reader, writer = await connections.get()
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS
        here.transport.send(SendRequest(OPTIONS, NextHop("TLS", hop.host, hop.port, "bank.example"), "other"))
        transaction, reason = await here.failures.get()
        assert transaction == "other"
        assert reason == f"the certificate of 127.0.0.1:{hop.port} is for pbx.example, localhost, not for bank.example"
        # By Record-Route it is called by its address: the connection that is there serves, ...
        here.transport.send(SendRequest(ANSWER, hop, "by address"))
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        # ... and when it is gone another one to the same domain.
        writer.close()
        await here.lost.get()
        here.transport.send(SendRequest(ANSWER, hop, "again"))
        while True:
            reader, _ = await connections.get()
            if await reader.read(1):
                break


async def test_an_address_alone_has_to_stand_in_the_certificate(authority: Authority) -> None:
    elsewhere = server_context(authority.issue("elsewhere", "elsewhere.example"))
    async with endpoint(tls=trusting(authority)) as here, listening(elsewhere) as (hop, _):
        with pytest.raises(TransportError, match=r"is for elsewhere\.example, not for 127\.0\.0\.1\."):
            await here.transport.local_address_for(hop)


async def test_an_expired_certificate_is_said_in_plain_words(authority: Authority) -> None:
    expired = server_context(authority.issue("expired", expired=True))
    async with endpoint(tls=trusting(authority)) as here, listening(expired) as (hop, _):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        assert "the certificate of 127.0.0.1 has expired" in (await here.failures.get())[1]


async def test_an_unknown_authority_is_said_in_plain_words(certificate: Certificate) -> None:
    async with endpoint() as here, listening(server_context(certificate)) as (hop, _):
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reason = (await here.failures.get())[1]
        assert "was issued by an authority that is not trusted here; name that one as ca_file" in reason


async def test_a_peer_without_tls_is_said_in_plain_words(authority: Authority) -> None:
    async with endpoint(tls=trusting(authority)) as here, listening() as (hop, connections):
        here.transport.send(SendRequest(OPTIONS, NextHop("TLS", hop.host, hop.port), "t"))
        reader, writer = await connections.get()
        await reader.read(10)
        writer.write(b"SIP/2.0 400 Bad Request\r\n\r\n")
        assert "speaks no TLS there" in (await here.failures.get())[1]


async def test_a_client_certificate_is_shown_where_one_is_wanted(
    authority: Authority, certificate: Certificate
) -> None:
    context = server_context(certificate)
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    ours = authority.issue("phone", "phone.example")
    files = TlsFiles(str(authority.ca_file), str(ours.certificate), str(ours.key))
    async with listening(context) as (hop, connections), endpoint(tls=files) as here:
        here.transport.send(SendRequest(OPTIONS, hop, "t"))
        reader, writer = await connections.get()
        assert await reader.readexactly(len(OPTIONS)) == OPTIONS
        names = dict(writer.get_extra_info("peercert")["subjectAltName"])
        assert names == {"DNS": "phone.example"}


async def test_a_client_certificate_that_is_missing_is_said_in_plain_words(
    authority: Authority, certificate: Certificate
) -> None:
    context = server_context(certificate)
    context.load_verify_locations(authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED

    def refuse(listener: socket.socket) -> None:
        """Shake hands as OpenSSL's servers do: asyncio's keep the alert to themselves."""
        peer, _ = listener.accept()
        with context.wrap_socket(peer, server_side=True, do_handshake_on_connect=False) as tls:
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            while os.read(tls.fileno(), 4096):  # unread bytes would make the system withdraw the alert
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        hop = NextHop("TLS", *listener.getsockname())
        async with endpoint(tls=trusting(authority)) as here:
            refusing = asyncio.create_task(asyncio.to_thread(refuse, listener))
            here.transport.send(SendRequest(OPTIONS, hop, "t"))
            assert "wants a certificate of ours that it trusts" in (await here.failures.get())[1]
            await refusing


async def test_listening_needs_a_certificate_and_its_key(
    authority: Authority, certificate: Certificate, tmp_path: Path
):
    other = authority.issue("other")
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    locked = tmp_path / "locked.key"
    locked.write_bytes(_locked(certificate.key.read_bytes()))
    chain = str(certificate.certificate)
    for files, words in (
        (TlsFiles(), "Listening on tls: needs a certificate"),
        (TlsFiles(certificate_file="/nowhere.pem"), "There is no file /nowhere.pem"),
        (TlsFiles(certificate_file=str(broken)), "cannot be read: PEM is wanted"),
        (TlsFiles(certificate_file=chain, key_file=str(other.key)), "does not belong to"),
        (TlsFiles(certificate_file=chain, key_file=str(locked)), "has a password. Store it without"),
    ):
        async with endpoint(tls=files) as here:
            with pytest.raises(TransportError, match=words):
                await here.transport.listen("TLS", "127.0.0.1", 0)


@pytest.mark.parametrize(("text", "words"), [(None, "There is no file"), ("nothing", "holds no certificates")])
async def test_authorities_that_cannot_be_read_are_said_in_plain_words(
    text: str | None, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    async with endpoint(tls=TlsFiles(ca_file=str(path))) as here:
        here.transport.send(SendRequest(OPTIONS, NextHop("TLS", "127.0.0.1", 5061), "t"))
        assert words in (await here.failures.get())[1]


async def test_closing_delivers_what_was_sent_over_tls(authority: Authority, certificate: Certificate) -> None:
    async with listening(server_context(certificate)) as (hop, connections):
        async with endpoint(TcpLimits(linger_s=5), tls=trusting(authority)) as here:
            here.transport.send(SendRequest(OPTIONS, hop, "t"))
            reader, _ = await connections.get()
            assert await reader.readexactly(len(OPTIONS)) == OPTIONS
            here.transport.send(SendRequest(OPTIONS * 1000, hop, "u"))
        assert await reader.readexactly(len(OPTIONS) * 1000) == OPTIONS * 1000


async def test_what_comes_with_the_last_of_the_handshake_is_heard(
    authority: Authority, certificate: Certificate
) -> None:
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    async with endpoint(tls=server_files(certificate)) as here:
        address = await here.transport.listen("TLS", "127.0.0.1", 0)
        async with connected(address) as (reader, writer):
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            writer.write(outgoing.read())
            done = False
            while not done:
                incoming.write(await reader.read(65536))
                try:
                    tls.do_handshake()
                    done = True
                except ssl.SSLWantReadError:
                    pass
            tls.write(OPTIONS)
            writer.write(outgoing.read())
            assert (await here.data.get())[0] == OPTIONS


async def test_those_who_only_begin_to_shake_hands_are_limited(certificate: Certificate) -> None:
    async with endpoint(TcpLimits(connections=1, connect_s=30), tls=server_files(certificate)) as here:
        address = await here.transport.listen("TLS", "127.0.0.1", 0)
        async with connected(address) as (slow, _), connected(address) as (refused, _), asyncio.timeout(10):
            assert await _cut_off(refused)
            assert not slow.at_eof()


async def test_a_burst_of_those_who_begin_to_shake_hands_is_limited(certificate: Certificate) -> None:
    async with endpoint(TcpLimits(connections=2, connect_s=30), tls=server_files(certificate)) as here:
        address = await here.transport.listen("TLS", "127.0.0.1", 0)
        # All wait to be accepted at once.
        sockets = [socket.create_connection((address.host, address.port)) for _ in range(20)]
        opened = [await asyncio.open_connection(sock=each) for each in sockets]
        ends = [asyncio.create_task(_cut_off(reader)) for reader, _ in opened]
        async with asyncio.timeout(10):
            while sum(end.done() for end in ends) < 18:
                await asyncio.wait([end for end in ends if not end.done()], return_when=asyncio.FIRST_COMPLETED)
        assert sum(end.done() for end in ends) == 18
        for end, (_, writer) in zip(ends, opened, strict=True):
            end.cancel()
            writer.close()
        await asyncio.gather(*ends, return_exceptions=True)


async def test_those_who_only_begin_to_shake_hands_are_cut_off(certificate: Certificate) -> None:
    async with endpoint(TcpLimits(connections=1, connect_s=0.05), tls=server_files(certificate)) as here:
        address = await here.transport.listen("TLS", "127.0.0.1", 0)
        for _ in range(2):  # and then there is room again
            async with connected(address) as (reader, _), asyncio.timeout(10):
                assert await _cut_off(reader)


async def _cut_off(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_strangers_who_speak_no_tls_cost_nothing(certificate: Certificate) -> None:
    async with endpoint(tls=server_files(certificate)) as here:
        address = await here.transport.listen("TLS", "127.0.0.1", 0)
        async with connected(address) as (reader, writer):
            writer.write(OPTIONS)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(100)
        assert here.data.empty()


def _locked(key: bytes) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return serialization.load_pem_private_key(key, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
