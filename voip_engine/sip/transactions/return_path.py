"""How answers travel back to who asked (RFC 3261 §18.2, RFC 3581)."""

from __future__ import annotations

from dataclasses import replace

from voip_engine.sip.flow import DEFAULT_PORTS, Flow, NextHop
from voip_engine.sip.messages.message import Request, Via


def reply_path(via: Via, flow: Flow) -> tuple[Flow, NextHop | None]:
    """Return the flow a response takes, and for streams where to connect when it is gone.

    RFC 3261 §18.2.2; RFC 3581 §4: without `rport` a datagram goes to the port in sent-by, not to where it came from.
    """
    port = via.port or DEFAULT_PORTS[flow.transport]
    if flow.transport != "UDP":
        return flow, NextHop(flow.transport, flow.remote_host, port)
    if via.has_parameter("rport"):
        return flow, None
    return replace(flow, remote_port=port), None


def note_source(request: Request, flow: Flow) -> None:
    """Write into the top Via where a request really came from (RFC 3261 §18.2.1, RFC 3581 §4)."""
    via = request.vias[0]
    wants_port = via.has_parameter("rport")
    if not wants_port and via.host.lower() == flow.remote_host.lower():
        return
    via = via.with_parameter("received", flow.remote_host)
    if wants_port:
        via = via.with_parameter("rport", str(flow.remote_port))
    request.headers.remove_first("Via")
    request.headers.insert_first("Via", str(via))
