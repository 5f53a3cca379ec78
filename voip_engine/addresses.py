"""From what people type to where a request goes."""

from __future__ import annotations

from dataclasses import dataclass

from voip_engine.errors import EngineError
from voip_engine.settings import AccountSettings
from voip_engine.sip.dialog import transport_of as named_transport
from voip_engine.sip.flow import NextHop, Transport
from voip_engine.sip.uri import MalformedUri, SipUri


@dataclass(frozen=True, slots=True)
class Destination:
    """A call's target, the account it is placed through (its address of record) and the next hop."""

    target: SipUri
    account: str | None
    next_hop: NextHop


def registrar_of(account: AccountSettings) -> NextHop:
    """Return where an account's requests go: its outbound proxy, its registrar or its domain."""
    uri = SipUri.parse(account.uri)
    transport = transport_of(uri)
    server = account.outbound_proxy or account.registrar
    if server is None:
        return NextHop(transport, uri.host, uri.port or 0)
    hop = SipUri.parse(server if server.startswith(("sip:", "sips:")) else f"sip:{server}")
    return NextHop(transport_of(hop) if hop.has_parameter("transport") else transport, hop.host, hop.port or 0)


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
        raise EngineError(f"Only sip: and sips: addresses can be dialled, not {target.scheme}:.")
    if chosen is None:
        chosen = next((name for name in by_name if SipUri.parse(name).host.lower() == target.host.lower()), None)
    if chosen is None:
        return Destination(target, None, NextHop(transport_of(target), target.host, target.port or 0))
    next_hop = registrar_of(by_name[chosen])
    if target.scheme == "sips" and next_hop.transport != "TLS":
        raise EngineError(
            f"sips: addresses are reached over TLS only, and {chosen} goes over {next_hop.transport}: "
            "dial sip:, or add ;transport=tls to the account's address."
        )
    return Destination(target, chosen, next_hop)


def _looks_like_host(text: str) -> bool:
    return ":" in text or (text.count(".") == 3 and text.replace(".", "").isdigit())


def bracketed(host: str) -> str:
    """Return a host as it stands in a URI: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def host_port(host: str, port: int) -> str:
    """Return `host:port` as people read it."""
    return f"{bracketed(host)}:{port}"
