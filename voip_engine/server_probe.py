"""Whether anybody answers where an account's requests go: harmless requests without credentials.

OPTIONS (RFC 3261 §11) is what one asks with, but some servers never answer it. Those where an account registers have to answer
a REGISTER; one without a Contact asks for the bindings there are and changes none (RFC 3261 §10.2.3). Whatever is said to
either of them, 401 or 403 as well as 200, shows that somebody is there.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

from voip_engine.hosts import bracketed
from voip_engine.sip.effects import SendRequest
from voip_engine.sip.flow import Flow, NextHop, Path
from voip_engine.sip.messages.message import Headers, MalformedMessage, Request, Response, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.tls import TlsContexts
from voip_engine.sip.network.transport import SipTransport, TransportError

PROBE_S: Final = 2.0
_REPEAT_S: Final = 0.5
_SERVERS: Final = 3


@dataclass(frozen=True, slots=True)
class Probed:
    """A server that was asked, and whether it answered. One that did not was reached, as far as one can tell."""

    hop: NextHop
    answered: bool


async def probe(hop: NextHop, tls: TlsContexts, registers: SipUri | None = None) -> Probed:
    """Ask the first servers of a next hop one after the other, each for 2 s; `registers` is an address registered there.

    Returns the first that answered, else the first that was reached and kept silent. Raises TransportError in plain words, of
    the first server, when none is reached.
    """
    responses: asyncio.Queue[bytes] = asyncio.Queue()
    failures: asyncio.Queue[str] = asyncio.Queue()

    def on_data(data: bytes, flow: Flow) -> None:
        responses.put_nowait(data)

    transport = SipTransport(
        on_data,
        lambda transaction, reason: failures.put_nowait(reason),
        on_framing_error=lambda error, flow: None,
        on_flow_lost=lambda flow, reason: None,
        tls=tls,
    )
    silent: Probed | None = None
    failure: TransportError | None = None
    try:
        for path in (await transport.paths_to(hop))[:_SERVERS]:
            requests = [_options(path, hop.host)]
            if registers is not None:
                requests.append(_query(path, registers))
            try:
                async with asyncio.timeout(PROBE_S):
                    await _answered(transport, path, requests, responses, failures)
            except TimeoutError:
                silent = silent or Probed(path.hop, answered=False)
            except TransportError as error:
                failure = failure or error
            else:
                return Probed(path.hop, answered=True)
    finally:
        await transport.close()
    if silent is None:
        raise failure or TransportError(f"no server of {hop.host} is reached")
    return silent


async def _answered(
    transport: SipTransport,
    path: Path,
    requests: list[Request],
    responses: asyncio.Queue[bytes],
    failures: asyncio.Queue[str],
) -> None:
    """Wait for the answer to one of the requests. Raises TransportError."""
    effects = [SendRequest(request.serialize(), path.hop, request.call_id) for request in requests]
    calls = {request.call_id for request in requests}
    for effect in effects:
        transport.send(effect)
    answer, failure = asyncio.create_task(_response_to(calls, responses)), asyncio.create_task(failures.get())
    try:
        while True:
            done, _ = await asyncio.wait(
                {answer, failure},
                timeout=_REPEAT_S if path.hop.transport == "UDP" else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if answer in done:
                return
            if failure in done:
                raise TransportError(failure.result())
            for effect in effects:
                transport.send(effect)
    finally:
        for task in (answer, failure):
            task.cancel()
        await asyncio.gather(answer, failure, return_exceptions=True)


async def _response_to(calls: set[str], responses: asyncio.Queue[bytes]) -> None:
    while True:
        try:
            message = parse_message(await responses.get())
        except MalformedMessage:
            continue
        if isinstance(message, Response) and message.call_id in calls:
            return


def _options(path: Path, domain: str) -> Request:
    here = _here(path)
    headers = _headers(path, "OPTIONS", f"sip:doctor@{here}", f"sip:{bracketed(domain)}")
    headers.add("Contact", f"<sip:{here};transport={path.local.transport.lower()}>")
    headers.add("Accept", "application/sdp")
    return Request("OPTIONS", SipUri("sip", None, domain), headers)


def _query(path: Path, address: SipUri) -> Request:
    """Ask for an address's bindings: no Contact, so that none is made, and no credentials, so that none is told."""
    headers = _headers(path, "REGISTER", str(address), str(address))
    return Request("REGISTER", SipUri(address.scheme, None, address.host, address.port), headers)


def _headers(path: Path, method: str, sender: str, receiver: str) -> Headers:
    token = secrets.token_hex(8)
    return Headers(
        [
            ("Via", f"SIP/2.0/{path.local.transport} {_here(path)};branch=z9hG4bK{token};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{sender}>;tag={token}"),
            ("To", f"<{receiver}>"),
            ("Call-ID", secrets.token_hex(8)),
            ("CSeq", f"1 {method}"),
        ]
    )


def _here(path: Path) -> str:
    return f"{bracketed(path.local.host)}:{path.local.port}"
