"""An account at registrars on real sockets: found by DNS, gone, back again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random

import pytest
from support.certificates import Authority
from support.dns_server import name_server
from support.sip_endpoint import listening

from voip_engine.accounts import Accounts
from voip_engine.events import AnyEvent
from voip_engine.network_settings import TlsSettings
from voip_engine.settings import AccountSettings
from voip_engine.signalling import Signalling
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, RegistrationChanged, SendOnFlow
from voip_engine.sip.flow import Flow, Transport
from voip_engine.sip.messages.message import Request, make_response, parse_message
from voip_engine.sip.network.dns_resolver import DnsResolver
from voip_engine.sip.network.tls import TlsContexts, TlsFiles
from voip_engine.sip.network.transport import SipTransport
from voip_engine.snapshots import AccountState


@dataclass
class Registrar:
    """Grants every REGISTER, or answers all with another status; `requests` has them with the flow they came on."""

    port: int = 0
    requests: asyncio.Queue[tuple[Request, Flow]] = field(default_factory=asyncio.Queue)


@asynccontextmanager
async def registrar(
    transport: Transport, port: int = 0, tls: TlsFiles | None = None, status: int = 200
) -> AsyncIterator[Registrar]:
    def receive(data: bytes, flow: Flow) -> None:
        request = parse_message(data)
        assert isinstance(request, Request)
        response = make_response(request, status, to_tag="t")
        response.headers.add("Contact", request.headers.get("Contact") or "")
        made.requests.put_nowait((request, flow))
        sockets.send(SendOnFlow(response.serialize(), flow))

    made = Registrar()
    sockets = SipTransport(
        receive, lambda *_: None, lambda *_: None, lambda *_: None, tls=TlsContexts(tls) if tls else None
    )
    made.port = (await sockets.listen(transport, "127.0.0.1", port)).port
    try:
        yield made
    finally:
        await sockets.close()


@dataclass
class Line:
    """One account, with the engine's parts that register it."""

    accounts: Accounts
    registered: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    looks_up: bool = False
    """Whether the registrar was looked up again when it had failed."""


@asynccontextmanager
async def line(uri: str, *, resolver: DnsResolver | None = None, tls: TlsSettings | None = None) -> AsyncIterator[Line]:
    def apply(effect: Effect) -> None:
        if isinstance(effect, RegistrationChanged):
            made.accounts.apply(effect)
            if effect.state == "registered":
                made.registered.set()
            if effect.state == "failed":
                made.looks_up = any(task.get_name().startswith("find ") for task in asyncio.all_tasks())
                made.failed.set()

    def publish(event: AnyEvent) -> None:
        """Nobody listens."""

    signalling = Signalling(SipCore(Random(1), user_agent="test"), apply, tls=tls, resolver=resolver)
    made = Line(Accounts((AccountSettings(uri=uri, voicemail=False),), signalling, publish))
    made.accounts.start()
    try:
        yield made
    finally:
        await made.accounts.close(0.1)
        await signalling.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_servers_that_dns_names_are_tried_in_order() -> None:
    async with registrar("TCP") as server:
        records = (
            f"_sip._tcp.pbx.test SRV 10 0 {free_port()} dead.pbx.test.",
            f"_sip._tcp.pbx.test SRV 20 0 {server.port} live.pbx.test.",
            "dead.pbx.test A 127.0.0.1",
            "live.pbx.test A 127.0.0.1",
        )
        async with (
            name_server(*records) as names,
            line("sip:alice@pbx.test", resolver=DnsResolver(("127.0.0.1",), names.port)) as phone,
        ):
            await phone.registered.wait()
            request, flow = await server.requests.get()
            assert (flow.transport, str(request.uri)) == ("TCP", "sip:pbx.test")


async def test_the_transport_that_dns_chooses_is_shown() -> None:
    async with registrar("TCP") as server:
        records = (f"_sip._tcp.pbx.test SRV 10 0 {server.port} a.pbx.test.", "a.pbx.test A 127.0.0.1")
        async with (
            name_server(*records) as names,
            line("sip:alice@pbx.test", resolver=DnsResolver(("127.0.0.1",), names.port)) as phone,
        ):
            await phone.registered.wait()
            [snapshot] = phone.accounts.snapshots()
            assert (snapshot.transport, snapshot.state) == ("TCP", AccountState.REGISTERED)


