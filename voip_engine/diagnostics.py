"""Whether what the settings name beyond this machine can be used: certificates, accounts' servers, STUN, who may call."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Iterable
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any, Final

from msgspec import Struct

from voip_engine.addresses import registrar_of
from voip_engine.hosts import STUN_PORT, bracketed, host_port
from voip_engine.modes.registry import available_modes
from voip_engine.network_settings import TlsSettings
from voip_engine.server_probe import PROBE_S, probe
from voip_engine.settings import AccountSettings, EngineSettings, ListenAddress
from voip_engine.sip.flow import NextHop
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.certificates import names_in
from voip_engine.sip.network.dns_resolver import DnsResolver
from voip_engine.sip.network.locating import locate
from voip_engine.sip.network.mapped_address import ask
from voip_engine.sip.network.sockets import look_up, open_socket
from voip_engine.sip.network.tls import TlsContexts, TlsFiles
from voip_engine.sip.network.transport import TransportError
from voip_engine.stun.exchange import StunExchange
from voip_engine.stun.messages import TRANSACTION_ID_BYTES, MalformedStun, binding_request

ANSWER_S: Final = 5.0
SOON_DAYS: Final = 14
"""A certificate that ends within these days is named before it does."""
SERVERS_SHOWN: Final = 3


class Check(Struct, frozen=True):
    """One finding. `needed`: the settings cannot do without; `mend` is a command, or what to set; or empty."""

    name: str
    ok: bool
    detail: str
    needed: bool = True
    mend: str = ""


async def mode(settings: EngineSettings, mend: str) -> list[Check]:
    """Whether there is a mode of that name; `mend` says how to set another one."""
    modes = await asyncio.to_thread(available_modes)
    if settings.mode in modes:
        return []
    close = get_close_matches(settings.mode, modes, n=1)
    detail = f"There is no mode {settings.mode!r}; there are {', '.join(modes)}."
    detail += f" Did you mean {close[0]}?" if close else ""
    return [Check("mode", False, detail, mend=mend)]


async def listening(addresses: Iterable[str]) -> list[Check]:
    """Whether these addresses can be listened on; what stands in the way is told as the engine would."""
    checks = []
    for text in addresses:
        address = ListenAddress.parse(text)
        try:
            (host, *_) = await look_up(address.host, address.transport)
            open_socket(address.transport, host, address.port).close()
        except TransportError as error:
            checks.append(Check(f"listen {text}", False, str(error)))
        else:
            checks.append(Check(f"listen {text}", True, "free"))
    return checks


# ---- certificates ---------------------------------------------------------------------------------------------------


async def certificates(settings: EngineSettings) -> list[Check]:
    """Whether the files of [tls] can be used, and until when."""
    tls = settings.tls
    listens = any(text.lower().startswith("tls:") for text in settings.listen)
    contexts = TlsContexts(TlsFiles(tls.ca_file, tls.certificate_file, tls.key_file))
    checks = []
    if tls.ca_file is not None:
        checks.append(await _authorities(tls.ca_file))
    if tls.certificate_file is not None or listens:
        try:
            server = await contexts.server()
        except TransportError as error:
            checks.append(Check("certificate", False, str(error)))
        else:
            assert tls.certificate_file is not None
            checks.append(await asyncio.to_thread(_own_certificate, server, Path(tls.certificate_file)))
    return checks


async def _authorities(ca_file: str) -> Check:
    try:
        context = await TlsContexts(TlsFiles(ca_file)).client()
    except TransportError as error:
        return Check("authorities", False, str(error))
    found = context.cert_store_stats()["x509"]
    return Check("authorities", found > 0, f"{found} in {ca_file}")


def _own_certificate(server: ssl.SSLContext, file: Path) -> Check:
    """Shake hands with ourselves in memory: what a peer would be shown is what counts, not what the file seems to hold."""
    name = "certificate"
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        client.load_verify_locations(cafile=file)
        certificate = _shown(server, client)
    except ssl.SSLCertVerificationError as error:
        return Check(name, False, f"{file}: {error.verify_message}", mend="renew it, then start again")
    except (ssl.SSLError, OSError) as error:
        return Check(name, False, f"{file} cannot be used: {error}")
    days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86_400
    until = f"{certificate['notAfter']}".replace("  ", " ")
    alternatives = certificate.get("subjectAltName", ())
    addresses = [address for kind, address in alternatives if kind == "IP Address"]
    names = ", ".join([*names_in(certificate), *addresses]) or "nobody"
    if days < SOON_DAYS:
        return Check(name, False, f"for {names}, ends soon: {until}", needed=False, mend="renew it")
    return Check(name, True, f"for {names}, until {until}")


def _shown(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """The certificate that the one context shows to the other. Raises ssl.SSLError."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    for side in (theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return dict(theirs.getpeercert() or {})


