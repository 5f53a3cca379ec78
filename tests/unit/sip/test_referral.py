"""Transfers within a dialog, by REFER and NOTIFY, between two cores in virtual time (RFC 3515, RFC 4488)."""

from __future__ import annotations

import pytest
from support.sip_bench import Bench
from support.sip_wire import ANSWER, Peer, Wire

from voip_engine.sip.effects import ReferralProgressed, SendOnFlow, SessionAnswered, SessionEnded, SessionReferred
from voip_engine.sip.flow import Flow
from voip_engine.sip.messages.message import Request, Response, parse_message
from voip_engine.sip.messages.uri import SipUri
from voip_engine.sip.sessions.session import SessionStateError

CAROL = SipUri.parse("sip:carol@10.0.0.3")


def connected() -> tuple[Wire, Peer, Peer, str]:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    session = alice.call(bob)
    wire.run(until=0.1)
    bob.apply(bob.core.answer(session, ANSWER, wire.now))
    wire.run(until=0.5)
    assert alice.of(SessionAnswered)
    alice.told.clear()
    return wire, alice, bob, session


def pass_time(wire: Wire, seconds: float = 0.1) -> None:
    wire.run(until=wire.now + seconds)


def referred(wire: Wire, alice: Peer, bob: Peer, session: str) -> SessionReferred:
    alice.apply(alice.core.features.refer(session, CAROL, wire.now))
    pass_time(wire)
    [referral] = bob.of(SessionReferred)
    return referral


def progress(peer: Peer) -> list[tuple[int, bool]]:
    return [(each.status, each.final) for each in peer.of(ReferralProgressed)]


def replies(peer: Peer, request: Request, wire: Wire, *, source: str = "10.0.0.1") -> list[int]:
    """Hand a request to a peer as if it came from `source`; the statuses it answers with."""
    flow = Flow("UDP", peer.host, 5060, source, 5060)
    effects = peer.core.receive(request.serialize(), flow, wire.now)
    statuses = []
    for effect in effects:
        if isinstance(effect, SendOnFlow):
            answer = parse_message(effect.data)
            assert isinstance(answer, Response)
            statuses.append(answer.status)
    peer.apply([effect for effect in effects if not isinstance(effect, SendOnFlow)])
    return statuses


def forged(request: Request, method: str, *, cseq: int, **headers: str) -> Request:
    """A request that looks as if it belonged to the dialog of another one."""
    fake = Request(method, request.uri, request.headers.copy())
    fake.headers.remove("Via")
    fake.headers.insert_first("Via", f"SIP/2.0/UDP 10.0.0.66;branch=z9hG4bKforged{method}{cseq};rport")
    fake.headers.set("CSeq", f"{cseq} {method}")
    for name, value in headers.items():
        fake.headers.set(name.replace("_", "-"), value)
    return fake


def test_a_transfer_is_asked_for_agreed_to_and_told_of_to_its_end() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    assert (referral.session, str(referral.target), referral.replaces) == (session, "sip:carol@10.0.0.3", None)
    assert referral.referred_by == "sip:user@10.0.0.1"
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    bob.apply(bob.core.features.tell_referral(session, referral.referral, 180, wire.now))
    pass_time(wire)
    bob.apply(bob.core.features.tell_referral(session, referral.referral, 200, wire.now))
    pass_time(wire)
    assert progress(alice) == [(202, False), (100, False), (180, False), (200, True)]
    notifies = [notify for _, notify in wire.requests(bob.host, "NOTIFY")]
    assert [notify.headers.get("Event") for notify in notifies] == ["refer"] * 3
    assert [notify.headers.get("Subscription-State") for notify in notifies] == [
        "active;expires=180",
        "active;expires=180",
        "terminated;reason=noresource",
    ]
    assert notifies[-1].headers.get("Content-Type") == "message/sipfrag;version=2.0"
    assert notifies[-1].body == b"SIP/2.0 200 OK\r\n"
    alice.apply(alice.core.hang_up(session, wire.now))
    wire.run()
    assert alice.core.idle
    assert bob.core.idle
    assert alice.core.timers == bob.core.timers == 0


