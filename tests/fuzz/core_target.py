"""What must hold for the whole of SIP: nothing a peer sends, in whatever state, raises or is left over when all is hung up.

An input reads `<script><message>\\0\\0\\0<message>…`. The script's bits say what an engine does meanwhile. In the messages
`$T`, `$F`, `$B`, `$I`, `$N` and `$R` stand for the tags, branch, Call-ID, CSeq number and RSeq that the core used last, so
that what the fuzzer makes up can belong to a call.
"""

from __future__ import annotations

import contextlib
from random import Random

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import (
    Effect,
    SendOnFlow,
    SendRequest,
    SessionInvited,
    SessionRedirected,
    SessionReferred,
    SessionReoffered,
)
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.message import MalformedMessage, Request, parse_message
from voip_engine.sip.messages.uri import NameAddress, SipUri
from voip_engine.sip.sessions.session import SessionStateError

from . import seeds
from .sip_targets import SIP_WORDS
from .target import Target

_FLOWS = (
    Flow("UDP", "10.0.0.2", 5060, "10.0.0.1", 5060),
    Flow("TCP", "10.0.0.2", 5060, "10.0.0.1", 40000, 1),
)
_LOCAL = LocalAddress("UDP", "10.0.0.2", 5060)
_HOP = NextHop("UDP", "10.0.0.1", 5060)
_PEER = SipUri("sip", "user", "10.0.0.1")
_BETWEEN = b"\0\0\0"
_MOST_TIMERS = 20_000

_WE_CALL, _STREAM, _RING, _EARLY_MEDIA, _ANSWER, _REJECT, _AGREE, _TRANSFER = (1 << bit for bit in range(8))


class _Engine:
    """A core, and what an engine would do by a script."""

    def __init__(self, script: int) -> None:
        self.core = SipCore(Random(1), user_agent="fuzz", session_timer_s=1800)
        self.script = script
        self.now = 0.0
        self.sessions: list[str] = []
        self.words = {
            b"$T": b"x",
            b"$F": b"1928301774",
            b"$B": b"z9hG4bKx",
            b"$I": b"a84b4c76e66710",
            b"$N": b"1",
            b"$R": b"1",
        }
        if script & _WE_CALL:
            session, effects = self.core.invite(
                target=_PEER,
                next_hop=_HOP,
                local=_LOCAL,
                account=None,
                caller=NameAddress("", SipUri("sip", "a", "10.0.0.2")),
                offer=seeds.SDP,
                now=0.0,
            )
            self.sessions.append(session)
            self.obey(effects)

    def receive(self, data: bytes) -> None:
        """Take a message, its words filled in."""
        for word, meaning in self.words.items():
            data = data.replace(word, meaning)
        self.now += 0.01
        self.obey(self.core.receive(data, _FLOWS[bool(self.script & _STREAM)], self.now))

    def obey(self, effects: list[Effect]) -> None:
        """Carry effects out, and those of what is done about them."""
        for effect in effects:
            if isinstance(effect, SendOnFlow | SendRequest):
                self._learn(effect.data)
                continue
            with contextlib.suppress(SessionStateError):
                self._act(effect)

    def _act(self, effect: Effect) -> None:
        core, now, script = self.core, self.now, self.script
        match effect:
            case SessionInvited():
                self.sessions.append(effect.session)
                if script & _RING:
                    self.obey(core.ring(effect.session, now, seeds.SDP if script & _EARLY_MEDIA else None))
                if script & _ANSWER:
                    self.obey(core.answer(effect.session, seeds.SDP, now))
                    if script & _TRANSFER:
                        self.obey(core.features.refer(effect.session, _PEER, now))
                elif script & _REJECT:
                    self.obey(core.reject(effect.session, 486, now))
            case SessionReoffered():
                if script & _AGREE:
                    self.obey(core.accept_reoffer(effect.session, seeds.SDP, now))
                else:
                    self.obey(core.reject_reoffer(effect.session, 488, now))
            case SessionRedirected() if script & _AGREE:
                self.obey(core.redirect(effect.session, target=_PEER, next_hop=_HOP, local=_LOCAL, now=now))
            case SessionReferred():
                if script & _AGREE:
                    self.obey(core.features.accept_referral(effect.session, effect.referral, now))
                    self.obey(core.features.tell_referral(effect.session, effect.referral, 200, now))
                else:
                    self.obey(core.features.reject_referral(effect.session, effect.referral, 603, now))

    def _learn(self, data: bytes) -> None:
        try:
            message = parse_message(data)
        except MalformedMessage:
            assert data.startswith((b"SIP/2.0 4", b"SIP/2.0 5"))  # which quotes the malformed request that it answers
            return
        ours, theirs = (message.from_, message.to) if isinstance(message, Request) else (message.to, message.from_)
        self.words[b"$T"] = (ours.tag or "x").encode()
        self.words[b"$F"] = (theirs.tag or "1928301774").encode()
        self.words[b"$I"] = message.call_id.encode()
        self.words[b"$R"] = (message.headers.get("RSeq") or "1").encode()
        if isinstance(message, Request) and message.method not in ("ACK", "PRACK", "CANCEL"):
            self.words[b"$B"] = (message.vias[0].branch or "x").encode()
            self.words[b"$N"] = str(message.cseq.number).encode()

    def end(self) -> None:
        """Hang everything up and let time pass until nothing is due."""
        for session in self.sessions:
            with contextlib.suppress(SessionStateError):
                self.obey(self.core.hang_up(session, self.now))
        for _ in range(_MOST_TIMERS):
            deadline = self.core.next_deadline()
            if deadline is None:
                return
            self.now = max(self.now, deadline)
            self.core.on_timer(self.now)