# ---- accounts -------------------------------------------------------------------------------------------------------


async def servers(account: AccountSettings, tls: TlsSettings | None = None) -> Check:
    """Where an account's requests go, by NAPTR, SRV and addresses, and whether somebody answers there."""
    name, hop = f"account {account.address_of_record}", registrar_of(account)
    try:
        async with asyncio.timeout(ANSWER_S * 2):
            found = await locate(hop, DnsResolver(), Random())
    except (TransportError, TimeoutError):
        return Check(name, False, f"{hop.host} has no address; is the name right, and is there a network?")
    shown = [f"{each.transport} {host_port(each.host, each.port)}" for each in found[:SERVERS_SHOWN]]
    more = f" and {len(found) - SERVERS_SHOWN} more" if len(found) > SERVERS_SHOWN else ""
    where = f"{hop.host} is {', then '.join(shown)}{more}"
    files = TlsFiles(tls.ca_file, tls.certificate_file, tls.key_file) if tls is not None else None
    try:
        async with asyncio.timeout(ANSWER_S * 2):
            probed = await probe(hop, TlsContexts(files), account.address_of_record if account.register else None)
    except (TransportError, TimeoutError) as error:
        trouble = str(error).rstrip(".") or f"nobody answers within {ANSWER_S * 2:.0f} s"
        return Check(name, False, f"{where}, but {trouble}.")
    if probed.answered:
        proven = ", with a certificate that is trusted here" if probed.hop.transport == "TLS" else ""
        return Check(name, True, f"{where}; it answers{proven}")
    silent = f"{bracketed(probed.hop.host)} does not answer"
    if account.register:
        return Check(name, False, f"{where}, but {silent} over {probed.hop.transport} within {PROBE_S:.0f} s.")
    return Check(name, False, f"{where}; {silent} OPTIONS, as some servers never do. A call will tell.", needed=False)


# ---- STUN -----------------------------------------------------------------------------------------------------------


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, exchange: StunExchange) -> None:
        self.exchange = exchange
        self.answered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[object, ...]) -> None:
        if self.exchange.receive(data):
            self.answered.set()


async def stun(settings: EngineSettings) -> list[Check]:
    """Whether the STUN server answers, and what it says."""
    if settings.stun is None:
        return []
    name = f"STUN {settings.stun}"
    uri = SipUri.parse(settings.stun if settings.stun.startswith("sip:") else f"sip:{settings.stun}")
    try:
        (server, *_) = await locate(NextHop("UDP", uri.host, uri.port or STUN_PORT), DnsResolver(), Random())
        seen = await _asked(server.host, server.port)
    except TransportError:
        return [Check(name, False, f"{uri.host} has no address; is the name right, and is there a network?")]
    except (MalformedStun, OSError) as error:
        return [Check(name, False, f"{uri.host} cannot be asked: {error}")]
    if seen is None:
        return [Check(name, False, f"{host_port(server.host, server.port)} does not answer; is UDP let through?")]
    return [Check(name, True, f"sees this machine as {seen[0]}")]


async def _asked(host: str, port: int) -> tuple[str, int] | None:
    """What a STUN server says of us; None if it says nothing. Raises OSError, MalformedStun."""
    loop = asyncio.get_running_loop()
    request = await asyncio.to_thread(binding_request, secrets.token_bytes(TRANSACTION_ID_BYTES))
    exchange = StunExchange(request, loop.time())
    transport, answers = await loop.create_datagram_endpoint(lambda: _Answers(exchange), remote_addr=(host, port))
    try:
        own_host = transport.get_extra_info("sockname")[0]
        return await ask(exchange, transport.sendto, answers.answered, own_host)
    finally:
        transport.close()


# ---- who may call ---------------------------------------------------------------------------------------------------


def callers(settings: EngineSettings) -> Check:
    """From where calls are taken; the whole internet is said to be that."""
    admission, name = settings.admission, "who may call"
    who = ["the accounts' servers"] if settings.accounts else []
    if admission.networks is None and not settings.accounts:
        who.append("this machine and private networks")
    who += admission.networks or ()
    if admission.users:
        who.append(f"{len(admission.users)} with a password")
    if any(ip_network(network).prefixlen == 0 for network in admission.networks or ()):
        mend = "list networks in [admission] of the settings"
        return Check(name, False, "the whole internet, which scanners will find", needed=False, mend=mend)
    return Check(name, True, ", ".join(who) or "nobody", needed=False)
