"""Where a dialog's other end really is: behind NAT its Contact leads nowhere, and strangers may know its names.

**Requests of ours** go to the first route, else to the Contact (RFC 3261 §12.2.1.1), else, where the Contact cannot be right,
back to where its message came from, over the same connection on streams (as RFC 5923 and RFC 5626 §5.3 do). Who called us
directly over a stream gets them on that connection as long as it is up, and else at its Contact.

**Requests of theirs** within a dialog are taken from hosts that have a part in it only: those that its messages came from, its
Contact, its routes; besides from the servers of our accounts and the networks that the settings list, for a PBX may have more
addresses than it tells. Who has read Call-ID and tags somewhere cannot end or redirect a call with them from elsewhere.
Where a Contact or route is a name, nobody knows which hosts stand behind it, and the tags alone have to do. A CANCEL comes from
where its INVITE came from (§9.1: it takes the same hop). Whoever can send from one of these hosts, or stands on the way, is not
kept off: that takes TLS.
"""

from __future__ import annotations

from ipaddress import ip_network

from voip_engine.hosts import Address, address_of
from voip_engine.sip.flow import Flow, NextHop
from voip_engine.sip.messages.message import Request, Response
from voip_engine.sip.messages.uri import SipUri

_PRIVATE = tuple(
    ip_network(text)
    for text in (
        *(
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "0.0.0.0/32",
        ),
        *("fc00::/7", "fe80::/10", "::1/128", "::/128"),
    )
)
"""Addresses that mean something else, or nothing, on the other side of a NAT (RFC 1918, 6598, 3927, 4193)."""


def return_hop(message: Request | Response, flow: Flow) -> NextHop | None:
    """Say where requests go instead of to a message's Contact; None where the Contact can be right."""
    contact = next((contact.uri for contact in message.contacts), None)
    if contact is None:
        return None
    back = NextHop(flow.transport, flow.remote_host, flow.remote_port, connection=flow.connection)
    if contact.has_parameter("ob"):
        return back  # RFC 5626 §5.3: they want the flow to be used
    host, source = address_of(contact.host), address_of(flow.remote_host)
    if host is None or source is None:
        return None
    if host == source:
        return _same_connection(message, contact, flow)
    if _is_private(host) and not _is_private(source):
        return back
    if isinstance(message, Request) and len(message.vias) == 1:
        # No proxy stands between, and the sender takes itself for somebody whom its packets don't come from.
        return back if address_of(message.vias[0].host) == host else None
    return None


def _same_connection(message: Request | Response, contact: SipUri, flow: Flow) -> NextHop | None:
    """Prefer the connection that somebody came by: a phone over TLS, or behind a firewall, listens for none of ours."""
    named = "TLS" if contact.scheme == "sips" else (contact.parameter("transport") or flow.transport).upper()
    direct = isinstance(message, Request) and len(message.vias) == 1
    if not flow.connection or named != flow.transport or not (direct or contact.port == flow.remote_port):
        return None
    return NextHop(flow.transport, flow.remote_host, contact.port or 0, connection=flow.connection)


def _is_private(address: Address) -> bool:
    return any(address in network for network in _PRIVATE)
