"""What a refused call is told, and what it makes of it."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_calls import connected, ends, two_peers
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.effects import SessionEnded, SessionReofferFailed
from voip_engine.sip.messages.message import Headers
from voip_engine.sip.messages.warning import warning, warning_text

CODECS = 'The offer names none of our codecs ("opus").'
WARNING = r'399 10.0.0.2 "The offer names none of our codecs (\"opus\")."'
TOLD = 'Nothing acceptable, the other side says: The offer names none of our codecs ("opus") (488).'


def test_why_an_offer_is_refused_reaches_the_caller() -> None:
    wire, alice, bob = two_peers()
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.reject(session, 488, wire.now, warning_text=CODECS))
    wire.run(until=0.2)
    [(_, refusal)] = wire.responses(bob.host, 488)
    assert refusal.headers.get("Warning") == WARNING
    assert ends(alice)[0][2] == TOLD


def test_why_a_new_offer_in_a_call_is_refused_reaches_who_made_it() -> None:
    wire, alice, bob, session = connected()
    alice.apply(alice.core.reoffer(session, OFFER, wire.now))
    wire.run(until=1.0)
    bob.apply(bob.core.reject_reoffer(session, 488, wire.now, warning_text=CODECS))
    wire.run(until=2.0)
    [(_, refusal)] = wire.responses(bob.host, 488)
    assert refusal.headers.get("Warning") == WARNING
    assert [failed.reason for failed in alice.of(SessionReofferFailed)] == [TOLD]


def test_why_an_offer_in_an_update_is_refused_is_told_both_ways() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 183, "Require: 100rel", "RSeq: 1", "Allow: PRACK, UPDATE", body=ANSWER)
    [prack] = bench.take_requests("PRACK")
    bench.respond(prack, 200)
    bench.in_dialog(invite, "UPDATE", body=OFFER)
    bench.apply(bench.core.reject_reoffer(bench.session, 488, bench.now, warning_text=CODECS))
    assert [refusal.headers.get("Warning") for refusal in bench.take_responses()] == [WARNING]
    bench.apply(bench.core.reoffer(bench.session, OFFER, bench.now))
    [update] = bench.take_requests("UPDATE")
    bench.respond(update, 488, f"Warning: {WARNING}")
    assert [failed.reason for failed in bench.take_told(SessionReofferFailed)] == [TOLD]


@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ("RTP/AVP 0\r\n", "no common codec, or only encrypted audio is taken there"),
        ("RTP/AVP 0\r\na=crypto:1 x\r\n", "no common codec, or no encryption that both sides have"),
        ("RTP/SAVP 0\r\na=crypto:1 x\r\n", "no common codec, or no encryption that both sides have"),
    ],
)
def test_without_an_explanation_what_we_offered_lets_guess(offer: str, reason: str) -> None:
    bench = Bench()
    invite = bench.place(offer=f"v=0\r\nm=audio 4000 {offer}".encode())
    bench.respond(invite, 488, tag="t")
    [ended] = bench.take_told(SessionEnded)
    assert ended.reason == f"Nothing acceptable: {reason} (488)."


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([warning("2001:db8::1", "It is\r\nlate.")], "It is late."),
        (['305 pbx.example:5060 "no codec, none"', '399 x "more"'], "no codec, none"),
        (['392 10.0.0.1:5060 "Noisy feedback tells: pid=1", 307 x "what"'], "what"),
        (["399 x unquoted"], "unquoted"),
        (['399 x "open', "nonsense", "399"], ""),
        ([f'399 x "{"a" * 300}"'], "a" * 200),
        (['399 x "a\x1b[2J"'], "a[2J"),
    ],
)
def test_what_a_warning_says_is_read_with_care(values: list[str], text: str) -> None:
    assert warning_text(Headers([("Warning", value) for value in values])) == text
