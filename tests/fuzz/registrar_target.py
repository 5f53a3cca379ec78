"""What must hold of an account whose registrar and mailbox say anything at all: nothing raises, and nobody is hammered.

An input reads as that of `core_target`. `$B`, `$I`, `$N` and `$T` stand for the branch, Call-ID, CSeq number and From tag of
the latest REGISTER, `$b`, `$i`, `$n` and `$t` for those of the latest SUBSCRIBE.
"""

from __future__ import annotations

from random import Random

from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, RegistrationChanged, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.message import Request, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.registrations.registration import AccountConfig

from . import seeds
from .sip_targets import SIP_WORDS
from .target import Target

_FLOW = Flow("UDP", "10.0.0.2", 5060, "10.0.0.1", 5060)
_BETWEEN = b"\0\0\0"
_LIFE_S = 120.0
_MOST_REQUESTS = 600
"""In four minutes. Retransmissions count, too; a registrar that grants a second is asked again in half of one."""
_ACCOUNT = AccountConfig(
    account="desk",
    aor=SipUri("sip", "desk", "example.com"),
    contact_user="desk",
    username="desk",
    password="never shown",
    display_name="",
    registrar=NextHop("UDP", "10.0.0.1", 5060),
    expires_s=300,
    register=True,
    instance="urn:uuid:1",
)


class _Account:
    """A core with one account on it."""

    def __init__(self) -> None:
        self.core = SipCore(Random(1), user_agent="fuzz")
        self.now = 0.0
        self.requests = 0
        self.watched = False
        self.words = dict.fromkeys((b"$B", b"$I", b"$N", b"$T", b"$b", b"$i", b"$n", b"$t"), b"1")
        self.core.add_account(_ACCOUNT)
        self.obey(self.core.register("desk", LocalAddress("UDP", "10.0.0.2", 5060), self.now))

    def receive(self, data: bytes) -> None:
        """Take a message, its words filled in."""
        for word, meaning in self.words.items():
            data = data.replace(word, meaning)
        self.now += 0.01
        self.obey(self.core.receive(data, _FLOW, self.now))

    def obey(self, effects: list[Effect]) -> None:
        """Learn from what is sent; watch the mailbox once the account is known."""
        for effect in effects:
            if isinstance(effect, SendRequest):
                self.requests += 1
                assert b"never shown" not in effect.data
                self._learn(parse_message(effect.data))
            elif isinstance(effect, RegistrationChanged) and effect.state == "registered" and not self.watched:
                self.watched = True
                self.obey(self.core.watch_mailbox("desk", self.now))

    def _learn(self, message: object) -> None:
        if isinstance(message, Request) and message.method in ("REGISTER", "SUBSCRIBE"):
            values = (message.vias[0].branch, message.call_id, str(message.cseq.number), message.from_.tag)
            for word, value in zip((b"$B", b"$I", b"$N", b"$T"), values, strict=True):
                self.words[word if message.method == "REGISTER" else word.lower()] = (value or "").encode()

    def live(self, until_s: float) -> None:
        """Let time pass."""
        while (deadline := self.core.next_deadline()) is not None and deadline <= until_s:
            self.now = max(self.now, deadline)
            self.obey(self.core.on_timer(self.now))
            assert self.requests < _MOST_REQUESTS


def run_registrar(data: bytes) -> None:
    """Let an account live through an input, two minutes more, and be taken back."""
    account = _Account()
    for message in data.split(_BETWEEN):
        account.receive(message)
        account.live(account.now + 0.4)
    account.live(account.now + _LIFE_S)
    account.obey(account.core.unregister("desk", account.now))
    account.live(account.now + _LIFE_S)
    assert account.core.idle
    assert account.core.timers == 0


def _response(status: int, *more: str) -> bytes:
    return seeds.lines(
        *(f"SIP/2.0 {status} Whatever", "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=$B;rport=6000;received=192.0.2.9"),
        *(
            "From: <sip:desk@example.com>;tag=$T",
            "To: <sip:desk@example.com>;tag=x",
            "Call-ID: $I",
            "CSeq: $N REGISTER",
        ),
        *(*more, "Content-Length: 0", ""),
    )


_GRANTED = _response(
    *(200, 'Contact: <sip:desk@10.0.0.2:5060>;expires=60;+sip.instance="<urn:uuid:1>";reg-id=1'),
    *("Service-Route: <sip:10.0.0.1;lr>", "Path: <sip:10.0.0.9;lr>", "Flow-Timer: 20", "Require: outbound"),
)
_SUBSCRIBED = (
    _response(202, "Expires: 600", "Contact: <sip:vm@10.0.0.1>")
    .replace(b"REGISTER", b"SUBSCRIBE")
    .replace(b"$B", b"$b")
    .replace(b"$I", b"$i")
    .replace(b"$N", b"$n")
    .replace(b"$T", b"$t")
)
_SUMMARY = b"Messages-Waiting: yes\r\nVoice-Message: 2/1\r\n"
_NOTIFY = (
    seeds.lines(
        *("NOTIFY sip:desk@10.0.0.2:5060 SIP/2.0", "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn", "Max-Forwards: 70"),
        *("From: <sip:desk@example.com>;tag=x", "To: <sip:desk@example.com>;tag=$t", "Call-ID: $i", "CSeq: 1 NOTIFY"),
        *("Event: message-summary", "Subscription-State: active;expires=60", "Contact: <sip:vm@10.0.0.1>"),
        *("Content-Type: application/simple-message-summary", f"Content-Length: {len(_SUMMARY)}", ""),
    )
    + _SUMMARY
)

REGISTRAR_TARGETS = {
    "registrar": Target(
        run_registrar,
        (
            _BETWEEN.join((_GRANTED, _SUBSCRIBED, _NOTIFY)),
            _BETWEEN.join((_response(401, 'WWW-Authenticate: Digest realm="x", nonce="y", qop="auth"'), _GRANTED)),
            _BETWEEN.join((_response(423, "Min-Expires: 3600"), _response(503, "Retry-After: 1"), _response(302))),
        ),
        (
            *(
                *SIP_WORDS,
                _BETWEEN,
                b"$B",
                b"$I",
                b"$N",
                b"$T",
                b"$b",
                b"$i",
                b"$n",
                b"$t",
                b"expires=0",
                b"Expires: 1",
            ),
            *(b"Retry-After: 0", b"Min-Expires: ", b"Flow-Timer: 1", b"SUBSCRIBE", b"NOTIFY", b"terminated;reason="),
        ),
    ),
}
