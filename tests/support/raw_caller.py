"""A caller at an engine whose every request a test writes."""

from __future__ import annotations

import asyncio

from support.sip_requests import request
from support.sip_responder import Responder
from support.uris import uri_of

from voip_engine import Engine
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.sip.messages.uri import SipUri

_LINES = ("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/AVP 0")
OFFER = "\r\n".join((*_LINES, "")).encode()


class RawCaller:
    """One call to an engine over a responder's socket; `headers` of requests stand instead of the usual ones of their names."""

    def __init__(self, phone: Responder, engine: Engine) -> None:
        self._phone = phone
        self._uri = uri_of(engine)
        target = SipUri.parse(self._uri)
        self._engine_address = (target.host, target.port or 5060)
        self._to = f"<{self._uri}>"
        self._cseq = 0

    async def call(self, **headers: str) -> Response:
        """Call, and acknowledge the answer; returns it."""
        answer = await self.ask("INVITE", body=OFFER, Content_Type="application/sdp", **headers)
        self._to = answer.headers.get("To") or ""
        self._send("ACK", b"", headers)
        return answer

    async def ask(self, method: str, *, body: bytes = b"", **headers: str) -> Response:
        """Send a request; returns the final response."""
        self._cseq += 1
        self._send(method, body, headers)
        async with asyncio.timeout(10):
            while not (found := [each for each in self._phone.responses if self._is_final(each, method)]):
                self._phone.heard.clear()
                await self._phone.heard.wait()
        return found[0]

    def _is_final(self, response: Response, method: str) -> bool:
        return response.status >= 200 and (response.cseq.number, response.cseq.method) == (self._cseq, method)

    def _send(self, method: str, body: bytes, headers: dict[str, str]) -> None:
        via = f"SIP/2.0/UDP {self._phone.address};branch=z9hG4bK{method}{self._cseq};rport"
        data = request(method, uri=self._uri, via=via, to=self._to, call_id="raw", cseq=str(self._cseq), body=body)
        message = parse_message(data)
        assert isinstance(message, Request)
        for name, value in {"Contact": f"<sip:raw@{self._phone.address}>", **headers}.items():
            message.headers.set(name.replace("_", "-"), value)
        self._phone.send(message, self._engine_address)
