"""What is left of a call that is over: enough for what comes late, and nothing that waits for the garbage collector."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from support.sip_bench import Bench
from support.sip_wire import ANSWER, OFFER

from voip_engine.sip.sessions.dialog import Dialog
from voip_engine.sip.sessions.ending import Ending
from voip_engine.sip.sessions.placing import Placing
from voip_engine.sip.sessions.reoffers import Reoffers
from voip_engine.sip.sessions.ringing import Ringing
from voip_engine.sip.sessions.session import Session
from voip_engine.sip.sessions.session_state import SessionState
from voip_engine.sip.transactions.transaction import T1_S
from voip_engine.sip.transactions.transaction_layer import ClientTransaction, ServerTransaction

PARTS = (Session, SessionState, Ending, Placing, Ringing, Reoffers, Dialog)
TRANSACTIONS = (ClientTransaction, ServerTransaction)
SOON_S = 6.0
"""After that our BYE, too, is over for good."""


@pytest.fixture
def others() -> Iterator[Counter[str]]:
    """What is alive before the test, kept by a failed one's traceback; the collector rests meanwhile."""
    gc.collect()
    gc.disable()
    yield alive(*PARTS, *TRANSACTIONS)
    gc.enable()


def we_hang_up(bench: Bench) -> None:
    invite = bench.connect()
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [bye] = bench.take_requests("BYE")
    bench.respond(bye, 200, tag="t")
    assert invite.call_id == bye.call_id


def they_hang_up(bench: Bench) -> None:
    bench.in_dialog(bench.connect(), "BYE")


def they_refuse(bench: Bench) -> None:
    bench.respond(bench.place(), 486)


def we_think_better_of_it(bench: Bench) -> None:
    invite = bench.place()
    bench.respond(invite, 180)
    bench.apply(bench.core.hang_up(bench.session, bench.now))
    [cancel] = bench.take_requests("CANCEL")
    bench.respond(cancel, 200, contact="")
    bench.respond(invite, 487)


def they_call_and_hang_up(bench: Bench) -> None:
    bench.request("INVITE", "Supported: 100rel", "Session-Expires: 1800", body=OFFER)
    bench.apply(bench.core.ring("theirs", bench.now, ANSWER))
    [ringing] = [response for response in bench.take_responses() if response.status == 183]
    tag = ringing.to.tag or ""
    bench.request("PRACK", f"RAck: {ringing.headers.get('RSeq')} 1 INVITE", to_tag=tag, cseq=2)
    bench.apply(bench.core.answer("theirs", ANSWER, bench.now))
    bench.request("ACK", to_tag=tag)
    bench.request("BYE", to_tag=tag, cseq=3)


def they_call_and_we_refuse(bench: Bench) -> None:
    invite = bench.request("INVITE", body=OFFER, branch="z9hG4bKrefused")
    bench.apply(bench.core.reject("theirs", 486, bench.now))
    tag = bench.take_responses()[-1].to.tag or ""
    bench.request("ACK", to_tag=tag, branch=invite.vias[0].branch or "")


@pytest.mark.parametrize(
    "call",
    [we_hang_up, they_hang_up, they_refuse, we_think_better_of_it, they_call_and_hang_up, they_call_and_we_refuse],
)
def test_a_call_that_is_over_is_given_back_at_once(others: Counter[str], call: Callable[[Bench], None]) -> None:
    bench = Bench()
    call(bench)
    bench.sent.clear()
    bench.told.clear()
    bench.wait(SOON_S)
    assert not alive(*PARTS) - others
    bench.finish()
    bench.sent.clear()
    assert not alive(*TRANSACTIONS) - others


def test_an_answer_that_comes_again_after_the_call_is_acknowledged_again() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 200, body=ANSWER)
    [ack] = bench.take_requests("ACK")
    bench.in_dialog(invite, "BYE")
    bench.wait(10)
    bench.sent.clear()
    bench.respond(invite, 200, body=ANSWER)
    assert [again.serialize() for again in bench.take_requests()] == [ack.serialize()]
    bench.finish()


def test_a_branch_that_answers_after_the_call_is_acknowledged_and_hung_up() -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "BYE")
    bench.wait(10)
    bench.sent.clear()
    bench.respond(invite, 200, tag="late", body=ANSWER, contact="<sip:dave@10.0.0.8>")
    requests = bench.take_requests()
    assert [(m.method, str(m.uri), m.to.tag) for m in requests] == [
        ("ACK", "sip:dave@10.0.0.8", "late"),
        ("BYE", "sip:dave@10.0.0.8", "late"),
    ]
    assert requests[1].cseq.number > invite.cseq.number
    assert requests[1].from_.tag == invite.from_.tag
    bench.respond(requests[1], 200, tag="late")
    bench.finish()


def test_a_refusal_that_comes_again_after_the_call_is_acknowledged_again() -> None:
    bench = Bench()
    invite = bench.place()
    bench.respond(invite, 486)
    [ack] = bench.take_requests("ACK")
    bench.wait(10)
    bench.respond(invite, 486)
    assert [again.serialize() for again in bench.take_requests()] == [ack.serialize()]
    bench.finish()


def test_what_was_asked_before_is_answered_as_before() -> None:
    bench = Bench()
    bench.request("OPTIONS", branch="z9hG4bKasked")
    [answer] = bench.take_responses()
    bench.wait(32 * T1_S)
    bench.request("OPTIONS", branch="z9hG4bKasked")
    assert [again.serialize() for again in bench.take_responses()] == [answer.serialize()]
    bench.finish()


def alive(*kinds: type) -> Counter[str]:
    return Counter(type(each).__name__ for each in gc.get_objects() if type(each) in kinds)
