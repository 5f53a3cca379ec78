"""Registrations against a registrar that is written down here: what it answers, and when it is gone (RFC 3261 §10)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

import pytest

from voip_engine.sip.authentication.auth import digest_response, parse_challenges
from voip_engine.sip.core import SipCore
from voip_engine.sip.effects import Effect, RegistrationChanged, SendRequest
from voip_engine.sip.flow import Flow, LocalAddress, NextHop, Transport
from voip_engine.sip.messages.message import Headers, Request, Response, make_response, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.registrations.registration import (
    LONGEST_RETRY_S,
    UNHEARD_RETRIES_S,
    WRONG_PASSWORD_RETRY_S,
    AccountConfig,
)

AOR = "sip:alice@pbx.example"
Answer = Callable[[Request], Response | None]


class Bench:
    """One core, one registrar that answers at once by `answer`, and a clock."""

    def __init__(self, answer: Answer, *, password: str | None = "secret", transport: Transport = "UDP") -> None:
        self.answer = answer
        self.now = 0.0
        self.nobody_listens = False
        self.requests: list[tuple[float, Request]] = []
        self.changes: list[tuple[float, RegistrationChanged]] = []
        self.core = SipCore(Random(7), user_agent="test")
        self.local = LocalAddress(transport, "10.0.0.1", 5060)
        self.flow = Flow(transport, "10.0.0.1", 40000, "10.0.0.9", 5060, int(transport == "TCP"))
        self.core.add_account(
            AccountConfig(
                account=AOR,
                aor=SipUri.parse(AOR),
                contact_user="alice",
                username="alice",
                password=password,
                display_name="Alice",
                registrar=NextHop(transport, "pbx.example", 0),
                expires_s=300,
                register=True,
            )
        )

    def apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, SendRequest):
                request = parse_message(effect.data)
                assert isinstance(request, Request)
                self.requests.append((self.now, request))
                response = self.answer(request)
                if self.nobody_listens:
                    self.apply(self.core.transport_failed(effect.transaction, "nobody listens", self.now))
                elif response is not None:
                    self.apply(self.core.receive(response.serialize(), self.flow, self.now))
            elif isinstance(effect, RegistrationChanged):
                self.changes.append((self.now, effect))

    def register(self) -> Bench:
        self.apply(self.core.register(AOR, self.local, self.now))
        return self

    def unregister(self) -> Bench:
        self.apply(self.core.unregister(AOR, self.now))
        return self

    def pass_time(self, until: float) -> Bench:
        while (deadline := self.core.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.apply(self.core.on_timer(deadline))
        self.now = until
        return self

    @property
    def states(self) -> list[str]:
        return [change.state for _, change in self.changes]

    @property
    def last(self) -> RegistrationChanged:
        return self.changes[-1][1]


def accept(request: Request, expires: str | None = None) -> Response:
    response = make_response(request, 200, to_tag="t")
    for contact in request.headers.get_all("Contact"):
        response.headers.add(
            "Contact", contact if expires is None else f"{contact.partition('>')[0]}>;expires={expires}"
        )
    return response


def refuse(status: int, **headers: str) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        response = make_response(request, status, to_tag="t")
        for name, value in headers.items():
            response.headers.add(name.replace("_", "-"), value)
        return response

    return answer


def nobody(request: Request) -> None:
    return None


class DigestRegistrar:
    """Wants MD5 digest with qop; `nonce` may change at any time."""

    def __init__(self, password: str = "secret", *, stale: bool = True) -> None:
        self.password = password
        self.nonce = "n1"
        self.stale = stale
        self.counts: list[str] = []

    def __call__(self, request: Request) -> Response:
        given = request.headers.get("Authorization")
        fields = {} if given is None else dict(part.strip().split("=", 1) for part in given[7:].split(","))
        fields = {name: value.strip('"') for name, value in fields.items()}
        challenge = f'Digest realm="pbx", nonce="{self.nonce}", qop="auth", algorithm=MD5'
        if fields.get("nonce") == self.nonce:
            [parsed] = parse_challenges(Headers([("WWW-Authenticate", challenge)]))
            expected = digest_response(
                parsed,
                username="alice",
                password=self.password,
                method="REGISTER",
                uri_text="sip:pbx.example",
                body=b"",
                qop="auth",
                nonce_count=int(fields["nc"], 16),
                cnonce=fields["cnonce"],
            )
            if fields["response"] == expected:
                self.counts.append(fields["nc"])
                return accept(request)
        response = make_response(request, 401, to_tag="t")
        stale = ", stale=true" if self.stale and given is not None and fields["nonce"] != self.nonce else ""
        response.headers.add("WWW-Authenticate", challenge + stale)
        return response


def test_a_binding_is_made_with_our_contact() -> None:
    bench = Bench(accept).register()
    [(_, request)] = bench.requests
    assert str(request.uri) == "sip:pbx.example"
    assert request.headers.get("To") == "<sip:alice@pbx.example>"
    assert request.headers.get("Contact") == "<sip:alice@10.0.0.1:5060>;expires=300"
    assert bench.states == ["registering", "registered"]
    assert (bench.last.status, bench.last.expires_at) == (200, 300.0)


def test_over_tcp_the_contact_says_so() -> None:
    bench = Bench(accept, transport="TCP").register()
    assert bench.requests[0][1].headers.get("Contact") == "<sip:alice@10.0.0.1:5060;transport=tcp>;expires=300"


def test_it_is_refreshed_between_half_and_nine_tenths_of_its_time_in_one_call_id() -> None:
    bench = Bench(accept).register().pass_time(3000)
    times = [at for at, _ in bench.requests]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) > 10
    assert all(150 <= gap <= 270 for gap in gaps)
    assert len({round(gap) for gap in gaps}) > 3
    assert len({request.call_id for _, request in bench.requests}) == 1
    assert [request.cseq.number for _, request in bench.requests] == list(range(1, len(times) + 1))
    assert set(bench.states[1:]) == {"registered"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: accept(request, "60"),
        lambda request: with_expires_header(request, "60"),
    ],
)
def test_the_granted_time_counts_whether_in_contact_or_header(answer: Answer) -> None:
    bench = Bench(answer).register()
    assert bench.last.expires_at == 60.0
    bench.pass_time(54.0)
    assert len(bench.requests) == 2


def with_expires_header(request: Request, expires: str) -> Response:
    response = make_response(request, 200, to_tag="t")
    response.headers.add("Contact", "<sip:alice@10.9.9.9:5060>;expires=3600")
    response.headers.add("Expires", expires)
    return response


def test_423_is_obeyed() -> None:
    def answer(request: Request) -> Response:
        shorter = request.headers.get("Expires") == "300"
        return refuse(423, Min_Expires="900")(request) if shorter else accept(request)

    bench = Bench(answer).register()
    assert bench.last.state == "registered"
    assert bench.last.expires_at == 900.0


def test_423_without_a_longer_time_is_a_refusal() -> None:
    bench = Bench(refuse(423, Min_Expires="300")).register().pass_time(100)
    assert len(bench.requests) == 1
    assert bench.last.state == "failed"


def test_digest_counts_the_uses_of_a_nonce_and_follows_a_stale_one() -> None:
    registrar = DigestRegistrar()
    bench = Bench(registrar).register().pass_time(700)
    assert registrar.counts[:3] == ["00000001", "00000002", "00000003"]
    registrar.counts.clear()
    registrar.nonce = "n2"
    bench.pass_time(1300)
    assert registrar.counts[:2] == ["00000001", "00000002"]
    assert set(bench.states[1:]) == {"registered"}


def test_a_wrong_password_fails_without_hammering() -> None:
    bench = Bench(DigestRegistrar("other")).register().pass_time(10_000)
    assert len(bench.requests) == 2
    assert bench.states == ["registering", "failed"]
    assert bench.last.detail == "The registrar pbx.example did not accept the name or the password (401)."
    assert WRONG_PASSWORD_RETRY_S / 2 <= (bench.last.retry_at or 0) <= WRONG_PASSWORD_RETRY_S
    bench.answer = DigestRegistrar()
    assert bench.pass_time(WRONG_PASSWORD_RETRY_S).last.state == "registered", "the registrar had lost it for a while"
    assert "secret" not in repr(bench.last)


def test_no_password_is_said() -> None:
    bench = Bench(DigestRegistrar(), password=None).register().pass_time(1000)
    assert len(bench.requests) == 1
    assert bench.last.detail == "The registrar pbx.example wants a password and none is set (401)."


@pytest.mark.parametrize("status", [400, 403, 404, 405, 423, 501, 603])
def test_a_refusal_is_not_for_ever(status: int) -> None:
    bench = Bench(refuse(status)).register()
    bench.pass_time(LONGEST_RETRY_S / 2 - 1)
    assert len(bench.requests) == 1
    bench.pass_time(20 * LONGEST_RETRY_S)
    assert 20 <= len(bench.requests) <= 41
    bench.answer = accept
    assert bench.pass_time(21 * LONGEST_RETRY_S).last.state == "registered"


def test_a_refused_account_may_be_registered_again_by_command() -> None:
    bench = Bench(refuse(403)).register().pass_time(100)
    assert bench.last.detail == "The registrar pbx.example refuses this account (403)."
    bench.answer = accept
    assert bench.register().last.state == "registered"


def test_a_registrar_never_reached_is_tried_again_soon_then_ever_more_rarely() -> None:
    bench = Bench(nobody).register().pass_time(20_000)
    failures = [(at, change.retry_at or 0) for at, change in bench.changes if change.state == "failed"]
    assert bench.changes[1][1].detail == "The registrar pbx.example does not answer."
    assert failures[0][0] == 32.0
    waits_s = (*UNHEARD_RETRIES_S, 60, 120, 240, 480, 960)
    for number, (at, retry_at) in enumerate(failures):
        longest_s = waits_s[number] if number < len(waits_s) else LONGEST_RETRY_S
        assert longest_s / 2 <= retry_at - at <= longest_s
    assert len(failures) > len(waits_s)


def test_a_registrar_gone_and_back_is_told_each_time() -> None:
    bench = Bench(accept).register()
    bench.answer = nobody
    bench.pass_time(400)
    assert bench.states == ["registering", "registered", "failed", *bench.states[3:]]
    failed_at, failed = next(item for item in bench.changes if item[1].state == "failed")
    assert 1 <= (failed.retry_at or 0) - failed_at <= 2
    bench.answer = accept
    bench.pass_time(800)
    assert bench.states[-1] == "registered"


@pytest.mark.parametrize("registered_before", [True, False], ids=["registered before", "never registered"])
@pytest.mark.parametrize(("outage_s", "within_s"), [(2.0, 4.0), (5.0, 8.0), (20.0, 30.0), (60.0, 30.0), (150.0, 30.0)])
def test_a_registrar_that_restarts_has_the_account_back_soon(
    registered_before: bool, outage_s: float, within_s: float
) -> None:
    bench = Bench(accept if registered_before else nobody, transport="TCP")
    bench.nobody_listens = not registered_before
    bench.register()
    bench.answer, bench.nobody_listens = nobody, True
    bench.apply(bench.core.flow_lost(bench.flow, 0.0))
    bench.pass_time(outage_s)
    assert bench.last.state == "failed"
    bench.answer, bench.nobody_listens = accept, False
    bench.pass_time(outage_s + within_s)
    assert bench.last.state == "registered"


def test_a_registrar_that_refuses_while_it_starts_is_not_left_for_what_went_unanswered_before() -> None:
    bench = Bench(nobody, transport="TCP")
    bench.nobody_listens = True
    bench.register().pass_time(40)
    bench.answer, bench.nobody_listens = refuse(503), False
    while bench.last.status != 503:
        bench.pass_time(bench.now + 1)
    assert (bench.last.retry_at or 0) - bench.now <= 30


def test_an_answer_lost_in_mid_digest_does_not_count_as_a_wrong_password() -> None:
    registrar = DigestRegistrar(stale=False)
    bench = Bench(lambda request: registrar(request) if "Authorization" not in request.headers else None).register()
    bench.pass_time(33)
    registrar.nonce = "n2"
    bench.answer = registrar
    bench.pass_time(100)
    assert bench.last.state == "registered"


@pytest.mark.parametrize("status", [500, 503, 504, 408, 480])
def test_a_passing_fault_is_tried_again(status: int) -> None:
    bench = Bench(refuse(status)).register()
    assert (bench.last.state, bench.last.status) == ("failed", status)
    assert 15 <= (bench.last.retry_at or 0) <= 30
    bench.answer = accept
    assert bench.pass_time(31).last.state == "registered"


def test_retry_after_is_honoured() -> None:
    bench = Bench(refuse(503, Retry_After="120 (maintenance)")).register()
    assert bench.last.retry_at == 120.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("There is no host pbx.example.", "There is no host pbx.example."),
        ("nobody listens at 192.0.2.9:5060 over TCP", "Nobody listens at 192.0.2.9:5060 over TCP."),
    ],
)
def test_why_nothing_could_be_sent_is_told_as_a_sentence_in_the_transport_s_words(words: str, told: str) -> None:
    bench = Bench(nobody)
    effects = bench.core.register(AOR, bench.local, 0.0)
    bench.apply(effects)
    [transaction] = [effect.transaction for effect in effects if isinstance(effect, SendRequest)]
    bench.apply(bench.core.transport_failed(transaction, words, 0.0))
    assert (bench.last.state, bench.last.detail) == ("failed", told)
    assert 1 <= (bench.last.retry_at or 0) <= 2


def test_a_lost_connection_is_followed_by_a_quick_refresh() -> None:
    bench = Bench(accept, transport="TCP").register()
    bench.apply(bench.core.flow_lost(bench.flow, 10.0))
    bench.pass_time(12.0)
    assert len(bench.requests) == 2
    assert 10.5 <= bench.requests[1][0] <= 12.0


def test_unregistering_takes_the_binding_back_and_stops_refreshing() -> None:
    bench = Bench(accept).register().unregister()
    assert bench.requests[-1][1].headers.get("Contact") == "<sip:alice@10.0.0.1:5060>;expires=0"
    assert bench.states[-1] == "unregistered"
    bench.pass_time(10_000)
    assert len(bench.requests) == 2
    assert bench.core.idle
    assert bench.core.timers == 0


def test_unregistering_with_the_registrar_gone_ends_after_timer_f() -> None:
    bench = Bench(accept).register()
    bench.answer = nobody
    bench.unregister().pass_time(40)
    assert (bench.last.state, bench.last.detail) == ("unregistered", "The registrar pbx.example does not answer.")


def test_unregistering_while_a_register_is_under_way_waits_for_its_answer() -> None:
    bench = Bench(nobody).register().unregister()
    assert len(bench.requests) == 1
    bench.answer = accept
    bench.pass_time(1.0)
    assert [request.headers.get("Expires") for _, request in bench.requests] == ["300", "300", "0"]
    assert bench.last.state == "unregistered"


def test_unregistering_what_never_was_is_told_at_once() -> None:
    bench = Bench(accept).unregister()
    assert bench.states == ["unregistered"]
    assert bench.requests == []


def test_registering_twice_sends_one_register_at_a_time() -> None:
    bench = Bench(nobody).register().register()
    assert len(bench.requests) == 1


def test_the_same_account_cannot_be_added_twice() -> None:
    bench = Bench(accept)
    with pytest.raises(ValueError, match="already"):
        bench.core.add_account(
            AccountConfig(
                account=AOR,
                aor=SipUri.parse(AOR),
                contact_user="alice",
                username="alice",
                password="secret",
                display_name="",
                registrar=NextHop("UDP", "pbx.example", 0),
                expires_s=300,
                register=True,
            )
        )
