"""Whether anybody answers where an account's requests go: an OPTIONS without credentials (RFC 3261 §11)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from voip_engine.hosts import bracketed
from voip_engine.sip.effects import SendRequest
from voip_engine.sip.flow import Flow, NextHop, Path
from voip_engine.sip.messages.message import Headers, MalformedMessage, Request, Response, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.network.tls import TlsContexts
from voip_engine.sip.network.transport import SipTransport, TransportError

ANSWER_S: Final = 2.0
_REPEAT_S: Final = 0.5
_SERVERS: Final = 3


async def probe(hop: NextHop, tls: TlsContexts) -> NextHop:
    """Ask the first servers of a next hop one after the other, each for 2 s; returns the one that answered.

    Raises TransportError in plain words, of the first server, when none does.
    """
    responses: asyncio.Queue[bytes] = asyncio.Queue()
    failures: asyncio.Queue[str] = asyncio.Queue()

    def on_data(data: bytes, flow: Flow) -> None:
        responses.put_nowait(data)

    transport = SipTransport(
        on_data,
        lambda transaction, reason: failures.put_nowait(reason),
        on_framing_error=lambda error, flow: None,
        on_flow_lost=lambda flow: None,
        tls=tls,
    )
    first: TransportError | None = None
    try:
        for path in (await transport.paths_to(hop))[:_SERVERS]:
            request = _options(path, hop.host)
            try:
                async with asyncio.timeout(ANSWER_S):
                    await _answered(transport, path, request, responses, failures)
            except TimeoutError:
                first = first or TransportError(
                    f"{bracketed(path.hop.host)} does not answer over {path.hop.transport} within {ANSWER_S:.0f} s"
                )
            except TransportError as error:
                first = first or error
            else:
                return path.hop
    finally:
        await transport.close()
    raise first or TransportError(f"no server of {hop.host} is reached")


async def _answered(
    transport: SipTransport, path: Path, request: Request, responses: asyncio.Queue[bytes], failures: asyncio.Queue[str]
) -> None:
    """Wait for the answer. Raises TransportError."""
    effect = SendRequest(request.serialize(), path.hop, request.call_id)
    transport.send(effect)
    answer, failure = asyncio.create_task(_response_to(request, responses)), asyncio.create_task(failures.get())
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
            transport.send(effect)
    finally:
        for task in (answer, failure):
            task.cancel()
        await asyncio.gather(answer, failure, return_exceptions=True)


async def _response_to(request: Request, responses: asyncio.Queue[bytes]) -> None:
    while True:
        try:
            message = parse_message(await responses.get())
        except MalformedMessage:
            continue
        if isinstance(message, Response) and message.call_id == request.call_id:
            return


def _options(path: Path, domain: str) -> Request:
    local = path.local
    here = f"{bracketed(local.host)}:{local.port}"
    token = secrets.token_hex(8)
    headers = Headers(
        [
            ("Via", f"SIP/2.0/{local.transport} {here};branch=z9hG4bK{token};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:doctor@{here}>;tag={token}"),
            ("To", f"<sip:{bracketed(domain)}>"),
            ("Call-ID", secrets.token_hex(8)),
            ("CSeq", "1 OPTIONS"),
            ("Contact", f"<sip:{here};transport={local.transport.lower()}>"),
            ("Accept", "application/sdp"),
        ]
    )
    return Request("OPTIONS", SipUri("sip", None, domain), headers)