def test_a_refused_transfer_leaves_the_call_as_it_was() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.reject_referral(session, referral.referral, 603, wire.now))
    pass_time(wire)
    assert progress(alice) == [(603, True)]
    assert not alice.of(SessionEnded)
    assert not wire.requests(bob.host, "NOTIFY")
    alice.apply(alice.core.features.refer(session, CAROL, wire.now))
    pass_time(wire)
    assert len(bob.of(SessionReferred)) == 2


def test_the_reports_on_a_second_transfer_name_it() -> None:
    wire, alice, bob, session = connected()
    first = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.reject_referral(session, first.referral, 603, wire.now))
    pass_time(wire)
    alice.apply(alice.core.features.refer(session, CAROL, wire.now))
    pass_time(wire)
    second = bob.of(SessionReferred)[1]
    bob.apply(bob.core.features.accept_referral(session, second.referral, wire.now))
    pass_time(wire)
    bob.apply(bob.core.features.tell_referral(session, second.referral, 486, wire.now))
    pass_time(wire)
    _, notify = wire.requests(bob.host, "NOTIFY")[-1]
    [_, (_, refer)] = wire.requests(alice.host, "REFER")
    assert notify.headers.get("Event") == f"refer;id={refer.cseq.number}"
    assert progress(alice)[-1] == (486, True)


def test_only_the_last_word_waits_for_the_answer_to_an_earlier_one() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    for status in (180, 183, 200):
        if status == 180:
            bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
        bob.apply(bob.core.features.tell_referral(session, referral.referral, status, wire.now))
    pass_time(wire)
    assert [notify.body for _, notify in wire.requests(bob.host, "NOTIFY")] == [
        b"SIP/2.0 100 Trying\r\n",
        b"SIP/2.0 200 OK\r\n",
    ]


def test_somebody_who_agrees_and_then_says_nothing_has_failed_after_64_t1() -> None:
    wire, alice, bob, session = connected()
    wire.fate = lambda sender, message: [] if isinstance(message, Request) and message.method == "NOTIFY" else [0.01]
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire, 33)
    assert progress(alice) == [(202, False), (408, True)]
    assert not alice.of(SessionEnded)


def test_a_subscription_that_ends_without_a_result_has_failed() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    [(_, notify)] = wire.requests(bob.host, "NOTIFY")
    ending = forged(notify, "NOTIFY", cseq=90, Subscription_State="terminated;reason=timeout")
    assert replies(alice, ending, wire, source=bob.host) == [200]
    assert progress(alice)[-1] == (408, True)


def test_who_wants_no_reports_gets_none() -> None:
    wire, alice, bob, session = connected()
    [(_, invite)] = wire.requests(alice.host, "INVITE")
    [(_, ack)] = wire.requests(alice.host, "ACK")
    refer = forged(ack, "REFER", cseq=9, Refer_To="<sip:carol@10.0.0.3>", Refer_Sub="false", Require="norefersub")
    assert invite.call_id == session
    assert replies(bob, refer, wire) == []
    [referral] = bob.of(SessionReferred)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    bob.apply(bob.core.features.tell_referral(session, referral.referral, 200, wire.now))
    pass_time(wire)
    [(_, accepted)] = wire.responses(bob.host, 202)
    assert accepted.headers.get("Refer-Sub") == "false"
    assert not wire.requests(bob.host, "NOTIFY")


def test_hanging_up_ends_the_reports_in_both_directions() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    alice.apply(alice.core.hang_up(session, wire.now))
    pass_time(wire)
    told = len(wire.requests(bob.host, "NOTIFY"))
    bob.apply(bob.core.features.tell_referral(session, referral.referral, 200, wire.now))
    wire.run()
    assert len(wire.requests(bob.host, "NOTIFY")) == told
    assert bob.core.idle
    assert alice.core.timers == bob.core.timers == 0


