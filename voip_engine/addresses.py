"""From what people type to where a request goes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec.structs import replace

from voip_engine.errors import EngineError
from voip_engine.hosts import bracketed, is_literal
from voip_engine.secret import PASSWORD_IN_ADDRESS, holds_password
from voip_engine.settings import AccountSettings
from voip_engine.sip.flow import NextHop, Transport
from voip_engine.sip.messages.uri import MalformedUri, SipUri
from voip_engine.sip.sessions.dialog import transport_of as named_transport

_OTHER_SCHEME = re.compile(r"(?!sips?:)([a-z][a-z0-9+.\-]*)://", re.IGNORECASE)
"""What begins like a web address; without its slashes a user and a password, or a host and a port, begin so, too."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A call's target, the account it is placed through (its address of record) and the next hop."""

    target: SipUri
    account: str | None
    next_hop: NextHop


def registrar_of(account: AccountSettings) -> NextHop:
    """Return where an account's requests go: its outbound proxy, its registrar or its domain."""
    uri = SipUri.parse(account.uri)
    server = account.outbound_proxy or account.registrar
    if server is None:
        return next_hop_of(uri)
    hop = SipUri.parse(server if server.startswith(("sip:", "sips:")) else f"sip:{server}")
    if hop.scheme == "sips" or hop.has_parameter("transport") or not _names_transport(uri):
        return next_hop_of(hop)
    return NextHop(transport_of(uri), hop.host, hop.port or 0)


def routes_of(account: AccountSettings) -> tuple[str, ...]:
    """Return what an account's requests name as the way to go: its outbound proxy (RFC 3261 §8.1.2, §20.34)."""
    if account.outbound_proxy is None:
        return ()
    hop = registrar_of(account)
    scheme = "sips" if account.outbound_proxy.startswith("sips:") else "sip"
    uri = SipUri(scheme, None, hop.host, hop.port or None)
    if scheme == "sip" and hop.transport != "UDP":
        uri = uri.with_parameter("transport", hop.transport.lower())
    return (f"<{uri.with_parameter('lr')}>",)


def registers_at(account: AccountSettings) -> SipUri | None:
    """Return what a REGISTER asks a proxy to go to (RFC 3261 §10.2); None for the address's domain."""
    if account.registrar is None or account.outbound_proxy is None:
        return None
    server = account.registrar
    scheme = SipUri.parse(account.uri).scheme
    return SipUri.parse(server if server.startswith(("sip:", "sips:")) else f"{scheme}:{server}")


def next_hop_of(uri: SipUri) -> NextHop:
    """Return where a request to a URI goes. Raises EngineError for a transport we do not speak."""
    free = not (_names_transport(uri) or uri.port or is_literal(uri.host))
    return NextHop(transport_of(uri), uri.host, uri.port or 0, any_transport=free)


def _names_transport(uri: SipUri) -> bool:
    return uri.scheme == "sips" or uri.has_parameter("transport")


def servers_of(account: AccountSettings) -> tuple[NextHop, ...]:
    """Return where calls for an account may come from: its outbound proxy, and its registrar or its domain."""
    servers = [registrar_of(account)]
    if account.outbound_proxy is not None:
        servers.append(registrar_of(replace(account, outbound_proxy=None)))
    return tuple(servers)


def transport_of(uri: SipUri) -> Transport:
    """Return the transport a URI asks for; UDP unless it says otherwise. Raises EngineError for one we do not speak."""
    asked = named_transport(uri)
    if asked is None and uri.has_parameter("transport"):
        named = (uri.parameter("transport") or "").upper()
        raise EngineError(f"The transport {named} is not supported; there are UDP, TCP and TLS.")
    return asked or "UDP"


def destination(text: str, accounts: tuple[AccountSettings, ...], account: str | None) -> Destination:
    """Read what somebody wants to dial: a SIP URI, `user@host`, or a bare number or name at an account's domain.

    Without `account` the one whose domain is dialled is taken, or the first for a bare number. Raises EngineError.
    """
    wanted = text.strip()
    by_name = {str(each.address_of_record): each for each in accounts}
    if account is not None and account not in by_name:
        raise EngineError(f"There is no account {account}; there are {', '.join(by_name) or 'none'}.")
    if not wanted:
        raise EngineError("There is nothing to dial: type a SIP address such as sip:bob@192.0.2.7.")
    if holds_password(wanted):
        raise EngineError(PASSWORD_IN_ADDRESS)
    if (web := _OTHER_SCHEME.match(wanted)) is not None:
        raise EngineError(_not_dialled(web[1]))
    chosen = account
    has_scheme = wanted.lower().startswith(("sip:", "sips:", "tel:"))
    if not has_scheme and "@" not in wanted and not _looks_like_host(wanted):
        chosen = chosen or next(iter(by_name), None)
        if chosen is None:
            raise EngineError(
                f"{wanted!r} has no host, and there is no account to dial it through: try sip:{wanted}@host."
            )
        home = SipUri.parse(chosen)
        wanted = f"{home.scheme}:{wanted}@{bracketed(home.host)}" + (f":{home.port}" if home.port else "")
    elif not has_scheme:
        wanted = f"sip:{wanted}"
    try:
        target = SipUri.parse(wanted)
    except MalformedUri as error:
        raise EngineError(f"{text.strip()!r} is no SIP address: {error}") from error
    if target.scheme not in ("sip", "sips"):
        raise EngineError(_not_dialled(target.scheme))
    if chosen is None:
        chosen = next((name for name in by_name if SipUri.parse(name).host.lower() == target.host.lower()), None)
    if chosen is None:
        return Destination(target, None, next_hop_of(target))
    next_hop = registrar_of(by_name[chosen])
    if target.scheme == "sips" and next_hop.transport != "TLS":
        raise EngineError(
            f"sips: addresses are reached over TLS only, and {chosen} goes over {next_hop.transport}: "
            "dial sip:, or add ;transport=tls to the account's address."
        )
    return Destination(target, chosen, next_hop)


def _not_dialled(scheme: str) -> str:
    return f"Only sip: and sips: addresses can be dialled, not {scheme.lower()}:."


def _looks_like_host(text: str) -> bool:
    return ":" in text or (text.count(".") == 3 and text.replace(".", "").isdigit())
