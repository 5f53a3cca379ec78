"""Whose packets are heard."""

from __future__ import annotations

from voip_engine.rtp.latch import HOLD_PACKETS, Latch, Verdict

SIGNALLED, NATTED, STRANGER = ("192.0.2.1", 4000), ("198.51.100.7", 31000), ("203.0.113.9", 9)


def judge(latch, source, numbers, ssrc=1):
    return [latch.judge(source, ssrc, number & 0xFFFF) for number in numbers]


def test_the_signalled_address_is_heard_at_once_and_for_good():
    latch = Latch(SIGNALLED)
    assert judge(latch, SIGNALLED, [1]) == [Verdict.ACCEPTED]
    assert judge(latch, STRANGER, range(50)) == [Verdict.FOREIGN] * 50
    assert latch.peer == SIGNALLED


def test_another_source_that_holds_becomes_the_peer():
    latch = Latch(SIGNALLED)
    verdicts = judge(latch, NATTED, range(65534, 65534 + HOLD_PACKETS))
    assert verdicts == [Verdict.HELD] * (HOLD_PACKETS - 1) + [Verdict.LATCHED]
    assert latch.peer == NATTED
    assert judge(latch, SIGNALLED, [1]) == [Verdict.FOREIGN], "only a new plan moves it again"


def test_random_packets_never_become_the_peer():
    latch = Latch(SIGNALLED)
    verdicts = judge(latch, STRANGER, range(0, 100, 2))
    assert Verdict.LATCHED not in verdicts
    for number in range(20):
        latch.judge(STRANGER, number, number)
    assert not latch.decided


def test_many_strangers_do_not_keep_the_peer_out():
    latch = Latch(SIGNALLED)
    for port in range(100):
        judge(latch, ("203.0.113.9", port), [1])
    assert judge(latch, NATTED, range(HOLD_PACKETS))[-1] is Verdict.LATCHED


def test_the_signalled_address_wins_while_another_is_held():
    latch = Latch(SIGNALLED)
    judge(latch, NATTED, range(HOLD_PACKETS - 1))
    judge(latch, SIGNALLED, [7])
    assert judge(latch, NATTED, [HOLD_PACKETS - 1]) == [Verdict.FOREIGN]


def test_a_peer_known_from_before_is_kept():
    latch = Latch(SIGNALLED, NATTED)
    assert judge(latch, NATTED, [1]) == [Verdict.ACCEPTED]
    assert judge(latch, SIGNALLED, [1]) == [Verdict.FOREIGN]
