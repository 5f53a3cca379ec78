"""A SIP core under test, with the other side's messages written by hand and a clock that moves only when told to."""

from __future__ import annotations

from random import Random
from typing import TypeVar

from support.sip_wire import ANSWER, OFFER, Message

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.messages.message import Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri

US, THEM = "10.0.0.2", "10.0.0.9"
T = TypeVar("T")


class Bench:
    """We are `sip:alice@10.0.0.2`, they are `sip:carol@10.0.0.9`. `sent` and `told` are emptied by `take_…`."""

    def __init__(self, *, transport: Transport = "UDP", **core: object) -> None:
        self.core = SipCore(Random(3), user_agent="test", **core)  # type: ignore[arg-type]
        self.now = 0.0
        self.sent: list[tuple[float, Message, SendOnFlow | SendRequest]] = []
        self.told: list[Effect] = []
        self.transport = transport
        self.session = ""
        self._branches = 0

    # ---- what the core does ----

    def apply(self, effects: list[Effect]) -> None:
        """Keep what the core wants."""
        for effect in effects:
            if isinstance(effect, SendOnFlow | SendRequest):
                self.sent.append((self.now, parse_message(effect.data), effect))
            else:
                self.told.append(effect)

    def wait(self, seconds: float) -> None:
        """Let time pass, timers running when they are due."""
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.apply(self.core.on_timer(self.now))
        self.now = end

    def take_requests(self, method: str | None = None) -> list[Request]:
        """Requests sent since the last time, of one method or all, repeated ones once; everything sent is forgotten."""
        sent = [m for _, m, _ in self.sent if isinstance(m, Request) and method in (None, m.method)]
        self.sent.clear()
        return list({message.serialize(): message for message in sent}.values())

    def take_responses(self) -> list[Response]:
        """Responses sent since the last time; everything sent is forgotten."""
        taken = [m for _, m, _ in self.sent if isinstance(m, Response)]
        self.sent.clear()
        return taken

    def take_told(self, kind: type[T]) -> list[T]:
        """What was told of one kind since the last time; everything told is forgotten."""
        taken = [effect for effect in self.told if isinstance(effect, kind)]
        self.told.clear()
        return taken

    def hops(self, method: str) -> list[NextHop]:
        """Where the requests of a method that are still in `sent` went."""
        return [e.next_hop for _, m, e in self.sent if isinstance(e, SendRequest) and m.cseq.method == method]

    def finish(self) -> None:
        """Let everything run out; nothing may be left."""
        while (deadline := self.core.next_deadline()) is not None:
            self.wait(deadline - self.now)
        assert self.core.idle
        assert self.core.timers == 0

    # ---- calls of ours ----

    def place(
        self,
        *,
        account: str | None = None,
        offer: bytes = OFFER,
        alternative: bytes | None = None,
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """Call them, with `extra` headers; returns the INVITE."""
        self.session, effects = self.core.invite(
            target=SipUri.parse(f"sip:carol@{THEM}"),
            next_hop=NextHop(self.transport, THEM, 5060),
            local=LocalAddress(self.transport, US, 5060),
            account=account,
            caller=NameAddress("", SipUri.parse(f"sip:alice@{US}")),
            offer=offer,
            alternative=alternative,
            extra=extra,
            now=self.now,
        )
        self.apply(effects)
        [invite] = self.take_requests("INVITE")
        return invite

    def respond(
        self,
        to: Request,
        status: int,
        *headers: str,
        tag: str = "t",
        body: bytes = b"",
        contact: str = f"<sip:carol@{THEM}>",
        source: str = THEM,
    ) -> None:
        """Let them answer a request of ours."""
        response = make_response(to, status, to_tag=tag)
        if contact and status > 100:
            response.headers.add("Contact", contact)
        for line in headers:
            name, _, value = line.partition(": ")
            response.headers.add(name, value)
        if body:
            response.headers.add("Content-Type", "application/sdp")
            response.body = body
        self.receive(response.serialize(), source=source)

    def connect(self, *headers: str, body: bytes = ANSWER, allow: str = "INVITE, ACK, BYE, CANCEL, UPDATE") -> Request:
        """Place a call that is answered; returns the INVITE. Forgets what was sent and told."""
        invite = self.place()
        self.respond(invite, 200, f"Allow: {allow}", *headers, body=body)
        self.sent.clear()
        self.told.clear()
        return invite

    # ---- requests of theirs ----

    def request(
        self,
        method: str,
        *headers: str,
        to_tag: str = "",
        from_tag: str = "c",
        call_id: str = "theirs",
        cseq: int = 1,
        ack_of: Request | None = None,
        body: bytes = b"",
        contact: str = f"<sip:carol@{THEM}>",
        via: str = THEM,
        source: str = THEM,
        port: int = 5060,
        branch: str = "",
    ) -> Request:
        """Let them send a request; returns it."""
        self._branches += 1
        lines = [
            f"{method} sip:alice@{US} SIP/2.0",
            f"Via: SIP/2.0/{self.transport} {via};branch={branch or f'z9hG4bK{self._branches}'};rport",
            "Max-Forwards: 70",
            f"From: <sip:carol@{THEM}>;tag={from_tag}",
            f"To: <sip:alice@{US}>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            *([f"Contact: {contact}"] if contact else []),
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode() + body
        self.receive(data, source=source, port=port)
        parsed = parse_message(data)
        assert isinstance(parsed, Request)
        return parsed

    def in_dialog(self, invite: Request, method: str, *headers: str, cseq: int = 1, **more: object) -> Request:
        """Let them send a request in the dialog of a call of ours that they answered under tag `t`."""
        given = {"from_tag": "t", "to_tag": invite.from_.tag or "", "call_id": invite.call_id, **more}
        return self.request(method, *headers, cseq=cseq, **given)  # type: ignore[arg-type]

    def receive(self, data: bytes, *, source: str = THEM, port: int = 5060) -> None:
        """Give the core bytes of theirs."""
        flow = Flow(self.transport, US, 5060, source, port, int(self.transport != "UDP"))
        self.apply(self.core.receive(data, flow, self.now))