def run_core(data: bytes) -> None:
    """Let a core live through an input."""
    engine = _Engine(data[0] if data else 0)
    for message in data[1:].split(_BETWEEN):
        engine.receive(message)
    engine.end()
    assert engine.core.idle
    assert engine.core.timers == 0


def _request(method: str, number: int, *more: str, body: bytes = b"") -> bytes:
    head = seeds.lines(
        f"{method} sip:user@10.0.0.2;transport=udp SIP/2.0",
        f"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{method}{number};rport",
        *("Max-Forwards: 70", "From: <sip:alice@10.0.0.1>;tag=$F", "To: <sip:user@10.0.0.2>;tag=$T", "Call-ID: $I"),
        *(f"CSeq: {number} {method}", "Contact: <sip:alice@10.0.0.1>", *more, f"Content-Length: {len(body)}", ""),
    )
    return head + body


def _response(status: int, method: str, *more: str, body: bytes = b"") -> bytes:
    head = seeds.lines(
        f"SIP/2.0 {status} Whatever",
        "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=$B",
        *("From: <sip:a@10.0.0.2>;tag=$T", "To: <sip:user@10.0.0.1>;tag=x", "Call-ID: $I", f"CSeq: $N {method}"),
        *("Contact: <sip:user@10.0.0.1>", *more, f"Content-Length: {len(body)}", ""),
    )
    return head + body


def _input(script: int, *messages: bytes) -> bytes:
    return bytes([script]) + _BETWEEN.join(messages)


_SDP_TYPE = "Content-Type: application/sdp"
_INVITE = seeds.INVITE
_ACK = _request("ACK", 314159)
_BYE = _request("BYE", 314170)
_CANCEL = _request("CANCEL", 314159).replace(b"z9hG4bKCANCEL314159", b"z9hG4bK776asdhds").replace(b";tag=$T", b"")
_SEEDS = (
    _input(_ANSWER, _INVITE, _ACK, _request("INVITE", 314160, _SDP_TYPE, body=seeds.SDP_ON_HOLD), _BYE),
    _input(
        _ANSWER | _AGREE, _INVITE, _ACK, _request("UPDATE", 314160, "x: 90;refresher=uac", _SDP_TYPE, body=seeds.SDP)
    ),
    _input(
        _RING | _EARLY_MEDIA, _INVITE, _request("PRACK", 314160, "RAck: $R 314159 INVITE"), _request("CANCEL", 314159)
    ),
    _input(_ANSWER | _AGREE, _INVITE, _ACK, _request("REFER", 314160, "Refer-To: <sip:c@10.0.0.3>"), _BYE),
    _input(
        _ANSWER | _TRANSFER,
        _INVITE,
        _ACK,
        _response(202, "REFER"),
        _request(
            *("NOTIFY", 314160, "Event: refer", "Subscription-State: terminated", "Content-Type: message/sipfrag"),
            body=b"SIP/2.0 200 OK\r\n",
        ),
    ),
    _input(
        _ANSWER,
        _INVITE,
        _ACK,
        _request("INFO", 314160, "Content-Type: application/dtmf-relay", body=b"Signal=5\r\n"),
        _BYE,
    ),
    _input(_REJECT, _INVITE, _ACK),
    _input(
        _WE_CALL,
        _response(183, "INVITE", "Require: 100rel", "RSeq: 9", _SDP_TYPE, body=seeds.SDP),
        _response(200, "INVITE", "Session-Expires: 90;refresher=uas", _SDP_TYPE, body=seeds.SDP),
        _BYE,
    ),
    _input(_WE_CALL | _AGREE, _response(302, "INVITE"), _response(486, "INVITE")),
    _input(
        _WE_CALL | _STREAM,
        _response(401, "INVITE", 'WWW-Authenticate: Digest realm="x", nonce="y"'),
        _response(422, "INVITE"),
    ),
)

CORE_TARGETS = {
    "core": Target(
        run_core,
        _SEEDS,
        (
            *(
                *SIP_WORDS,
                _BETWEEN,
                b"$T",
                b"$F",
                b"$B",
                b"$I",
                b"$N",
                b"UPDATE",
                b"PRACK",
                b"REFER",
                b"NOTIFY",
                b"INFO",
            ),
            *(b"Require: 100rel", b"Session-Expires: 90", b"Replaces: $I;to-tag=$T;from-tag=$F", b"Event: refer"),
        ),
    ),
}