async def test_over_tls_the_domain_is_verified_that_was_asked_for(tmp_path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("pbx", "pbx.test")
    files = TlsFiles(certificate_file=str(issued.certificate), key_file=str(issued.key))
    async with registrar("TLS", tls=files) as server:
        records = (f"_sips._tcp.pbx.test SRV 10 0 {server.port} edge.hosting.test.", "edge.hosting.test A 127.0.0.1")
        async with (
            name_server(*records) as names,
            line(
                "sips:alice@pbx.test",
                resolver=DnsResolver(("127.0.0.1",), names.port),
                tls=TlsSettings(ca_file=str(authority.ca_file)),
            ) as phone,
        ):
            await phone.registered.wait()
            request, flow = await server.requests.get()
            # Calls come in by the connection: that is what the Contact names.
            contact = request.contacts[0].uri
            assert (contact.scheme, contact.host, contact.port) == ("sips", "127.0.0.1", flow.remote_port)


async def test_a_registrar_that_restarts_has_the_account_back_within_seconds() -> None:
    port = free_port()
    async with line(f"sip:alice@127.0.0.1:{port};transport=tcp") as phone:
        for _ in range(2):
            async with registrar("TCP", port) as server, asyncio.timeout(10):
                request, _ = await server.requests.get()
                await phone.registered.wait()
                phone.registered.clear()
        assert request.cseq.number >= 2


@pytest.mark.parametrize(("status", "again"), [(403, False), (503, True)])
async def test_who_refuses_an_account_is_looked_up_no_more_than_who_grants_it(status: int, again: bool) -> None:
    async with registrar("UDP", status=status) as server, line(f"sip:alice@127.0.0.1:{server.port}") as phone:
        await phone.failed.wait()
        assert phone.looks_up is again
        [account] = phone.accounts.snapshots()
        assert account.retry_at is not None


async def test_after_a_sleep_the_account_registers_at_once() -> None:
    async with registrar("UDP") as server, line(f"sip:alice@127.0.0.1:{server.port}") as phone:
        await server.requests.get()
        await phone.registered.wait()
        phone.registered.clear()
        async with asyncio.timeout(20):
            phone.accounts.network_changed()
            request, _ = await server.requests.get()
            await phone.registered.wait()
        assert request.cseq.number == 2


async def test_after_a_change_of_network_a_connection_is_asked_whether_it_still_leads_anywhere() -> None:
    async with (
        listening() as (hop, connections),
        line(f"sip:alice@127.0.0.1:{hop.port};transport=tcp") as phone,
        asyncio.timeout(5),
    ):
        reader, writer = await connections.get()
        request = parse_message(await reader.readuntil(b"\r\n\r\n"))
        assert isinstance(request, Request)
        writer.write(make_response(request, 200, to_tag="t").serialize())
        await phone.registered.wait()
        phone.accounts.network_changed()
        assert await reader.readexactly(4) == b"\r\n\r\n"
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"REGISTER ")
        writer.close()


async def test_an_account_is_shown_as_registering_while_its_server_is_still_being_reached(tmp_path) -> None:
    trusted = TlsSettings(ca_file=str(Authority(tmp_path).ca_file))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with line(f"sip:alice@127.0.0.1:{mute.getsockname()[1]};transport=tls", tls=trusted) as phone:
            taken, _ = await asyncio.to_thread(mute.accept)
            with taken:
                assert [account.state for account in phone.accounts.snapshots()] == [AccountState.REGISTERING]


async def test_a_registrar_that_goes_is_looked_up_again_and_found_elsewhere(tmp_path) -> None:
    """The first server is not there when the second one is found, so that the account knows only that."""
    authority = Authority(tmp_path)
    issued = authority.issue("pbx", "pbx.test")
    files = TlsFiles(certificate_file=str(issued.certificate), key_file=str(issued.key))
    trusted = TlsSettings(ca_file=str(authority.ca_file))
    first, second = free_port(), free_port()
    records = (
        f"_sips._tcp.pbx.test SRV 10 0 {first} first.pbx.test.",
        f"_sips._tcp.pbx.test SRV 20 0 {second} second.pbx.test.",
        "first.pbx.test A 127.0.0.1",
        "second.pbx.test A 127.0.0.1",
    )
    async with (
        name_server(*records) as names,
        AsyncExitStack() as later,
        asyncio.timeout(15),
    ):
        async with registrar("TLS", second, tls=files):
            resolver = DnsResolver(("127.0.0.1",), names.port)
            phone = await later.enter_async_context(line("sips:alice@pbx.test", resolver=resolver, tls=trusted))
            await phone.registered.wait()
            phone.registered.clear()
        server = await later.enter_async_context(registrar("TLS", first, tls=files))
        await server.requests.get()
        await phone.registered.wait()