def test_reports_may_name_the_refer_that_they_are_about() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    [(_, notify)] = wire.requests(bob.host, "NOTIFY")
    named = forged(notify, "NOTIFY", cseq=90, Event=f"refer;id={referral.referral}")
    named.body = b"SIP/2.0 180 Ringing\r\n"
    assert replies(alice, named, wire, source=bob.host) == [200]
    for number, other in enumerate((referral.referral + 7, "²", "x", "9" * 40)):
        foreign = forged(notify, "NOTIFY", cseq=91 + number, Event=f"refer;id={other}")
        assert replies(alice, foreign, wire, source=bob.host) == [481]
    assert progress(alice)[-1] == (180, False)


def test_a_transfer_before_the_call_is_up_is_no_transfer() -> None:
    wire = Wire()
    alice, bob = wire.peer("10.0.0.1"), wire.peer("10.0.0.2")
    session = alice.call(bob)
    wire.run(until=0.1)
    with pytest.raises(SessionStateError, match="not up"):
        alice.core.features.refer(session, CAROL, wire.now)


def test_two_transfers_at_once_are_one_too_many() -> None:
    wire, alice, bob, session = connected()
    referred(wire, alice, bob, session)
    with pytest.raises(SessionStateError, match="already"):
        alice.core.features.refer(session, CAROL, wire.now)
    [(_, refer)] = wire.requests(alice.host, "REFER")
    assert replies(bob, forged(refer, "REFER", cseq=50), wire) == [491]
    assert len(bob.of(SessionReferred)) == 1


@pytest.mark.parametrize("answer", [481, 408, None])
def test_who_does_not_listen_to_reports_still_sends_us_to_one_at_a_time(answer: int | None) -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "REFER", "Refer-To: <sip:carol@10.0.0.3>", cseq=1)
    [referral] = bench.take_told(SessionReferred)
    bench.apply(bench.core.features.accept_referral(bench.session, referral.referral, bench.now))
    [notify] = bench.take_requests("NOTIFY")
    if answer is None:
        bench.wait(33)
    else:
        bench.respond(notify, answer)
    bench.sent.clear()
    for cseq in (2, 3):
        bench.in_dialog(invite, "REFER", "Refer-To: <sip:dave@10.0.0.4>", cseq=cseq)
        assert [response.status for response in bench.take_responses()] == [491]
    bench.apply(bench.core.features.tell_referral(bench.session, referral.referral, 180, bench.now))
    bench.apply(bench.core.features.tell_referral(bench.session, referral.referral, 486, bench.now))
    assert not bench.take_requests("NOTIFY")
    bench.in_dialog(invite, "REFER", "Refer-To: <sip:dave@10.0.0.4>", cseq=4)
    assert [str(each.target) for each in bench.take_told(SessionReferred)] == ["sip:dave@10.0.0.4"]


@pytest.mark.parametrize("answer", [481, 408])
def test_a_report_that_finds_nobody_is_the_last_and_the_call_goes_on(answer: int) -> None:
    bench = Bench()
    invite = bench.connect()
    bench.in_dialog(invite, "REFER", "Refer-To: <sip:carol@10.0.0.3>", cseq=1)
    [referral] = bench.take_told(SessionReferred)
    bench.apply(bench.core.features.accept_referral(bench.session, referral.referral, bench.now))
    [notify] = bench.take_requests("NOTIFY")
    bench.apply(bench.core.features.tell_referral(bench.session, referral.referral, 180, bench.now))
    bench.respond(notify, answer)
    assert bench.take_requests() == []
    assert bench.told == []
    bench.in_dialog(invite, "UPDATE", cseq=2)
    assert [each.status for each in bench.take_responses()] == [200]


def test_who_has_sent_us_on_sends_us_nowhere_else() -> None:
    """The call is to end then, and whoever does not end it is not to have us call one after the other meanwhile."""
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    bob.apply(bob.core.features.tell_referral(session, referral.referral, 200, wire.now))
    pass_time(wire)
    alice.apply(alice.core.features.refer(session, CAROL, wire.now))
    pass_time(wire)
    assert progress(alice)[-1] == (491, True)
    assert len(bob.of(SessionReferred)) == 1


