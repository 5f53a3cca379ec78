"""What an account's voice mailbox holds: subscriptions and NOTIFYs in virtual time (RFC 3842, RFC 6665)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from voip_engine.admission import Admission
from voip_engine.network_settings import AdmissionSettings
from voip_engine.sip.authentication.auth import parse_challenges
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, MessagesWaiting, SendOnFlow, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop
from voip_engine.sip.messages.grammar import MalformedHeader
from voip_engine.sip.messages.message import Headers, Request, Response, make_response, parse_message
from voip_engine.sip.messages.message_summary import MessageSummary
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.registrations.registration import AccountConfig

AOR = "sip:alice@pbx.example"
PBX = Flow("UDP", "10.0.0.1", 5060, "10.0.0.9", 5060)
STRANGER = Flow("UDP", "10.0.0.1", 5060, "10.6.6.6", 5060)
LOCAL = LocalAddress("UDP", "10.0.0.1", 5060)
BODY = b"Messages-Waiting: yes\r\nMessage-Account: sip:alice@pbx.example\r\nVoice-Message: 2/8 (0/2)\r\n"


def granted(request: Request) -> Response:
    response = make_response(request, 200, to_tag="pbx")
    response.headers.add("Contact", "<sip:mailbox@10.0.0.9>")
    response.headers.add("Expires", "1000")
    return response


class Pbx:
    """One core with an account, registered, and a server that answers its SUBSCRIBEs by `answer`."""

    def __init__(self, answer: Callable[[Request], Response | None] = granted) -> None:
        self.answer = answer
        self.now = 0.0
        self.subscribes: list[tuple[float, Request]] = []
        self.statuses: list[int] = []
        self.told: list[MessagesWaiting] = []
        door = Admission(AdmissionSettings(), has_accounts=True, random=Random(3))
        door.servers_found(["10.0.0.9"], 0.0)
        self.door = door
        self.core = SipCore(Random(7), user_agent="test", door=door)
        hop = NextHop("UDP", "10.0.0.9", 0)
        aor = SipUri.parse(AOR)
        config = AccountConfig(AOR, aor, "alice", "alice", "secret", "Alice", hop, 300, register=True)
        self.core.add_account(config)
        self.apply(self.core.register(AOR, LOCAL, 0.0))
        self.watch()

    def watch(self) -> None:
        self.apply(self.core.watch_mailbox(AOR, self.now))

    def apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendRequest():
                    request = parse_message(effect.data)
                    assert isinstance(request, Request)
                    self._answer(request)
                case SendOnFlow():
                    response = parse_message(effect.data)
                    assert isinstance(response, Response)
                    self.statuses.append(response.status)
                case MessagesWaiting():
                    self.told.append(effect)

    def _answer(self, request: Request) -> None:
        answer: Response | None = make_response(request, 200, to_tag="registrar")
        if request.method == "SUBSCRIBE":
            self.subscribes.append((self.now, request))
            answer = self.answer(request)
        if answer is not None:
            self.apply(self.core.receive(answer.serialize(), PBX, self.now))

    def notify(self, body: bytes = BODY, *, flow: Flow = PBX, cseq: int = 1, **headers: str) -> int:
        """Send a NOTIFY within the last subscription; the status that comes back."""
        _, subscribe = self.subscribes[-1]
        request = Request("NOTIFY", SipUri.parse("sip:alice@10.0.0.1"), Headers(), body)
        fields = {
            "Via": f"SIP/2.0/UDP {flow.remote_host};branch=z9hG4bK{len(self.statuses)}n",
            "From": f"<{AOR}>;tag=pbx",
            "To": str(subscribe.from_),
            "Call-ID": subscribe.call_id,
            "CSeq": f"{cseq} NOTIFY",
            "Event": "message-summary",
            "Subscription-State": "active;expires=900",
            "Content-Type": "application/simple-message-summary",
        }
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in fields.items():
            request.headers.set(name, value)
        before = len(self.statuses)
        self.apply(self.core.receive(request.serialize(), flow, self.now))
        [status] = self.statuses[before:] or [0]
        return status

    def pass_time(self, until: float) -> None:
        while (deadline := self.core.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.door.servers_found(["10.0.0.9"], deadline)
            self.apply(self.core.on_timer(deadline))
        self.now = until


def test_a_mailbox_is_subscribed_to_and_tells_what_it_holds() -> None:
    pbx = Pbx()
    [(_, subscribe)] = pbx.subscribes
    assert str(subscribe.uri) == AOR
    assert [subscribe.headers.get(name) for name in ("Event", "Accept", "Expires", "Contact")] == [
        "message-summary",
        "application/simple-message-summary",
        "3600",
        "<sip:alice@10.0.0.1:5060>",
    ]
    assert pbx.notify() == 200
    assert pbx.notify(b"Messages-Waiting: no\r\nVoice-Message: 0/8\r\n", cseq=2) == 200
    assert pbx.told == [MessagesWaiting(AOR, True, 2, 8), MessagesWaiting(AOR, False, 0, 8)]


def test_the_subscription_is_refreshed_within_its_dialog_and_taken_back() -> None:
    pbx = Pbx()
    pbx.watch()  # every refresh of the registration asks for it anew
    pbx.pass_time(1000)
    (_, first), (at, second) = pbx.subscribes
    assert 500 <= at <= 900
    assert (second.call_id, second.to.tag, str(second.uri)) == (first.call_id, "pbx", "sip:mailbox@10.0.0.9")
    pbx.apply(pbx.core.unregister(AOR, pbx.now))
    assert pbx.subscribes[-1][1].headers.get("Expires") == "0"
    pbx.pass_time(10_000)
    assert len(pbx.subscribes) == 3
    assert pbx.core.idle
    assert pbx.core.timers == 0


def test_a_challenge_is_answered() -> None:
    def challenge(request: Request) -> Response:
        if "Authorization" in request.headers:
            return granted(request)
        response = make_response(request, 401, to_tag="pbx")
        response.headers.add("WWW-Authenticate", 'Digest realm="pbx", nonce="n", algorithm=MD5, qop="auth"')
        assert parse_challenges(response.headers)
        return response

    pbx = Pbx(challenge)
    assert [request.cseq.number for _, request in pbx.subscribes] == [1, 2]
    assert pbx.notify() == 200


@pytest.mark.parametrize("status", [403, 404, 405, 489, 501, 603])
def test_a_server_without_mailboxes_is_asked_once(status: int) -> None:
    pbx = Pbx(lambda request: make_response(request, status, to_tag="pbx"))
    pbx.watch()
    pbx.pass_time(250)
    assert len(pbx.subscribes) == 1


def test_a_server_in_trouble_is_asked_again_in_minutes() -> None:
    pbx = Pbx(lambda request: make_response(request, 503, to_tag="pbx"))
    pbx.pass_time(320)
    (_, first), (at, second), *_ = pbx.subscribes
    assert 150 <= at <= 300
    assert first.call_id != second.call_id


def test_a_longer_time_is_asked_for_where_the_server_wants_it() -> None:
    def brief(request: Request) -> Response:
        if request.headers.get("Expires") != "7200":
            response = make_response(request, 423, to_tag="pbx")
            response.headers.add("Min-Expires", "7200")
            return response
        return granted(request)

    assert [request.headers.get("Expires") for _, request in Pbx(brief).subscribes] == ["3600", "7200"]


@pytest.mark.parametrize(("reason", "again"), [("timeout", True), ("rejected", False)])
def test_an_ended_subscription_is_made_again_unless_it_would_end_again(reason: str, again: bool) -> None:
    pbx = Pbx()
    assert pbx.notify(Subscription_State=f"terminated;reason={reason}") == 200
    pbx.pass_time(301)
    assert (len(pbx.subscribes) == 2) == again


def test_a_notify_that_overtakes_the_answer_counts() -> None:
    pbx = Pbx(lambda request: None)
    assert pbx.notify() == 200
    assert pbx.told == [MessagesWaiting(AOR, True, 2, 8)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"Call_ID": "guessed"},
        {"From": f"<{AOR}>;tag=guessed"},
        {"To": f"<{AOR}>;tag=guessed"},
        {"Event": "presence"},
        {"Event": ""},
        {"Content_Type": "text/plain"},
        {"Subscription_State": "no state"},
    ],
)
def test_forged_and_foreign_notifies_change_nothing(wrong: dict[str, str]) -> None:
    pbx = Pbx()
    assert pbx.notify(**wrong) in (400, 415, 481, 489)
    assert pbx.told == []


def test_an_old_notify_changes_nothing() -> None:
    pbx = Pbx()
    assert pbx.notify(cseq=5) == 200
    assert pbx.notify(b"Messages-Waiting: no\r\n", cseq=4) == 500
    assert len(pbx.told) == 1


def test_unasked_notifies_count_from_the_account_s_server_only() -> None:
    pbx = Pbx(lambda request: make_response(request, 489, to_tag="pbx"))
    assert pbx.notify(To=f"<{AOR}>", Call_ID="unasked", flow=PBX) == 200
    assert pbx.told == [MessagesWaiting(AOR, True, 2, 8)]
    assert pbx.notify(To=f"<{AOR}>", Call_ID="unasked-2", flow=STRANGER) == 0
    assert len(pbx.told) == 1


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        (BODY, MessageSummary(True, 2, 8)),
        (b"messages-waiting : NO\n", MessageSummary(False, 0, 0)),
        (b"Messages-Waiting: yes\r\nFax-Message: 1/0\r\n", MessageSummary(True, 0, 0)),
        (b"Messages-Waiting: yes\r\nVoice-Message: many\r\n", MessageSummary(True, 0, 0)),
        (b"Messages-Waiting: yes\r\nVoice-Message: 1 / 2\r\nVoice-Message: 9/9", MessageSummary(True, 1, 2)),
    ],
)
def test_summaries(body: bytes, summary: MessageSummary) -> None:
    assert MessageSummary.parse(body) == summary


@pytest.mark.parametrize("body", [b"", b"hello", b"Messages-Waiting: perhaps", b"Messages-Waiting: yes\r\n" * 500])
def test_what_is_no_summary_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedHeader):
        MessageSummary.parse(body)