@pytest.mark.parametrize(
    ("refer_to", "status"),
    [
        (None, 400),
        ("<sip:carol@10.0.0.3>, <sip:dave@10.0.0.4>", 400),
        ("<sip:carol@10.0.0.3;method=BYE>", 400),
        ("<sip:carol@10.0.0.3?Replaces=nonsense>", 400),
        ("not a URI", 400),
        ("<mailto:carol@example.org>", 416),
    ],
)
def test_a_refer_that_makes_no_sense_changes_nothing(refer_to: str | None, status: int) -> None:
    wire, _, bob, _ = connected()
    [(_, ack)] = wire.requests("10.0.0.1", "ACK")
    refer = forged(ack, "REFER", cseq=9)
    if refer_to is not None:
        refer.headers.set("Refer-To", refer_to)
    assert replies(bob, refer, wire) == [status]
    assert not bob.of(SessionReferred)


def test_headers_in_a_refer_to_are_left_out_but_for_replaces() -> None:
    wire, _, bob, _ = connected()
    [(_, ack)] = wire.requests("10.0.0.1", "ACK")
    target = "<sip:carol@10.0.0.3?Replaces=a%40b%3Bto-tag%3Dc%3Bfrom-tag%3Dd&From=%3Csip:boss@example.org%3E>"
    replies(bob, forged(ack, "REFER", cseq=9, Refer_To=target), wire)
    [referral] = bob.of(SessionReferred)
    assert referral.target == CAROL
    assert referral.replaces == "a@b;to-tag=c;from-tag=d"


@pytest.mark.parametrize("method", ["REFER", "NOTIFY", "INFO"])
def test_forgeries_outside_the_dialog_change_nothing(method: str) -> None:
    """Wrong tags, a wrong Call-ID, or no To tag at all."""
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    [(_, notify)] = wire.requests(bob.host, "NOTIFY")
    told = list(alice.told)
    good = {"Event": "refer", "Refer_To": "<sip:carol@10.0.0.3>", "Content_Type": "message/sipfrag"}
    if method == "INFO":
        good["Content_Type"] = "application/dtmf"
    for number, wrong in enumerate(
        (
            {"From": "<sip:user@10.0.0.2>;tag=guessed"},
            {"To": "<sip:user@10.0.0.1>;tag=guessed"},
            {"To": "<sip:user@10.0.0.1>"},
            {"Call_ID": "guessed"},
        )
    ):
        fake = forged(notify, method, cseq=100 + number, **good, **wrong)
        fake.body = b"5" if method == "INFO" else b"SIP/2.0 200 OK\r\n"
        assert replies(alice, fake, wire, source="10.0.0.66") == [481]
    assert alice.told == told


def test_a_notify_that_nobody_asked_for_changes_nothing() -> None:
    wire, _, bob, _ = connected()
    [(_, ack)] = wire.requests("10.0.0.1", "ACK")
    body = b"SIP/2.0 200 OK\r\n"
    unasked = forged(ack, "NOTIFY", cseq=9, Event="refer", Content_Type="message/sipfrag")
    unasked.body = body
    assert replies(bob, unasked, wire) == [481]
    assert replies(bob, forged(ack, "NOTIFY", cseq=10, Event="presence"), wire) == [489]
    assert replies(bob, forged(ack, "NOTIFY", cseq=11), wire) == [400]
    assert not bob.of(ReferralProgressed)


def test_a_report_without_a_status_is_refused_and_the_transfer_goes_on() -> None:
    wire, alice, bob, session = connected()
    referral = referred(wire, alice, bob, session)
    bob.apply(bob.core.features.accept_referral(session, referral.referral, wire.now))
    pass_time(wire)
    [(_, notify)] = wire.requests(bob.host, "NOTIFY")
    nonsense = forged(notify, "NOTIFY", cseq=90, Event="refer")
    nonsense.body = b"all is well\r\n"
    before = progress(alice)
    assert replies(alice, nonsense, wire, source=bob.host) == [400]
    assert progress(alice) == before
    sound = forged(notify, "NOTIFY", cseq=91, Event="refer")
    sound.body = b"SIP/2.0 200 OK\r\n"
    assert replies(alice, sound, wire, source=bob.host) == [200]
    assert progress(alice)[-1] == (200, True)
